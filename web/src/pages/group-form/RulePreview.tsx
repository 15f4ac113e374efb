import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { toApiError } from '@/api/problem';
import { rulePreviewQuery } from '@/api/queries/groups';
import { count, plural } from '@/format/number';
import classes from './GroupForm.module.css';

/** The server is asked for what one has typed, not for each letter. */
const TYPING_PAUSE_MS = 300;

/** What the rule finds at this moment, or where it is not understood. */
export function RulePreview({ rule }: { rule: string }) {
  const [settled] = useDebouncedValue(rule.trim(), TYPING_PAUSE_MS);
  const preview = useQuery({
    ...rulePreviewQuery(settled),
    enabled: settled !== '',
    placeholderData: keepPreviousData,
  });
  return (
    <div className={classes.found} aria-live="polite">
      {settled === '' ? (
        <span className={classes.hint}>Type a rule to see which hosts it finds.</span>
      ) : preview.isError ? (
        <span className={classes.refused}>{toApiError(preview.error).message}</span>
      ) : (
        preview.data && <Found preview={preview.data} />
      )}
    </div>
  );
}

function Found({ preview }: { preview: { total: number; of: number; hosts: readonly { name: string }[] } }) {
  const more = preview.total - preview.hosts.length;
  return (
    <>
      <span>
        Finds <b>{count(preview.total)}</b> of {plural(preview.of, 'host')}.
      </span>
      {preview.total > 0 && (
        <span className={classes.names}>
          {preview.hosts.map(({ name }) => name).join(', ')}
          {more > 0 && ` and ${count(more)} more`}
        </span>
      )}
    </>
  );
}
