import { queryOptions } from '@tanstack/react-query';
import { api, call } from '../client';
import { keys } from '../keys';
import type { RuleQuery } from '../types';
import { PAGE_SIZE, pagedQuery } from './paging';

/** The catalogue changes only when another version of OpenWatch is installed. */
const CATALOGUE_STALE_MS = 5 * 60_000;

export const ruleListQuery = (query: RuleQuery) => ({
  ...pagedQuery(keys.rules.list(query), (cursor, signal) =>
    call(api.GET('/api/v1/rules', { params: { query: { ...query, cursor, limit: PAGE_SIZE } }, signal })),
  ),
  staleTime: CATALOGUE_STALE_MS,
});

export const ruleQuery = (id: string) =>
  queryOptions({
    queryKey: keys.rules.one(id),
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/rules/{rule_id}', { params: { path: { rule_id: id } }, signal })),
    staleTime: CATALOGUE_STALE_MS,
  });

export const frameworksQuery = queryOptions({
  queryKey: keys.frameworks,
  queryFn: async ({ signal }) => (await call(api.GET('/api/v1/frameworks', { signal }))).items,
  staleTime: CATALOGUE_STALE_MS,
});
