import { Tooltip } from '@mantine/core';
import { useElementSize } from '@mantine/hooks';
import { Link } from '@tanstack/react-router';
import type { HistoryPoint } from '@/api/types';
import { percent } from '@/format/number';
import { exactTime, shortTime } from '@/format/time';
import classes from './ScoreLine.module.css';

const HEIGHT = 116;
const AXIS_WIDTH = 30;
const TOP = 8;
const BOTTOM = 20;
/** The axis never shows less than this span, so that noise does not look like a landslide. */
const LEAST_SPAN = 0.2;

interface Placed {
  point: HistoryPoint;
  x: number;
  y: number;
}

/** The score of each scan over time; every point leads to its scan. The list of scans holds the same numbers. */
export function ScoreLine({ points }: { points: readonly HistoryPoint[] }) {
  const { ref, width } = useElementSize();
  const known = points
    .filter((point) => point.score !== null)
    .toSorted((a, b) => a.finished_at.localeCompare(b.finished_at));
  const [low, high] = span(known);
  const placed = place(known, Math.max(width - AXIS_WIDTH - 8, 0), low, high);
  const first = placed[0];
  const last = placed.at(-1);
  return (
    <div ref={ref} className={classes.chart} style={{ height: HEIGHT }}>
      {first && last && width > 0 && (
        <>
          <svg height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
            {[low, (low + high) / 2, high].map((value) => (
              <g key={value}>
                <line x1={AXIS_WIDTH} x2={width} y1={heightOf(value, low, high)} y2={heightOf(value, low, high)} stroke="var(--ow-line)" />
                <text className={classes.axis} x={AXIS_WIDTH - 8} y={heightOf(value, low, high) + 4} textAnchor="end">
                  {Math.round(value * 100)}
                </text>
              </g>
            ))}
            {placed.length > 1 && <path d={area(placed)} fill="var(--ow-accent-soft)" opacity="0.7" />}
            <path d={line(placed)} fill="none" stroke="var(--ow-accent-text)" strokeWidth="1.75" strokeLinejoin="round" />
            {placed.length > 1 && (
              <text className={classes.axis} x={AXIS_WIDTH} y={HEIGHT - 4}>
                {shortTime(first.point.finished_at)}
              </text>
            )}
            <text className={classes.axis} x={width} y={HEIGHT - 4} textAnchor="end">
              {shortTime(last.point.finished_at)}
            </text>
          </svg>
          {placed.map((entry) => (
            <PointLink key={entry.point.scan_id} entry={entry} />
          ))}
        </>
      )}
    </div>
  );
}

function PointLink({ entry: { point, x, y } }: { entry: Placed }) {
  const measured = point.pass + point.fail + point.error;
  const text = `${percent(point.score ?? 0)} %, ${point.pass} of ${measured} pass, ${exactTime(point.finished_at)}`;
  return (
    <Tooltip label={text}>
      <Link
        to="/scans/$scanId"
        params={{ scanId: point.scan_id }}
        className={classes.point}
        style={{ left: x }}
        aria-label={`Scan: ${text}`}
      >
        <span className={classes.dot} style={{ bottom: HEIGHT - y }} />
      </Link>
    </Tooltip>
  );
}

function span(points: readonly HistoryPoint[]): [number, number] {
  const scores = points.map((point) => point.score ?? 0);
  const middle = (Math.min(...scores) + Math.max(...scores)) / 2;
  const half = Math.max(LEAST_SPAN, (Math.max(...scores) - Math.min(...scores)) * 1.25) / 2;
  const low = Math.max(0, Math.min(middle - half, 1 - 2 * half));
  return [low, Math.min(1, low + 2 * half)];
}

function place(points: readonly HistoryPoint[], room: number, low: number, high: number): Placed[] {
  const times = points.map((point) => Date.parse(point.finished_at));
  const start = times[0] ?? 0;
  const length = (times.at(-1) ?? 0) - start;
  return points.map((point, index) => {
    const share = length === 0 ? 1 : ((times[index] ?? start) - start) / length;
    return { point, x: AXIS_WIDTH + 4 + share * room, y: heightOf(point.score ?? 0, low, high) };
  });
}

function heightOf(score: number, low: number, high: number): number {
  return TOP + (1 - (score - low) / (high - low || 1)) * (HEIGHT - TOP - BOTTOM);
}

function line(placed: readonly Placed[]): string {
  return placed.map(({ x, y }, index) => `${index === 0 ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`).join('');
}

function area(placed: readonly Placed[]): string {
  const base = HEIGHT - BOTTOM;
  return `${line(placed)}L${(placed.at(-1)?.x ?? 0).toFixed(1)} ${base}L${(placed[0]?.x ?? 0).toFixed(1)} ${base}Z`;
}
