import type { Group } from '@/api/types';
import { count, percent } from '@/format/number';
import classes from './Groups.module.css';

/** The mean of the scores of the measured hosts, and how many of all they are. */
export function MeanScore({ hosts }: { hosts: Group['hosts'] }) {
  if (hosts.mean_score === null) return <span className={classes.faint}>no data</span>;
  return (
    <span className={classes.mean}>
      {percent(hosts.mean_score)} %{' '}
      {hosts.measured < hosts.total && (
        <span className={classes.faint}>
          of {count(hosts.measured)} measured
        </span>
      )}
    </span>
  );
}
