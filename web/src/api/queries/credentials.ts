import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, call, ifMatch } from '../client';
import { keys } from '../keys';
import type { CredentialCreate, CredentialQuery, CredentialUpdate } from '../types';
import { PAGE_SIZE, pagedQuery } from './paging';

/** The most that a select shows; the API's largest page. */
const CHOICE_LIMIT = 200;

export const credentialListQuery = (query: CredentialQuery) =>
  pagedQuery(keys.credentials.list(query), (cursor, signal) =>
    call(api.GET('/api/v1/credentials', { params: { query: { ...query, cursor, limit: PAGE_SIZE } }, signal })),
  );

export const credentialChoicesQuery = queryOptions({
  queryKey: keys.credentials.choices,
  queryFn: async ({ signal }) => {
    const query = { limit: CHOICE_LIMIT, sort: 'name' };
    return (await call(api.GET('/api/v1/credentials', { params: { query }, signal }))).items;
  },
});

export const credentialQuery = (id: string) =>
  queryOptions({
    queryKey: keys.credentials.one(id),
    queryFn: ({ signal }) =>
      call(api.GET('/api/v1/credentials/{credential_id}', { params: { path: { credential_id: id } }, signal })),
  });

function useRefreshCredentials() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: keys.credentials.all });
}

export function useCreateCredential() {
  return useMutation({
    mutationFn: (body: CredentialCreate) => call(api.POST('/api/v1/credentials', { body })),
    onSuccess: useRefreshCredentials(),
  });
}

export function useUpdateCredential(id: string) {
  return useMutation({
    mutationFn: ({ version, changes }: { version: number; changes: CredentialUpdate }) =>
      call(
        api.PATCH('/api/v1/credentials/{credential_id}', {
          params: { path: { credential_id: id }, header: ifMatch(version) },
          body: changes,
        }),
      ),
    onSuccess: useRefreshCredentials(),
  });
}

export function useDeleteCredential() {
  return useMutation({
    mutationFn: (id: string) =>
      call(api.DELETE('/api/v1/credentials/{credential_id}', { params: { path: { credential_id: id } } })),
    onSuccess: useRefreshCredentials(),
  });
}
