import { describe, expect, it } from 'vitest';
import { bytes, count, percent, plural } from '@/format/number';
import { duration, timeAgo } from '@/format/time';
import { visibleParts } from '@/format/visible';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const ago = (seconds: number) => timeAgo(new Date(NOW - seconds * 1000).toISOString(), NOW);

describe('time', () => {
  it.each([
    [0, 'just now'],
    [44, 'just now'],
    [60, '1m ago'],
    [59 * 60, '59m ago'],
    [3600, '1h ago'],
    [86_400, '1d ago'],
    [40 * 86_400, '1mo ago'],
    [-20, 'just now'],
  ])('%d seconds ago reads %s', (seconds, text) => expect(ago(seconds)).toBe(text));

  it.each([
    [0.84, '0.8 s'],
    [12.4, '12 s'],
    [59.6, '60 s'],
    [184, '3 min 04 s'],
    [7500, '2 h 05 min'],
  ])('%d seconds last %s', (seconds, text) => expect(duration(seconds)).toBe(text));
});

describe('numbers', () => {
  it('rounds a score down', () => {
    expect(percent(0.9999)).toBe('99');
    expect(percent(1)).toBe('100');
    expect(percent(0.29)).toBe('29');
    expect(percent(0)).toBe('0');
  });
  it('groups, counts and scales', () => {
    expect(count(12_345)).toBe('12,345');
    expect(plural(1, 'host')).toBe('1 host');
    expect(plural(0, 'host')).toBe('0 hosts');
    expect(bytes(512)).toBe('512 B');
    expect(bytes(412_760)).toBe('403 KiB');
    expect(bytes(5_400_000)).toBe('5.1 MiB');
  });
});

describe('visible text', () => {
  it('ac:ui-12 names every hidden character and keeps lines and tabs', () => {
    expect(visibleParts('a\tb\n\u001b[0m\r\u0000\u202e\u200b')).toEqual([
      { text: 'a\tb\n' },
      { hidden: 'ESC' },
      { text: '[0m' },
      { hidden: 'CR' },
      { hidden: 'NUL' },
      { hidden: 'U+202E' },
      { hidden: 'U+200B' },
    ]);
    expect(visibleParts('')).toEqual([]);
    expect(visibleParts('Grüße, 你好')).toEqual([{ text: 'Grüße, 你好' }]);
  });
});
