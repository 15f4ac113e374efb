import { useFrameworks } from '@/app/frameworks';
import { InlineCode } from '@/components/InlineCode';
import classes from './Outcomes.module.css';

interface Props {
  description: string;
  rationale: string;
  fixText: string;
  references: Record<string, string[]>;
  /** The level of its headings. */
  level?: 2 | 3;
}

/** What a rule wants, why, how to get there, and which controls ask for it. */
export function RuleText({ description, rationale, fixText, references, level = 3 }: Props) {
  return (
    <>
      <TextSection level={level} title="What is required" text={description} />
      <TextSection level={level} title="Why" text={rationale} />
      <TextSection level={level} title="How to fix it" text={fixText} />
      <References level={level} references={references} />
    </>
  );
}

function TextSection({ level, title, text }: { level: 2 | 3; title: string; text: string }) {
  const Heading = `h${level}` as const;
  if (text.trim() === '') return null;
  return (
    <section className={classes.section}>
      <Heading>{title}</Heading>
      <p className={classes.text}>
        <InlineCode text={text} />
      </p>
    </section>
  );
}

function References({ level, references }: { level: 2 | 3; references: Record<string, string[]> }) {
  const Heading = `h${level}` as const;
  const frameworks = useFrameworks();
  const entries = Object.entries(references).filter(([, ids]) => ids.length > 0);
  if (entries.length === 0) return null;
  return (
    <section className={classes.section}>
      <Heading>Asked for by</Heading>
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
