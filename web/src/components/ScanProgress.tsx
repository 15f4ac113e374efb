import { useLiveProgress } from '@/api/events/progress';
import type { Progress, ScanState } from '@/api/types';
import { Icon } from './Icon';
import classes from './ScanProgress.module.css';

/** The stages of a scan in order, and what a person calls them. */
const STAGES = [
  ['connect', 'Connect'],
  ['detect', 'Detect'],
  ['collect', 'Collect'],
  ['assess', 'Assess'],
  ['store', 'Store'],
] as const;

interface Props {
  scanId: string;
  state?: ScanState;
  /** What the API said last; the stream's newer word wins. */
  progress?: Progress | null;
}

export function useScanProgress({ scanId, state, progress = null }: Props): Progress | null {
  const live = useLiveProgress(scanId);
  return state === 'queued' ? null : (live ?? progress);
}

/** Progress of a scan in one table cell. */
export function ScanProgressInline(props: Props) {
  const progress = useScanProgress(props);
  const name = progress ? stageName(progress.stage) : props.state === 'queued' ? 'Queued' : 'Scanning';
  return (
    <span className={classes.inline}>
      <span className={classes.label}>
        {name}
        {progress && progress.total > 1 && <span>{percentDone(progress)} %</span>}
      </span>
      <Bar progress={progress} label={`Scan: ${name}`} />
    </span>
  );
}

/** Progress of a scan as its five stages. */
export function ScanStages(props: Props) {
  const progress = useScanProgress(props);
  const now = STAGES.findIndex(([stage]) => stage === progress?.stage);
  return (
    <ol className={classes.stages} aria-label="Stages of the scan">
      {STAGES.map(([stage, name], index) => {
        const state = index < now ? 'done' : index === now ? 'now' : 'next';
        return (
          <li key={stage} className={classes.stage} data-state={state} aria-current={state === 'now' ? 'step' : undefined}>
            {state === 'now' ? (
              <Bar progress={progress} label={name} />
            ) : (
              <span className={classes.track}>
                <span className={classes.fill} style={{ display: 'block', width: state === 'done' ? '100%' : '0' }} />
              </span>
            )}
            <span className={classes.stageName}>
              {state === 'done' && <Icon name="check" size={12} />}
              {name}
            </span>
          </li>
        );
      })}
    </ol>
  );
}

function Bar({ progress, label }: { progress: Progress | null; label: string }) {
  const known = progress !== null && progress.total > 1;
  return (
    <span
      className={classes.track}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? percentDone(progress) : undefined}
    >
      {known ? (
        <span className={classes.fill} style={{ display: 'block', width: `${percentDone(progress)}%` }} />
      ) : (
        <span className={classes.unknown} />
      )}
    </span>
  );
}

function percentDone(progress: Progress): number {
  if (progress.total <= 0) return 0;
  return Math.min(100, Math.floor((progress.done / progress.total) * 100));
}

function stageName(stage: string): string {
  return STAGES.find(([name]) => name === stage)?.[1] ?? stage;
}
