import { manyOf, one } from '@/app/search';
import { SCAN_STATES, type ScanQuery, type ScanState } from '@/api/types';

export interface ScansSearch {
  search?: string;
  state?: ScanState[];
  sort?: string;
}

export function scansSearch(raw: Record<string, unknown>): ScansSearch {
  return { search: one(raw.search), state: manyOf(raw.state, SCAN_STATES), sort: one(raw.sort) };
}

export const DEFAULT_SCAN_SORT = '-queued_at';

export function scanQueryOf(search: ScansSearch): ScanQuery {
  return { ...search, sort: search.sort ?? DEFAULT_SCAN_SORT };
}
