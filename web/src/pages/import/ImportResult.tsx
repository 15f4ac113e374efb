import { useQuery } from '@tanstack/react-query';
import { refusedFileOf, refusedRowsQuery } from '@/api/queries/imports';
import type { Import } from '@/api/types';
import { Icon } from '@/components/Icon';
import { ErrorBanner, ProblemBanner } from '@/components/States';
import { count } from '@/format/number';
import { Button } from '@mantine/core';
import classes from './Import.module.css';
import { isOver } from './model';

const OUTCOMES = [
  ['created', 'New'],
  ['updated', 'Updated'],
  ['unchanged', 'As they were'],
  ['skipped', 'Left alone'],
  ['refused', 'Refused'],
] as const;

/** How far an import or a trial is, or what became of its rows. */
export function ImportResult({ found }: { found: Import }) {
  return (
    <div className={classes.column}>
      {!isOver(found) && <Going found={found} />}
      {found.failure && (
        <ProblemBanner tone="fail" title={found.failure.message} fix={found.failure.fix} code={found.failure.code} />
      )}
      {(isOver(found) || found.done > 0) && (
        <dl className={classes.counts} aria-live="polite">
          {OUTCOMES.map(([outcome, label]) => (
            <div key={outcome} data-outcome={outcome} data-none={found.counts[outcome] === 0 || undefined}>
              <dt>{label}</dt>
              <dd>{count(found.counts[outcome])}</dd>
            </div>
          ))}
        </dl>
      )}
      {isOver(found) && found.counts.refused > 0 && <Refused found={found} />}
    </div>
  );
}

function Going({ found }: { found: Import }) {
  const share = Math.floor((found.done / found.total) * 100);
  const label = found.state === 'queued' ? 'Waiting for a worker' : `${count(found.done)} of ${count(found.total)} rows`;
  return (
    <div className={classes.going}>
      <span>{label}</span>
      <span
        className={classes.track}
        role="progressbar"
        aria-label="Import"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={share}
      >
        <span className={classes.fill} style={{ width: `${share}%` }} />
      </span>
    </div>
  );
}

function Refused({ found }: { found: Import }) {
  const rows = useQuery(refusedRowsQuery(found.id));
  const more = found.counts.refused - (rows.data?.length ?? 0);
  return (
    <section className={classes.column} aria-label="Refused rows">
      <ErrorBanner error={rows.error} />
      <ul className={classes.problems}>
        {rows.data?.map((row) => (
          <li key={`${row.line} ${row.name}`}>
            <span className={classes.line}>line {row.line}</span> <b>{row.name}</b> {row.problem}
          </li>
        ))}
      </ul>
      {rows.data && more > 0 && <p className={classes.hint}>And {count(more)} more in the file.</p>}
      <div>
        <Button
          component="a"
          href={refusedFileOf(found.id)}
          download
          variant="default"
          leftSection={<Icon name="download" size={14} />}
        >
          Download the refused rows
        </Button>
        <p className={classes.hint}>A CSV with what is wrong with each. Correct it and import it as it is.</p>
      </div>
    </section>
  );
}
