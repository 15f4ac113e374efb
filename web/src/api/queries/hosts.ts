import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, call, idempotencyKey, ifMatch } from '../client';
import { keys } from '../keys';
import type { ConnectionTestRequest, Host, HostCreate, HostQuery, HostUpdate, OutcomeQuery } from '../types';
import { PAGE_SIZE, pagedQuery, patchRow, removeRow, type Page, type Pages } from './paging';

type HostPages = Pages<Page<Host>>;

const HISTORY_LENGTH = 60;
const SUGGESTION_COUNT = 8;

export const hostListQuery = (query: HostQuery) =>
  pagedQuery(keys.hosts.list(query), (cursor, signal) =>
    call(api.GET('/api/v1/hosts', { params: { query: { ...query, cursor, limit: PAGE_SIZE } }, signal })),
  );

export const hostFacetsQuery = ({ sort: _sort, ...query }: HostQuery) =>
  queryOptions({
    queryKey: keys.hosts.facets(query),
    queryFn: ({ signal }) => call(api.GET('/api/v1/hosts/facets', { params: { query }, signal })),
    placeholderData: (previous) => previous,
  });

export const readHost = (id: string, signal?: AbortSignal) =>
  call(api.GET('/api/v1/hosts/{host_id}', { params: { path: { host_id: id } }, signal }));

export const hostQuery = (id: string) =>
  queryOptions({
    queryKey: keys.hosts.one(id),
    queryFn: ({ signal }) => readHost(id, signal),
  });

/** Hosts for the command palette and other short choices. */
export const hostSuggestionsQuery = (search: string) =>
  queryOptions({
    queryKey: keys.hosts.suggestions(search),
    queryFn: async ({ signal }) => {
      const query = { limit: SUGGESTION_COUNT, sort: 'name', search: search || undefined };
      return (await call(api.GET('/api/v1/hosts', { params: { query }, signal }))).items;
    },
    placeholderData: (previous) => previous,
    staleTime: 10_000,
  });

export const hostOutcomesQuery = (id: string, query: OutcomeQuery) =>
  pagedQuery(keys.hosts.outcomes(id, query), (cursor, signal) =>
    call(
      api.GET('/api/v1/hosts/{host_id}/outcomes', {
        params: { path: { host_id: id }, query: { ...query, cursor, limit: PAGE_SIZE } },
        signal,
      }),
    ),
  );

export const hostHistoryQuery = (id: string) =>
  queryOptions({
    queryKey: keys.hosts.history(id),
    queryFn: async ({ signal }) => {
      const params = { path: { host_id: id }, query: { limit: HISTORY_LENGTH } };
      return (await call(api.GET('/api/v1/hosts/{host_id}/history', { params, signal }))).items;
    },
  });

export const hostKeysQuery = (id: string) =>
  queryOptions({
    queryKey: keys.hosts.keys(id),
    queryFn: async ({ signal }) => {
      const params = { path: { host_id: id } };
      return (await call(api.GET('/api/v1/hosts/{host_id}/host-keys', { params, signal }))).items;
    },
  });

/** Puts the newest answer about one host everywhere it is shown. */
export function useAdoptHost() {
  const client = useQueryClient();
  return (host: Host) => {
    client.setQueryData(keys.hosts.one(host.id), host);
    client.setQueriesData<HostPages>({ queryKey: keys.hosts.lists }, (pages) => patchRow(pages, host));
  };
}

export function useCreateHost() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (body: HostCreate) => call(api.POST('/api/v1/hosts', { body })),
    onSuccess: (host) => {
      client.setQueryData(keys.hosts.one(host.id), host);
      void client.invalidateQueries({ queryKey: keys.hosts.lists });
      void client.invalidateQueries({ queryKey: keys.hosts.allFacets });
    },
  });
}

export function useUpdateHost(id: string) {
  const client = useQueryClient();
  const adopt = useAdoptHost();
  return useMutation({
    mutationFn: ({ version, changes }: { version: number; changes: HostUpdate }) =>
      call(
        api.PATCH('/api/v1/hosts/{host_id}', {
          params: { path: { host_id: id }, header: ifMatch(version) },
          body: changes,
        }),
      ),
    onSuccess: (host) => {
      adopt(host);
      void client.invalidateQueries({ queryKey: keys.hosts.allFacets });
    },
  });
}

/** How many hosts were deleted, and can be brought back. */
export const deletedHostsCountQuery = queryOptions({
  queryKey: keys.hosts.deletedCount,
  queryFn: async ({ signal }) => {
    const query = { deleted: true, limit: 1 };
    return (await call(api.GET('/api/v1/hosts', { params: { query }, signal }))).total ?? 0;
  },
});

export function useRestoreHost() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      call(api.POST('/api/v1/hosts/{host_id}/restore', { params: { path: { host_id: id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.hosts.all }),
  });
}

export function useDeleteHost() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (id: string) =>
      call(api.DELETE('/api/v1/hosts/{host_id}', { params: { path: { host_id: id } } })),
    onSuccess: (_nothing, id) => {
      client.setQueriesData<HostPages>({ queryKey: keys.hosts.lists }, (pages) => removeRow(pages, id));
      void client.invalidateQueries({ queryKey: keys.hosts.lists });
      void client.invalidateQueries({ queryKey: keys.hosts.allFacets });
    },
  });
}

export function useForgetHostKey(id: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (fingerprint: string) =>
      call(
        api.DELETE('/api/v1/hosts/{host_id}/host-keys/{fingerprint}', {
          params: { path: { host_id: id, fingerprint } },
        }),
      ),
    onSuccess: () => client.invalidateQueries({ queryKey: keys.hosts.keys(id) }),
  });
}

export function useTestConnection() {
  return useMutation({
    mutationFn: (body: ConnectionTestRequest) => call(api.POST('/api/v1/connection-tests', { body })),
  });
}

export function useTestHostConnection(id: string) {
  const client = useQueryClient();
  return useMutation({
    onSettled: () => client.invalidateQueries({ queryKey: keys.hosts.keys(id) }),
    mutationFn: (trustHostKey: string | null) =>
      call(
        api.POST('/api/v1/hosts/{host_id}/connection-test', {
          params: { path: { host_id: id } },
          body: { trust_host_key: trustHostKey },
        }),
      ),
  });
}

export function useStartScan() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (hostId: string) =>
      call(
        api.POST('/api/v1/hosts/{host_id}/scans', {
          params: { path: { host_id: hostId }, header: { 'idempotency-key': idempotencyKey() } },
        }),
      ),
    onSuccess: (scan) => {
      client.setQueryData(keys.scans.one(scan.id), scan);
      // A scan may be over before this answer is here.
      void client.invalidateQueries({ queryKey: keys.scans.one(scan.id), exact: true });
      void client.invalidateQueries({ queryKey: keys.scans.lists });
      void client.invalidateQueries({ queryKey: keys.hosts.one(scan.host_id) });
    },
  });
}
