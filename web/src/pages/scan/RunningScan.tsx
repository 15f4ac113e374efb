import type { Scan } from '@/api/types';
import { Card } from '@/components/Page';
import { ScanStages, useScanProgress } from '@/components/ScanProgress';
import { useSeconds } from '@/components/TimeAgo';
import { duration, secondsBetween } from '@/format/time';
import classes from './Scan.module.css';

/** A scan that waits or runs: where it is, how far, how long. */
export function RunningScan({ scan }: { scan: Scan }) {
  const now = useSeconds();
  const progress = useScanProgress({ scanId: scan.id, state: scan.state, progress: scan.progress });
  const queued = scan.state === 'queued';
  return (
    <Card>
      <div className={classes.running} role="status" aria-label="Progress of the scan">
        <div className={classes.runningHead}>
          <b>{queued ? 'Waiting for a worker' : sentence(progress?.stage)}</b>
          <span className={classes.elapsed}>
            {progress && progress.total > 1 && `${progress.done} of ${progress.total} · `}
            {duration(secondsBetween(scan.started_at ?? scan.queued_at, now))}
          </span>
        </div>
        <ScanStages scanId={scan.id} state={scan.state} progress={scan.progress} />
      </div>
    </Card>
  );
}

function sentence(stage: string | undefined): string {
  switch (stage) {
    case 'connect':
      return 'Connecting to the host';
    case 'detect':
      return 'Finding out what system it is';
    case 'collect':
      return 'Reading facts from the host';
    case 'assess':
      return 'Judging the rules';
    case 'store':
      return 'Storing outcomes and evidence';
    default:
      return 'Starting';
  }
}
