import { ActionIcon, Button, Tooltip } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { groupChoicesQuery, groupQuery, useChangeMembers, useDeleteGroup } from '@/api/queries/groups';
import { hostFacetsQuery, hostListQuery } from '@/api/queries/hosts';
import { allItems, totalOf } from '@/api/queries/paging';
import type { Group, Host } from '@/api/types';
import { useCan } from '@/app/session';
import { NoMatch } from '@/components/ActiveFilters';
import { ButtonLink } from '@/components/ButtonLink';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { DataTable } from '@/components/DataTable';
import { Icon } from '@/components/Icon';
import { Card, Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { SeverityCounts } from '@/components/Score';
import { EmptyState, ErrorBanner, ErrorState } from '@/components/States';
import { plural } from '@/format/number';
import { MeanScore } from '../groups/MeanScore';
import { hostColumns } from '../hosts/columns';
import { activeHostFilters, HostFilters } from '../hosts/HostFilters';
import { ScanAll } from '../hosts/ScanAll';
import { filtersOf, hostQueryOf, type HostsSearch } from '../hosts/search';
import { AddHosts } from './AddHosts';

const route = getRouteApi('/app/groups/$groupId');
const GROUPS = { to: '/groups', label: 'Groups' } as const;

export function GroupPage() {
  const { groupId } = route.useParams();
  const group = useQuery(groupQuery(groupId));
  if (group.isPending) return <PageSkeleton />;
  if (!group.data) {
    return (
      <Page title="Group" crumb={GROUPS}>
        <ErrorState what="The group could not be read" error={group.error} onRetry={() => void group.refetch()} />
      </Page>
    );
  }
  return <GroupView key={groupId} group={group.data} />;
}

function GroupView({ group }: { group: Group }) {
  const canWrite = useCan('group:write');
  const [adding, setAdding] = useState(false);
  const mayAdd = canWrite && group.membership === 'manual';
  return (
    <Page
      title={group.name}
      total={group.hosts.total}
      crumb={GROUPS}
      sub={<GroupLine group={group} />}
      actions={
        <>
          <ScanAll filters={filtersOf({ group: [group.id] })} total={group.hosts.total} />
          {mayAdd && (
            <Button leftSection={<Icon name="plus" size={14} />} onClick={() => setAdding(true)}>
              Add hosts
            </Button>
          )}
          {canWrite && <GroupActions group={group} />}
        </>
      }
    >
      <GroupHosts group={group} onAdd={mayAdd ? () => setAdding(true) : undefined} />
      {mayAdd && <AddHosts group={group} opened={adding} onClose={() => setAdding(false)} />}
    </Page>
  );
}

function GroupLine({ group }: { group: Group }) {
  return (
    <>
      {group.description && <span>{group.description}</span>}
      {group.inside.length > 0 && (
        <span>
          in{' '}
          {group.inside.map((outer, position) => (
            <span key={outer.id}>
              {position > 0 && ' › '}
              <Link to="/groups/$groupId" params={{ groupId: outer.id }}>
                {outer.name}
              </Link>
            </span>
          ))}
        </span>
      )}
      <InnerGroups group={group} />
      {group.rule ? <code>{group.rule}</code> : <span>hosts chosen by hand</span>}
      <span>
        mean score <MeanScore hosts={group.hosts} />
      </span>
      {group.hosts.measured > 0 && <SeverityCounts failing={group.hosts.failing} />}
    </>
  );
}

function InnerGroups({ group }: { group: Group }) {
  const groups = useQuery(groupChoicesQuery);
  const inner = (groups.data ?? []).filter(({ parent_id }) => parent_id === group.id);
  if (inner.length === 0) return null;
  return (
    <span>
      with{' '}
      {inner.map(({ id, name }, position) => (
        <span key={id}>
          {position > 0 && ', '}
          <Link to="/groups/$groupId" params={{ groupId: id }}>
            {name}
          </Link>
        </span>
      ))}
    </span>
  );
}

function GroupActions({ group }: { group: Group }) {
  const [deleting, setDeleting] = useState(false);
  const remove = useDeleteGroup();
  const navigate = useNavigate();
  return (
    <>
      <ButtonLink
        variant="default"
        to="/groups/$groupId/edit"
        params={{ groupId: group.id }}
        leftSection={<Icon name="edit" size={14} />}
      >
        Edit
      </ButtonLink>
      <Tooltip label="Delete group">
        <ActionIcon variant="default" size={30} aria-label="Delete group" onClick={() => setDeleting(true)}>
          <Icon name="trash" />
        </ActionIcon>
      </Tooltip>
      <ConfirmDialog
        opened={deleting}
        title={`Delete ${group.name}?`}
        action="Delete group"
        pending={remove.isPending}
        error={remove.error}
        onConfirm={() => remove.mutate(group.id, { onSuccess: () => void navigate({ to: '/groups', search: {} }) })}
        onClose={() => setDeleting(false)}
      >
        <p>Its {plural(group.hosts.total, 'host')} stay as they are; only the group goes.</p>
      </ConfirmDialog>
    </>
  );
}

function GroupHosts({ group, onAdd }: { group: Group; onAdd?: () => void }) {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/groups/$groupId' });
  const query = { ...hostQueryOf(search), group: [group.id] };
  const hosts = useInfiniteQuery(hostListQuery(query));
  const facets = useQuery(hostFacetsQuery(query));
  const columns = useHostColumns(group);
  const rows = allItems(hosts.data);
  const change = (patch: Partial<HostsSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true });
  const filters = activeHostFilters(search, change);
  const empty = hosts.isSuccess && rows.length === 0;
  if (empty && filters.length === 0) return <NoHosts group={group} onAdd={onAdd} />;
  return (
    <>
      <HostFilters search={search} facets={facets.data} onChange={change} />
      {hosts.isError && rows.length > 0 && <ErrorBanner error={hosts.error} />}
      <Card flush>
        {hosts.isError && rows.length === 0 ? (
          <ErrorState what="The hosts could not be read" error={hosts.error} onRetry={() => void hosts.refetch()} />
        ) : empty ? (
          <NoMatch
            noun="host"
            filters={filters}
            onClearAll={() => void navigate({ search: { sort: search.sort }, replace: true })}
          />
        ) : (
          <DataTable
            label="Hosts of the group"
            columns={columns}
            rows={rows}
            rowId={(host) => host.id}
            total={totalOf(hosts.data)}
            loading={hosts.isPending}
            stale={hosts.isPlaceholderData}
            sort={query.sort ?? undefined}
            onSort={(sort) => change({ sort })}
            hasMore={hosts.hasNextPage}
            loadingMore={hosts.isFetchingNextPage}
            onMore={() => void hosts.fetchNextPage()}
          />
        )}
      </Card>
    </>
  );
}

function NoHosts({ group, onAdd }: { group: Group; onAdd?: () => void }) {
  if (group.membership === 'rule') {
    return (
      <EmptyState icon="group" title="The rule finds no host">
        <p>Hosts come in by themselves as soon as they fulfil it. Some values are known only after the first scan.</p>
      </EmptyState>
    );
  }
  return (
    <EmptyState
      icon="group"
      title="No host in this group"
      actions={
        onAdd && (
          <Button leftSection={<Icon name="plus" size={14} />} onClick={onAdd}>
            Add hosts
          </Button>
        )
      }
    >
      <p>Choose hosts by hand, or edit the group and give it a rule that finds them.</p>
    </EmptyState>
  );
}

function tell(host: Host, removed: number): void {
  if (removed > 0) return;
  notifications.show({ message: `${host.name} is here because a group inside this one holds it. Take it out there.` });
}

/** The columns of the list of hosts, and the way out of a group by hand. */
function useHostColumns(group: Group): ColumnDef<Host>[] {
  const canWrite = useCan('group:write');
  const { mutate } = useChangeMembers(group.id);
  const removable = canWrite && group.membership === 'manual';
  return useMemo(() => {
    if (!removable) return hostColumns;
    const takeOut: ColumnDef<Host> = {
      id: 'take-out',
      header: '',
      cell: ({ row: { original: host } }) => (
        <Tooltip label="Take out of the group">
          <ActionIcon
            size="sm"
            aria-label={`Take ${host.name} out of the group`}
            onClick={() => mutate({ add: [], remove: [host.id] }, { onSuccess: ({ removed }) => tell(host, removed) })}
          >
            <Icon name="close" size={14} />
          </ActionIcon>
        </Tooltip>
      ),
      meta: { width: '48px', narrow: 'full' },
    };
    return [...hostColumns, takeOut];
  }, [removable, mutate]);
}
