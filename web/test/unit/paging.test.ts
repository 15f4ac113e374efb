import { describe, expect, it } from 'vitest';
import { allItems, patchRow, removeRow, totalOf } from '@/api/queries/paging';

const pages = () => ({
  pages: [{ items: [{ id: 'a', n: 1 }, { id: 'b', n: 1 }], total: 3 }, { items: [{ id: 'c', n: 1 }] }],
  pageParams: [undefined, 'next'],
});

describe('pages of rows', () => {
  it('ac:ui-10 replaces one row and leaves other pages as they are', () => {
    const before = pages();
    const after = patchRow(before, { id: 'c', n: 2 });
    expect(allItems(after).map((row) => row.n)).toEqual([1, 1, 2]);
    expect(after?.pages[0]).toBe(before.pages[0]);
  });

  it('changes nothing, not even the identity, for a row that is not listed', () => {
    const before = pages();
    expect(patchRow(before, { id: 'z', n: 9 })).toBe(before);
    expect(removeRow(before, 'z')).toBe(before);
    expect(removeRow(undefined, 'a')).toBeUndefined();
  });

  it('removes a row, and knows the total of the first page', () => {
    expect(allItems(removeRow(pages(), 'b')).map((row) => row.id)).toEqual(['a', 'c']);
    expect(totalOf(pages())).toBe(3);
    expect(totalOf(undefined)).toBeNull();
  });
});
