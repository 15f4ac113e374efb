import type { GroupQuery } from '@/api/types';
import { one } from '@/app/search';

export interface GroupsSearch {
  search?: string;
  sort?: string;
}

export function groupsSearch(raw: Record<string, unknown>): GroupsSearch {
  return { search: one(raw.search), sort: one(raw.sort) };
}

export function groupQueryOf(search: GroupsSearch): GroupQuery {
  return { ...search, sort: search.sort ?? 'name' };
}
