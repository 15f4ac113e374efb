import { many, manyOf, one } from '@/app/search';
import { HOST_STATES, type HostFilters, type HostQuery, type HostState } from '@/api/types';

export interface HostsSearch {
  search?: string;
  state?: HostState[];
  os?: string[];
  environment?: string[];
  tag?: string[];
  group?: string[];
  deleted?: 'true';
  sort?: string;
}

export function hostsSearch(raw: Record<string, unknown>): HostsSearch {
  return {
    search: one(raw.search),
    state: manyOf(raw.state, HOST_STATES),
    os: many(raw.os),
    environment: many(raw.environment),
    tag: many(raw.tag),
    group: many(raw.group),
    deleted: one(raw.deleted) === 'true' ? 'true' : undefined,
    sort: one(raw.sort),
  };
}

/** The filters alone, as a request about all hosts that they let through names them. */
export function filtersOf(search: HostsSearch): HostFilters {
  const { state = [], os = [], environment = [], tag = [], group = [] } = search;
  return { search: search.search, state, os, environment, tag, group, deleted: false };
}

export const DEFAULT_HOST_SORT = 'name';

export function hostQueryOf(search: HostsSearch): HostQuery {
  const { deleted, ...filters } = search;
  return { ...filters, deleted: deleted && true, sort: search.sort ?? DEFAULT_HOST_SORT };
}
