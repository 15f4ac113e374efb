import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { groupChoicesQuery } from '@/api/queries/groups';
import { hostFacetsQuery, hostListQuery } from '@/api/queries/hosts';
import { allItems, totalOf } from '@/api/queries/paging';
import { useCan } from '@/app/session';
import { useShortcut } from '@/app/shortcuts/useShortcut';
import { NoMatch } from '@/components/ActiveFilters';
import { DataTable } from '@/components/DataTable';
import { ButtonLink } from '@/components/ButtonLink';
import { Icon } from '@/components/Icon';
import { Card, Page } from '@/components/Page';
import { ErrorBanner, ErrorState } from '@/components/States';
import { hostColumns } from './columns';
import { deletedColumns } from './deletedColumns';
import { FirstHost } from './FirstHost';
import { activeHostFilters, HostFilters } from './HostFilters';
import { ScanAll } from './ScanAll';
import { filtersOf, hostQueryOf, type HostsSearch } from './search';

const route = getRouteApi('/app/hosts');

export function HostsPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/hosts' });
  const query = hostQueryOf(search);
  const hosts = useInfiniteQuery(hostListQuery(query));
  const facets = useQuery(hostFacetsQuery(query));
  const canReadGroups = useCan('group:read');
  const groups = useQuery({ ...groupChoicesQuery, enabled: canReadGroups }).data ?? [];
  const canWrite = useCan('host:write');
  const rows = allItems(hosts.data);

  const change = (patch: Partial<HostsSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true });
  const filters = activeHostFilters(search, change, groups);
  const clearAll = () => void navigate({ search: { sort: search.sort }, replace: true });

  useShortcut('n', () => void navigate({ to: '/hosts/new' }), {
    label: 'Add host',
    group: 'This page',
    enabled: canWrite,
  });

  const empty = hosts.isSuccess && rows.length === 0;
  const first = empty && filters.length === 0;
  return (
    <Page title="Hosts" total={totalOf(hosts.data)} actions={
        !first && (
          <>
            {!search.deleted && <ScanAll filters={filtersOf(search)} total={totalOf(hosts.data) ?? 0} />}
            {canWrite && <ImportButton />}
            {canWrite && <AddHostButton />}
          </>
        )
      }>
      {first ? (
        <FirstHost canAdd={canWrite} />
      ) : (
        <>
          <HostFilters search={search} facets={facets.data} groups={groups} onChange={change} onDeleted={(deleted) => change({ deleted })} />
          {hosts.isError && rows.length > 0 && <ErrorBanner error={hosts.error} />}
          <Card flush>
            {hosts.isError && rows.length === 0 ? (
              <ErrorState
                what="The hosts could not be read"
                error={hosts.error}
                onRetry={() => void hosts.refetch()}
              />
            ) : empty ? (
              <NoMatch noun="host" filters={filters} onClearAll={clearAll} />
            ) : (
              <DataTable
                label="Hosts"
                columns={search.deleted ? deletedColumns : hostColumns}
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
      )}
    </Page>
  );
}

function ImportButton() {
  return (
    <ButtonLink to="/hosts/import" variant="default" leftSection={<Icon name="upload" size={14} />}>
      Import
    </ButtonLink>
  );
}

function AddHostButton() {
  return (
    <ButtonLink to="/hosts/new" leftSection={<Icon name="plus" size={14} />}>
      Add host
    </ButtonLink>
  );
}
