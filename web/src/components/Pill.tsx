import type { HostState, ScanState, Severity, Verdict } from '@/api/types';
import { Icon } from './Icon';
import classes from './Pill.module.css';
import {
  HOST_STATE_LOOK,
  SCAN_STATE_LOOK,
  SEVERITY_LABEL,
  SEVERITY_LEVEL,
  VERDICT_LOOK,
  type Look,
} from './verdict';

function Pill({ look, soft = false }: { look: Look; soft?: boolean }) {
  return (
    <span className={soft ? `${classes.pill} ${classes.soft}` : classes.pill} data-tone={look.tone}>
      <Icon name={look.icon} size={14} />
      {look.label}
    </span>
  );
}

export function VerdictBadge({ verdict, soft }: { verdict: Verdict; soft?: boolean }) {
  return <Pill look={VERDICT_LOOK[verdict]} soft={soft} />;
}

export function HostStatePill({ state, soft }: { state: HostState; soft?: boolean }) {
  return <Pill look={HOST_STATE_LOOK[state]} soft={soft} />;
}

export function ScanStatePill({ state, soft }: { state: ScanState; soft?: boolean }) {
  return <Pill look={SCAN_STATE_LOOK[state]} soft={soft} />;
}

const BARS = [1, 2, 3, 4];

/** Four rising bars, as many filled as the severity is high, and its word. */
export function SeverityBadge({ severity, iconOnly = false }: { severity: Severity; iconOnly?: boolean }) {
  const label = SEVERITY_LABEL[severity];
  return (
    <span className={classes.severity} data-severity={severity}>
      <svg width="13" height="12" viewBox="0 0 13 12" aria-hidden="true">
        {BARS.map((bar) => (
          <rect
            key={bar}
            x={(bar - 1) * 3.4}
            y={12 - bar * 3}
            width="2.4"
            height={bar * 3}
            rx="0.8"
            fill="currentColor"
            opacity={bar <= SEVERITY_LEVEL[severity] ? 1 : 0.22}
          />
        ))}
      </svg>
      {iconOnly ? <span className="visually-hidden">{label}</span> : label}
    </span>
  );
}
