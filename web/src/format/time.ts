const relative = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'narrow' });
const absolute = new Intl.DateTimeFormat('en-GB', {
  year: 'numeric',
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
});
const short = new Intl.DateTimeFormat('en-GB', {
  month: 'short',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
});

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTH = 30 * DAY;
const YEAR = 365 * DAY;

const STEPS: readonly (readonly [limit: number, unit: Intl.RelativeTimeFormatUnit, size: number])[] = [
  [HOUR, 'minute', MINUTE],
  [DAY, 'hour', HOUR],
  [MONTH, 'day', DAY],
  [YEAR, 'month', MONTH],
  [Infinity, 'year', YEAR],
];

/** "just now", "4m ago", "2d ago"; a moment in the future within a minute counts as now. */
export function timeAgo(moment: string, now: number): string {
  const seconds = Math.round((Date.parse(moment) - now) / 1000);
  const age = Math.abs(seconds);
  if (age < 45) return 'just now';
  for (const [limit, unit, size] of STEPS) {
    if (age < limit) return relative.format(Math.trunc(seconds / size) || Math.sign(seconds), unit);
  }
  return absolute.format(Date.parse(moment));
}

/** The full local date and time with its zone. */
export function exactTime(moment: string): string {
  return absolute.format(Date.parse(moment));
}

export function shortTime(moment: string): string {
  return short.format(Date.parse(moment));
}

/** "0.8 s", "12 s", "3 min 04 s", "2 h 05 min". */
export function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < MINUTE) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${pad(whole % MINUTE)} s`;
  return `${Math.floor(whole / HOUR)} h ${pad(Math.floor((whole % HOUR) / MINUTE))} min`;
}

export function secondsBetween(from: string, to: string | number): number {
  const end = typeof to === 'number' ? to : Date.parse(to);
  return Math.max(0, (end - Date.parse(from)) / 1000);
}

function pad(value: number): string {
  return String(value).padStart(2, '0');
}
