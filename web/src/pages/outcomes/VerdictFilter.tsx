import { VERDICTS, type Verdict } from '@/api/types';
import { useVerdictMeaning } from '@/app/session';
import { VerdictBadge } from '@/components/Pill';
import { count } from '@/format/number';
import classes from './Outcomes.module.css';

interface Props {
  counts: Record<string, number> | undefined;
  value: readonly Verdict[];
  onChange: (value: Verdict[] | undefined) => void;
}

/** Each verdict with its count; pressing one shows only it, pressing more adds them. */
export function VerdictFilter({ counts, value, onChange }: Props) {
  const meaningOf = useVerdictMeaning();
  const toggle = (verdict: Verdict) => {
    const next = value.includes(verdict) ? value.filter((entry) => entry !== verdict) : [...value, verdict];
    onChange(next.length > 0 ? VERDICTS.filter((entry) => next.includes(entry)) : undefined);
  };
  return (
    <div className={classes.verdicts} role="group" aria-label="Verdict">
      {VERDICTS.map((verdict) => (
        <button
          key={verdict}
          title={meaningOf(verdict)}
          type="button"
          className={classes.verdict}
          aria-pressed={value.includes(verdict)}
          data-zero={counts && !counts[verdict] ? true : undefined}
          onClick={() => toggle(verdict)}
        >
          <VerdictBadge verdict={verdict} />
          <span className={classes.verdictCount}>{counts ? count(counts[verdict] ?? 0) : '–'}</span>
        </button>
      ))}
    </div>
  );
}
