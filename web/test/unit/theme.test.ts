import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync('src/app/styles/tokens.css', 'utf8');

function scheme(name: 'light' | 'dark'): Map<string, string> {
  const block = new RegExp(`data-mantine-color-scheme='${name}'\\] \\{([^}]*)\\}`).exec(css)?.[1] ?? '';
  return new Map([...block.matchAll(/(--ow-[\w-]+): (#[0-9a-f]{6})/g)].map((match) => [match[1] ?? '', match[2] ?? '']));
}

/** Relative luminance, WCAG 2.2. */
function luminance(hex: string): number {
  const channels = [1, 3, 5].map((start) => {
    const value = Number.parseInt(hex.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  const [red = 0, green = 0, blue = 0] = channels;
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(a: string, b: string): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

const SURFACES = ['page', 'surface', 'sunken', 'hover', 'selected'];
const TEXTS = ['text', 'text-soft', 'text-faint', 'accent-text', 'pass', 'fail', 'error', 'neutral', 'manual', 'unset'];
const SEVERITIES = ['critical', 'high', 'medium', 'low'];
const ON_OWN_TINT = ['pass', 'fail', 'error', 'neutral', 'manual', 'unset'];

describe.each(['light', 'dark'] as const)('%s', (name) => {
  const colours = scheme(name);
  const get = (token: string) => {
    const found = colours.get(`--ow-${token}`);
    if (!found) throw new Error(`no colour ${token} in ${name}`);
    return found;
  };
  const pairs = [
    ...[...TEXTS, ...SEVERITIES].flatMap((text) => SURFACES.map((surface) => [text, surface] as const)),
    ...ON_OWN_TINT.map((text) => [text, `${text}-soft`] as const),
    ...['fail', 'error', 'pass', 'accent'].flatMap((tint) =>
      ['text', 'text-soft'].map((text) => [text, `${tint}-soft`] as const),
    ),
    ['on-accent', 'accent'] as const,
    ['accent-text', 'accent-soft'] as const,
  ];

  it.each(pairs)('ac:ui-16 %s can be read on %s', (text, surface) => {
    expect(contrast(get(text), get(surface))).toBeGreaterThanOrEqual(4.5);
  });

  it.each(['page', 'surface'])('the edge of a field stands out on %s', (surface) => {
    // WCAG 2.2, 1.4.11: what shows where a control is.
    expect(contrast(get('control-line'), get(surface))).toBeGreaterThanOrEqual(3);
  });
});
