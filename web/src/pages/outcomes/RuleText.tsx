import { useFrameworks } from '@/app/frameworks';
import { InlineCode } from '@/components/InlineCode';
import classes from './Outcomes.module.css';

interface Props {
  description: string;
  rationale: string;
  fixText: string;
  references: Record<string, string[]>;
}

/** What a rule wants, why, how to get there, and which controls ask for it. */
export function RuleText({ description, rationale, fixText, references }: Props) {
  return (
    <>
      <TextSection title="What is required" text={description} />
      <TextSection title="Why" text={rationale} />
      <TextSection title="How to fix it" text={fixText} />
      <References references={references} />
    </>
  );
}

function TextSection({ title, text }: { title: string; text: string }) {
  if (text.trim() === '') return null;
  return (
    <section className={classes.section}>
      <h3>{title}</h3>
      <p className={classes.text}>
        <InlineCode text={text} />
      </p>
    </section>
  );
}

function References({ references }: { references: Record<string, string[]> }) {
  const frameworks = useFrameworks();
  const entries = Object.entries(references).filter(([, ids]) => ids.length > 0);
  if (entries.length === 0) return null;
  return (
    <section className={classes.section}>
      <h3>Asked for by</h3>
      <dl className={classes.references}>
        {entries.map(([framework, ids]) => (
          <div key={framework} style={{ display: 'contents' }}>
            <dt>{frameworks.nameOf(framework)}</dt>
            <dd>
              {ids.map((id) => (
                <span key={id} className={classes.reference}>
                  {id}
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
