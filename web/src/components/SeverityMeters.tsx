import type { Failing } from '@/api/types';
import { SEVERITIES } from '@/api/types';
import { count } from '@/format/number';
import { SeverityBadge } from './Pill';
import classes from './SeverityMeters.module.css';

/** Failing rules per severity, longest bar for the most. */
export function SeverityMeters({ failing }: { failing: Failing }) {
  const most = Math.max(1, ...SEVERITIES.map((severity) => failing[severity]));
  return (
    <dl className={classes.severities}>
      {SEVERITIES.map((severity) => (
        <div key={severity}>
          <dt>
            <SeverityBadge severity={severity} />
          </dt>
          <dd className={classes.meter} data-severity={severity} aria-hidden="true">
            <span style={{ width: `${(failing[severity] / most) * 100}%` }} />
          </dd>
          <dd>{count(failing[severity])}</dd>
        </div>
      ))}
    </dl>
  );
}
