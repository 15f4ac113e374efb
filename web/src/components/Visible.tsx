import { visibleParts } from '@/format/visible';
import classes from './CodeBlock.module.css';

/** Text from a host with every hidden character named. */
export function Visible({ text }: { text: string }) {
  return visibleParts(text).map((part, index) =>
    'hidden' in part ? (
      <span key={index} className={classes.hidden}>
        {part.hidden}
      </span>
    ) : (
      part.text
    ),
  );
}
