import type { RuleControl } from '@/api/types';
import { useFrameworks } from '@/app/frameworks';
import { InlineCode } from '@/components/InlineCode';
import classes from './Outcomes.module.css';

interface Props {
  description: string;
  rationale: string;
  fixText: string;
  references: Record<string, string[]>;
  /** Their titles and what the rule says of them, where they are known. */
  controls?: readonly RuleControl[];
  /** The level of its headings. */
  level?: 2 | 3;
}

/** What a rule wants, why, how to get there, and which controls ask for it. */
export function RuleText({ description, rationale, fixText, references, controls, level = 3 }: Props) {
  return (
    <>
      <TextSection level={level} title="What is required" text={description} />
      <TextSection level={level} title="Why" text={rationale} />
      <TextSection level={level} title="How to fix it" text={fixText} />
      <References level={level} references={references} controls={controls} />
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

function References({ level = 3, references, controls = [] }: Pick<Props, 'level' | 'references' | 'controls'>) {
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
                <Control
                  key={id}
                  id={id}
                  control={controls.find((control) => control.framework === framework && control.id === id)}
                />
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const RELATIONS: Record<RuleControl['relation'], string> = {
  satisfies: '',
  contributes: 'in part',
  informs: 'for information',
};

function Control({ id, control }: { id: string; control: RuleControl | undefined }) {
  const chip = <span className={classes.reference}>{id}</span>;
  if (!control?.title) return chip;
  const relation = RELATIONS[control.relation];
  return (
    <span className={classes.control} title={control.sections.join(' / ') || undefined}>
      {chip} {control.title}
      {relation !== '' && <span className={classes.relation}> ({relation})</span>}
    </span>
  );
}
