import { queryOptions, useMutation } from '@tanstack/react-query';
import { api, call, idempotencyKey } from '../client';
import { keys } from '../keys';
import type { ImportOptions, ImportSource } from '../types';

/** While an import runs and the stream is away, it is asked for its state so often. */
const RUNNING_REFRESH_MS = 2000;
const REFUSED_SHOWN = 50;

const OCTETS = { 'Content-Type': 'application/octet-stream' };

/** The file travels as it is; the client would make JSON of it. */
const asItIs = { bodySerializer: (body: unknown) => body as BodyInit, headers: OCTETS };

export function useAnalyzeFile() {
  return useMutation({
    mutationFn: ({ file, source, key }: { file: Blob; source: ImportSource; key: ImportOptions['key'] }) =>
      call(
        api.POST('/api/v1/bulk/hosts/analyze-csv', {
          params: { query: { ...source, key } },
          body: file as unknown as string,
          ...asItIs,
        }),
      ),
  });
}

export function useImportFile() {
  return useMutation({
    mutationFn: ({ file, source, options }: { file: Blob; source: ImportSource; options: ImportOptions }) =>
      call(
        api.POST('/api/v1/bulk/hosts/import', {
          params: { query: { ...source, ...options }, header: { 'idempotency-key': idempotencyKey() } },
          body: file as unknown as string,
          ...asItIs,
        }),
      ),
  });
}

export const importQuery = (id: string) =>
  queryOptions({
    queryKey: keys.imports.one(id),
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/bulk/hosts/imports/{import_id}', { params: { path: { import_id: id } }, signal })),
    refetchInterval: ({ state: { data } }) =>
      data && (data.state === 'queued' || data.state === 'running') ? RUNNING_REFRESH_MS : false,
  });

/** The first refused rows; all of them are in the file. */
export const refusedRowsQuery = (id: string) =>
  queryOptions({
    queryKey: keys.imports.refused(id),
    queryFn: async ({ signal }) => {
      const query = { outcome: ['refused' as const], limit: REFUSED_SHOWN };
      const path = { import_id: id };
      return (await call(api.GET('/api/v1/bulk/hosts/imports/{import_id}/rows', { params: { path, query }, signal }))).items;
    },
  });

export const refusedFileOf = (id: string) => `/api/v1/bulk/hosts/imports/${id}/refused.csv`;
