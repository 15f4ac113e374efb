import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, call, idempotencyKey } from '../client';
import { keys } from '../keys';
import type { HostFilters, OutcomeQuery, Scan, ScanQuery } from '../types';
import { PAGE_SIZE, pagedQuery, patchRow, type Page, type Pages } from './paging';

export const scanListQuery = (query: ScanQuery) =>
  pagedQuery(keys.scans.list(query), (cursor, signal) =>
    call(api.GET('/api/v1/scans', { params: { query: { ...query, cursor, limit: PAGE_SIZE } }, signal })),
  );

export const readScan = (id: string, signal?: AbortSignal) =>
  call(api.GET('/api/v1/scans/{scan_id}', { params: { path: { scan_id: id } }, signal }));

export const scanQuery = (id: string) =>
  queryOptions({
    queryKey: keys.scans.one(id),
    queryFn: ({ signal }) => readScan(id, signal),
  });

export const scanOutcomesQuery = (id: string, query: OutcomeQuery) =>
  pagedQuery(keys.scans.outcomes(id, query), (cursor, signal) =>
    call(
      api.GET('/api/v1/scans/{scan_id}/outcomes', {
        params: { path: { scan_id: id }, query: { ...query, cursor, limit: PAGE_SIZE } },
        signal,
      }),
    ),
  );

export const scanOutcomeQuery = (id: string, ruleId: string) =>
  queryOptions({
    queryKey: keys.scans.outcome(id, ruleId),
    queryFn: ({ signal }) =>
      call(
        api.GET('/api/v1/scans/{scan_id}/outcomes/{rule_id}', {
          params: { path: { scan_id: id, rule_id: ruleId } },
          signal,
        }),
      ),
    // The outcome of a finished scan never changes.
    staleTime: Infinity,
  });

export function isActive(scan: Pick<Scan, 'state'>): boolean {
  return scan.state === 'queued' || scan.state === 'running';
}

function useAdoptScan() {
  const client = useQueryClient();
  return (scan: Scan) => {
    client.setQueryData(keys.scans.one(scan.id), scan);
    client.setQueriesData<Pages<Page<Scan>>>({ queryKey: keys.scans.lists }, (pages) => patchRow(pages, scan));
    // The scan goes on while this answer is under way: what the events brought meanwhile may be newer.
    void client.invalidateQueries({ queryKey: keys.scans.one(scan.id), exact: true });
    void client.invalidateQueries({ queryKey: keys.scans.lists });
    void client.invalidateQueries({ queryKey: keys.hosts.one(scan.host_id) });
  };
}

export function useCancelScan() {
  return useMutation({
    mutationFn: (id: string) =>
      call(api.POST('/api/v1/scans/{scan_id}/cancel', { params: { path: { scan_id: id } } })),
    onSuccess: useAdoptScan(),
  });
}

/** Scans every host that the filters let through. */
export function useScanAll() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (filters: HostFilters) =>
      call(
        api.POST('/api/v1/scans', { params: { header: { 'idempotency-key': idempotencyKey() } }, body: { filters } }),
      ),
    onSuccess: () =>
      Promise.all([
        client.invalidateQueries({ queryKey: keys.hosts.lists }),
        client.invalidateQueries({ queryKey: keys.scans.lists }),
      ]),
  });
}

export function useRetryScan() {
  return useMutation({
    mutationFn: (id: string) =>
      call(
        api.POST('/api/v1/scans/{scan_id}/retry', {
          params: { path: { scan_id: id }, header: { 'idempotency-key': idempotencyKey() } },
        }),
      ),
    onSuccess: useAdoptScan(),
  });
}

/** Where the browser downloads what proves a scan, or one piece of it. */
export const bundleAddress = (scanId: string) => `/api/v1/scans/${scanId}/bundle`;
export const evidenceAddress = (hash: string) => `/api/v1/evidence/${hash}`;
export const evidenceDownload = (hash: string) => `/api/v1/evidence/${hash}?download=1`;
