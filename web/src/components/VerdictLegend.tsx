import type { Verdict } from '@/api/types';
import { VERDICTS } from '@/api/types';
import { count } from '@/format/number';
import { VerdictBadge } from './Pill';
import classes from './Score.module.css';

/** The number of rules per verdict. What could not be measured is always listed, also when it is none. */
export function VerdictLegend({ counts }: { counts: Record<Verdict, number> }) {
  const shown = VERDICTS.filter((verdict) => counts[verdict] > 0 || ['pass', 'fail', 'error'].includes(verdict));
  return (
    <dl className={classes.legend}>
      {shown.map((verdict) => (
        <div key={verdict} style={{ display: 'contents' }}>
          <dt>
            <VerdictBadge verdict={verdict} />
          </dt>
          <dd>{count(counts[verdict])}</dd>
        </div>
      ))}
    </dl>
  );
}
