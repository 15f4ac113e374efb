import { describe, expect, it } from 'vitest';
import { many, manyOf, one, parseSearch, stringifySearch } from '@/app/search';
import { hostsSearch } from '@/pages/hosts/search';

describe('state in the address', () => {
  it('ac:ui-05 is plain text: repeated names are lists, absent ones the default', () => {
    const search = { search: 'a b', state: ['ok', 'failed'], tag: undefined, sort: '-score' };
    expect(stringifySearch(search)).toBe('?search=a+b&state=ok&state=failed&sort=-score');
    expect(parseSearch('?search=a+b&state=ok&state=failed&sort=-score')).toEqual({
      search: 'a b',
      state: ['ok', 'failed'],
      sort: '-score',
    });
    expect(stringifySearch({})).toBe('');
  });

  it('drops what no filter knows', () => {
    expect(hostsSearch(parseSearch('?state=ok&state=broken&tag=x&search='))).toEqual({
      search: undefined,
      state: ['ok'],
      os: undefined,
      environment: undefined,
      tag: ['x'],
      sort: undefined,
    });
    expect(manyOf(['evil'], ['a'])).toBeUndefined();
    expect(many([])).toBeUndefined();
    expect(one(['', 'x'])).toBeUndefined();
  });
});
