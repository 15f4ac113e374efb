const grouped = new Intl.NumberFormat('en');

/** 12345 → "12,345". */
export function count(value: number): string {
  return grouped.format(value);
}

/** "1 host", "2 hosts". */
export function plural(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB'] as const;
const UNIT_STEP = 1024;

export function bytes(value: number): string {
  let rest = value;
  let unit = 0;
  while (rest >= UNIT_STEP && unit < UNITS.length - 1) {
    rest /= UNIT_STEP;
    unit += 1;
  }
  return `${unit === 0 || rest >= 100 ? Math.round(rest) : rest.toFixed(1)} ${UNITS[unit] ?? 'B'}`;
}

/**
 * A score between 0 and 1 as a percentage. It is rounded down, so that only a perfect score reads 100.
 */
export function percent(score: number): string {
  return String(Math.floor(score * 100 + 1e-9));
}
