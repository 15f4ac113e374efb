import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, call, ifMatch } from '../client';
import { keys } from '../keys';
import type { GroupCreate, GroupQuery, GroupUpdate, MembersChange } from '../types';
import { PAGE_SIZE, pagedQuery } from './paging';

/** The most that a select shows; the API's largest page. */
const CHOICE_LIMIT = 200;

export const groupListQuery = (query: GroupQuery) =>
  pagedQuery(keys.groups.list(query), (cursor, signal) =>
    call(api.GET('/api/v1/groups', { params: { query: { ...query, cursor, limit: PAGE_SIZE } }, signal })),
  );

export const groupChoicesQuery = queryOptions({
  queryKey: keys.groups.choices,
  queryFn: async ({ signal }) => {
    const query = { limit: CHOICE_LIMIT, sort: 'name' };
    return (await call(api.GET('/api/v1/groups', { params: { query }, signal }))).items;
  },
});

export const groupQuery = (id: string) =>
  queryOptions({
    queryKey: keys.groups.one(id),
    queryFn: ({ signal }) => call(api.GET('/api/v1/groups/{group_id}', { params: { path: { group_id: id } }, signal })),
  });

export const groupsOfHostQuery = (hostId: string) =>
  queryOptions({
    queryKey: keys.groups.ofHost(hostId),
    queryFn: async ({ signal }) =>
      (await call(api.GET('/api/v1/hosts/{host_id}/groups', { params: { path: { host_id: hostId } }, signal }))).items,
  });

/** What a rule that is being typed finds; a rule that is not understood is an answer too, so it is asked once. */
export const rulePreviewQuery = (rule: string) =>
  queryOptions({
    queryKey: keys.groups.preview(rule),
    queryFn: ({ signal }) => call(api.POST('/api/v1/groups/preview', { body: { rule }, signal })),
    retry: false,
  });

export const ruleFieldsQuery = queryOptions({
  queryKey: keys.ruleFields,
  queryFn: async ({ signal }) => (await call(api.GET('/api/v1/groups/rule-fields', { signal }))).items,
  staleTime: Infinity,
});

function useRefreshGroups() {
  const client = useQueryClient();
  return () =>
    Promise.all([
      client.invalidateQueries({ queryKey: keys.groups.all }),
      client.invalidateQueries({ queryKey: keys.hosts.lists }),
    ]);
}

export function useCreateGroup() {
  return useMutation({
    mutationFn: (body: GroupCreate) => call(api.POST('/api/v1/groups', { body })),
    onSuccess: useRefreshGroups(),
  });
}

export function useUpdateGroup(id: string) {
  return useMutation({
    mutationFn: ({ version, changes }: { version: number; changes: GroupUpdate }) =>
      call(
        api.PATCH('/api/v1/groups/{group_id}', {
          params: { path: { group_id: id }, header: ifMatch(version) },
          body: changes,
        }),
      ),
    onSuccess: useRefreshGroups(),
  });
}

export function useDeleteGroup() {
  return useMutation({
    mutationFn: (id: string) => call(api.DELETE('/api/v1/groups/{group_id}', { params: { path: { group_id: id } } })),
    onSuccess: useRefreshGroups(),
  });
}

export function useChangeMembers(id: string) {
  return useMutation({
    mutationFn: (body: MembersChange) =>
      call(api.POST('/api/v1/groups/{group_id}/members', { params: { path: { group_id: id } }, body })),
    onSuccess: useRefreshGroups(),
  });
}
