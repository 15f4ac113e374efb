import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { groupListQuery } from '@/api/queries/groups';
import { allItems, totalOf } from '@/api/queries/paging';
import { useCan } from '@/app/session';
import { useShortcut } from '@/app/shortcuts/useShortcut';
import { NoMatch } from '@/components/ActiveFilters';
import { ButtonLink } from '@/components/ButtonLink';
import { DataTable } from '@/components/DataTable';
import filterClasses from '@/components/FilterBar.module.css';
import { Icon } from '@/components/Icon';
import { Card, Page } from '@/components/Page';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorBanner, ErrorState } from '@/components/States';
import { groupColumns } from './columns';
import { groupQueryOf, type GroupsSearch } from './search';

const route = getRouteApi('/app/groups');

export function GroupsPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/groups' });
  const query = groupQueryOf(search);
  const groups = useInfiniteQuery(groupListQuery(query));
  const canWrite = useCan('group:write');
  const rows = allItems(groups.data);
  const change = (patch: Partial<GroupsSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true });
  const clear = () => change({ search: undefined });
  useShortcut('n', () => void navigate({ to: '/groups/new' }), {
    label: 'Add group',
    group: 'This page',
    enabled: canWrite,
  });
  const add = canWrite && (
    <ButtonLink to="/groups/new" leftSection={<Icon name="plus" size={14} />}>
      Add group
    </ButtonLink>
  );
  const empty = groups.isSuccess && rows.length === 0;
  if (empty && !search.search) {
    return (
      <Page title="Groups">
        <EmptyState icon="group" title="No group yet" actions={add}>
          <p>
            A group is a site, a team’s servers or all that run one system: hosts that you choose by hand, or a rule that
            finds them now and later. Groups can stand in each other.
          </p>
        </EmptyState>
      </Page>
    );
  }
  return (
    <Page title="Groups" total={totalOf(groups.data)} actions={add}>
      <div className={filterClasses.bar} role="search" aria-label="Groups">
        <SearchInput
          label="Search groups"
          placeholder="Name, description or rule"
          value={search.search ?? ''}
          onChange={(text) => change({ search: text || undefined })}
        />
      </div>
      {groups.isError && rows.length > 0 && <ErrorBanner error={groups.error} />}
      <Card flush>
        {groups.isError && rows.length === 0 ? (
          <ErrorState
            what="The groups could not be read"
            error={groups.error}
            onRetry={() => void groups.refetch()}
          />
        ) : empty ? (
          <NoMatch noun="group" filters={[{ text: `Search is “${search.search ?? ''}”`, clear }]} onClearAll={clear} />
        ) : (
          <DataTable
            label="Groups"
            columns={groupColumns}
            rows={rows}
            rowId={(group) => group.id}
            total={totalOf(groups.data)}
            loading={groups.isPending}
            stale={groups.isPlaceholderData}
            sort={query.sort ?? undefined}
            onSort={(sort) => change({ sort })}
            hasMore={groups.hasNextPage}
            loadingMore={groups.isFetchingNextPage}
            onMore={() => void groups.fetchNextPage()}
          />
        )}
      </Card>
    </Page>
  );
}
