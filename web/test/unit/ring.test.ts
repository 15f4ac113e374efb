import { describe, expect, it } from 'vitest';
import { arcs } from '@/components/ScoreRing';
import { score } from '../fixture/data';

const total = (counts: Parameters<typeof score>[0]) => arcs(score(counts)).at(-1)?.to ?? 0;

describe('score ring', () => {
  it('ac:ui-04 keeps a single error visible beside thousands of passes', () => {
    const parts = arcs(score({ pass: 5000, error: 1 }));
    const error = parts.find((part) => part.tone === 'error');
    expect((error?.to ?? 0) - (error?.from ?? 0)).toBeGreaterThan(4);
  });
  it('fills the circle whatever the parts', () => {
    expect(total({ pass: 10 })).toBeCloseTo(360);
    expect(total({ pass: 1, fail: 1, error: 1 })).toBeLessThanOrEqual(360);
    expect(total({ pass: 5000, fail: 1, error: 1 })).toBeLessThanOrEqual(360);
    expect(arcs(score({ manual: 3 }))).toEqual([]);
  });
});
