import type { HostState, ScanState, Severity, Verdict } from '@/api/types';
import type { IconName } from './Icon';

/** How each closed set looks. Each value has its own word, its own shape and its own colour. */
export interface Look {
  label: string;
  icon: IconName;
  tone: Tone;
}

export type Tone = 'pass' | 'fail' | 'error' | 'neutral' | 'manual' | 'unset' | 'accent';

export const VERDICT_LOOK: Record<Verdict, Look> = {
  pass: { label: 'Pass', icon: 'passed', tone: 'pass' },
  fail: { label: 'Fail', icon: 'failed', tone: 'fail' },
  error: { label: 'Error', icon: 'warning', tone: 'error' },
  not_applicable: { label: 'Not applicable', icon: 'minus', tone: 'neutral' },
  manual: { label: 'Manual', icon: 'hand', tone: 'manual' },
  not_configured: { label: 'Not configured', icon: 'sliders', tone: 'unset' },
};

export const HOST_STATE_LOOK: Record<HostState, Look> = {
  never_scanned: { label: 'Never scanned', icon: 'minus', tone: 'neutral' },
  scanning: { label: 'Scanning', icon: 'scan', tone: 'accent' },
  ok: { label: 'Measured', icon: 'passed', tone: 'pass' },
  failed: { label: 'Scan failed', icon: 'warning', tone: 'error' },
};

export const SCAN_STATE_LOOK: Record<ScanState, Look> = {
  queued: { label: 'Queued', icon: 'clock', tone: 'neutral' },
  running: { label: 'Running', icon: 'scan', tone: 'accent' },
  completed: { label: 'Completed', icon: 'passed', tone: 'pass' },
  failed: { label: 'Failed', icon: 'warning', tone: 'error' },
  cancelled: { label: 'Cancelled', icon: 'minus', tone: 'neutral' },
};

export const SEVERITY_LABEL: Record<Severity, string> = {
  critical: 'Critical',
  high: 'High',
  medium: 'Medium',
  low: 'Low',
};

/** How many of the four bars a severity fills. */
export const SEVERITY_LEVEL: Record<Severity, number> = { critical: 4, high: 3, medium: 2, low: 1 };
