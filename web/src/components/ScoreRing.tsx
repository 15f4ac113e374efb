import { percent } from '@/format/number';
import { ScoreTooltip, scoreSentence, type ScoreParts } from './Score';
import classes from './Score.module.css';

const RADIUS = 52;
const WIDTH = 11;
const GAP_DEGREES = 2.5;
const LEAST_DEGREES = 5;

interface Arc {
  tone: 'pass' | 'fail' | 'error';
  from: number;
  to: number;
}

/** The composition of a score as a ring: passed, failed, and hatched what could not be measured. */
export function ScoreRing({ score, size = 132 }: { score: ScoreParts | null; size?: number }) {
  const known = score !== null && score.value !== null;
  return (
    <ScoreTooltip score={score}>
      <div className={classes.ring} style={{ width: size, height: size }} role="img" aria-label={scoreSentence(score)}>
        <svg width={size} height={size} viewBox="0 0 128 128" aria-hidden="true">
          <defs>
            <pattern id="ow-hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect width="5" height="5" fill="var(--ow-error-soft)" />
              <rect width="2.6" height="5" fill="var(--ow-error-fill)" />
            </pattern>
          </defs>
          <circle
            cx="64"
            cy="64"
            r={RADIUS}
            fill="none"
            stroke={known ? 'var(--ow-neutral-soft)' : 'var(--ow-line-strong)'}
            strokeWidth={known ? WIDTH : 2}
            strokeDasharray={known ? undefined : '3 7'}
            strokeLinecap="round"
          />
          {known && arcs(score).map((arc) => <RingArc key={arc.tone} arc={arc} />)}
        </svg>
        <div className={classes.ringText} aria-hidden="true">
          {known && score.value !== null ? (
            <>
              <span>
                <span className={classes.ringValue}>{percent(score.value)}</span>
                <span className={classes.ringUnit}>%</span>
              </span>
              <span className={classes.ringCaption}>
                {score.pass} of {score.pass + score.fail + score.error}
              </span>
            </>
          ) : (
            <span className={classes.none}>no data</span>
          )}
        </div>
      </div>
    </ScoreTooltip>
  );
}

function RingArc({ arc }: { arc: Arc }) {
  const stroke = arc.tone === 'error' ? 'url(#ow-hatch)' : `var(--ow-${arc.tone}-fill)`;
  if (arc.to - arc.from >= 360) {
    return <circle cx="64" cy="64" r={RADIUS} fill="none" stroke={stroke} strokeWidth={WIDTH} />;
  }
  const [x1, y1] = point(arc.from);
  const [x2, y2] = point(arc.to);
  const large = arc.to - arc.from > 180 ? 1 : 0;
  const path = `M${x1} ${y1}A${RADIUS} ${RADIUS} 0 ${large} 1 ${x2} ${y2}`;
  return <path d={path} fill="none" stroke={stroke} strokeWidth={WIDTH} />;
}

/** Angles in degrees, clockwise from the top. A part that is not empty stays visible. */
export function arcs(score: ScoreParts): Arc[] {
  const parts = (['pass', 'fail', 'error'] as const)
    .map((tone) => ({ tone, value: score[tone] }))
    .filter((part) => part.value > 0);
  const total = parts.reduce((sum, part) => sum + part.value, 0);
  const gap = parts.length > 1 ? GAP_DEGREES : 0;
  const room = 360 - gap * parts.length;
  const wanted = parts.map((part) => Math.max(LEAST_DEGREES, (part.value / total) * room));
  const scale = room / wanted.reduce((sum, degrees) => sum + degrees, 0);
  let from = 0;
  return parts.map((part, index) => {
    const degrees = (wanted[index] ?? 0) * scale;
    const arc = { tone: part.tone, from, to: from + degrees };
    from += degrees + gap;
    return arc;
  });
}

function point(degrees: number): [string, string] {
  const angle = ((degrees - 90) * Math.PI) / 180;
  return [(64 + RADIUS * Math.cos(angle)).toFixed(3), (64 + RADIUS * Math.sin(angle)).toFixed(3)];
}
