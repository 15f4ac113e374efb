import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { allItems, totalOf } from '@/api/queries/paging';
import { scanListQuery } from '@/api/queries/scans';
import { SCAN_STATES } from '@/api/types';
import { NoMatch, type ActiveFilter } from '@/components/ActiveFilters';
import { DataTable } from '@/components/DataTable';
import { FacetFilter } from '@/components/FacetFilter';
import filterClasses from '@/components/FilterBar.module.css';
import { Card, Page } from '@/components/Page';
import { ScanStatePill } from '@/components/Pill';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorState } from '@/components/States';
import { ButtonLink } from '@/components/ButtonLink';
import { SCAN_STATE_LOOK } from '@/components/verdict';
import { scanColumns } from './columns';
import { DEFAULT_SCAN_SORT, scanQueryOf, type ScansSearch } from './search';

const route = getRouteApi('/app/scans');

export function ScansPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/scans' });
  const scans = useInfiniteQuery(scanListQuery(scanQueryOf(search)));
  const rows = allItems(scans.data);
  const change = (patch: Partial<ScansSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true });
  const filters = activeFilters(search, change);

  return (
    <Page title="Scans" total={totalOf(scans.data)}>
      {scans.isSuccess && rows.length === 0 && filters.length === 0 ? (
        <EmptyState
          icon="scan"
          title="No scan has run yet"
          actions={<ButtonLink to="/hosts">Go to hosts</ButtonLink>}
        >
          <p>Open a host and press Scan. Every scan is kept here with its evidence.</p>
        </EmptyState>
      ) : (
        <>
          <div className={filterClasses.bar} role="search" aria-label="Scans">
            <SearchInput
              label="Search scans"
              placeholder="Host"
              value={search.search ?? ''}
              onChange={(text) => change({ search: text || undefined })}
            />
            <FacetFilter
              label="State"
              options={SCAN_STATES.map((state) => ({
                value: state,
                label: SCAN_STATE_LOOK[state].label,
                icon: <ScanStatePill state={state} />,
              }))}
              value={search.state ?? []}
              onChange={(value) => change({ state: SCAN_STATES.filter((state) => value.includes(state)) })}
            />
          </div>
          <Card flush>
            {scans.isError && rows.length === 0 ? (
              <ErrorState what="The scans could not be read" error={scans.error} onRetry={() => void scans.refetch()} />
            ) : scans.isSuccess && rows.length === 0 ? (
              <NoMatch noun="scan" filters={filters} onClearAll={() => change({ search: undefined, state: undefined })} />
            ) : (
              <DataTable
                label="Scans"
                columns={scanColumns('host')}
                rows={rows}
                rowId={(scan) => scan.id}
                total={totalOf(scans.data)}
                loading={scans.isPending}
                stale={scans.isPlaceholderData}
                sort={search.sort ?? DEFAULT_SCAN_SORT}
                onSort={(sort) => change({ sort })}
                hasMore={scans.hasNextPage}
                loadingMore={scans.isFetchingNextPage}
                onMore={() => void scans.fetchNextPage()}
              />
            )}
          </Card>
        </>
      )}
    </Page>
  );
}

function activeFilters(search: ScansSearch, change: (patch: Partial<ScansSearch>) => void): ActiveFilter[] {
  const filters: ActiveFilter[] = [];
  if (search.search) {
    filters.push({ text: `Search is “${search.search}”`, clear: () => change({ search: undefined }) });
  }
  if (search.state) {
    const names = search.state.map((state) => SCAN_STATE_LOOK[state].label.toLowerCase());
    filters.push({ text: `State is ${names.join(' or ')}`, clear: () => change({ state: undefined }) });
  }
  return filters;
}
