import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import { credentialListQuery } from '@/api/queries/credentials';
import { allItems, totalOf } from '@/api/queries/paging';
import type { Credential } from '@/api/types';
import { useCan } from '@/app/session';
import { useShortcut } from '@/app/shortcuts/useShortcut';
import { NoMatch } from '@/components/ActiveFilters';
import { ButtonLink } from '@/components/ButtonLink';
import { DataTable } from '@/components/DataTable';
import filterClasses from '@/components/FilterBar.module.css';
import { Icon } from '@/components/Icon';
import { Card, Page } from '@/components/Page';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorState } from '@/components/States';
import { TimeAgo } from '@/components/TimeAgo';
import { plural } from '@/format/number';
import classes from './Credentials.module.css';
import { credentialQueryOf, type CredentialsSearch } from './search';

const route = getRouteApi('/app/credentials');

export function CredentialsPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/credentials' });
  const query = credentialQueryOf(search);
  const credentials = useInfiniteQuery(credentialListQuery(query));
  const canWrite = useCan('credential:write');
  const rows = allItems(credentials.data);
  const change = (patch: Partial<CredentialsSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true });
  const clear = () => change({ search: undefined });
  useShortcut('n', () => void navigate({ to: '/credentials/new' }), {
    label: 'Add credential',
    group: 'This page',
    enabled: canWrite,
  });
  const add = canWrite && (
    <ButtonLink to="/credentials/new" leftSection={<Icon name="plus" size={14} />}>
      Add credential
    </ButtonLink>
  );
  const empty = credentials.isSuccess && rows.length === 0;
  if (empty && !search.search) {
    return (
      <Page title="Credentials">
        <EmptyState icon="key" title="No credential yet" actions={add}>
          <p>
            A credential is an account with a key or a password that OpenWatch logs in with. Secrets are encrypted, and
            never shown again.
          </p>
        </EmptyState>
      </Page>
    );
  }
  return (
    <Page title="Credentials" total={totalOf(credentials.data)} actions={add}>
      <div className={filterClasses.bar} role="search" aria-label="Credentials">
        <SearchInput
          label="Search credentials"
          placeholder="Name or user"
          value={search.search ?? ''}
          onChange={(text) => change({ search: text || undefined })}
        />
      </div>
      <Card flush>
        {credentials.isError && rows.length === 0 ? (
          <ErrorState
            what="The credentials could not be read"
            error={credentials.error}
            onRetry={() => void credentials.refetch()}
          />
        ) : empty ? (
          <NoMatch
            noun="credential"
            filters={[{ text: `Search is “${search.search ?? ''}”`, clear }]}
            onClearAll={clear}
          />
        ) : (
          <DataTable
            label="Credentials"
            columns={COLUMNS}
            rows={rows}
            rowId={(credential) => credential.id}
            total={totalOf(credentials.data)}
            loading={credentials.isPending}
            stale={credentials.isPlaceholderData}
            sort={query.sort ?? undefined}
            onSort={(sort) => change({ sort })}
            hasMore={credentials.hasNextPage}
            loadingMore={credentials.isFetchingNextPage}
            onMore={() => void credentials.fetchNextPage()}
          />
        )}
      </Card>
    </Page>
  );
}

const COLUMNS: ColumnDef<Credential>[] = [
  {
    id: 'name',
    header: 'Name',
    cell: ({ row: { original: credential } }) => (
      <Link
        to="/credentials/$credentialId"
        params={{ credentialId: credential.id }}
        className={classes.name}
        data-row-link
      >
        {credential.name}
      </Link>
    ),
    meta: { sort: 'name', narrow: 'start' },
  },
  {
    id: 'username',
    header: 'Logs in as',
    cell: ({ row }) => <code>{row.original.username}</code>,
    meta: { sort: 'username', width: '150px', narrow: 'end' },
  },
  {
    id: 'with',
    header: 'With',
    cell: ({ row }) => withText(row.original),
    meta: { width: '280px', narrow: 'full' },
  },
  {
    id: 'hosts',
    header: 'Used by',
    cell: ({ row }) => plural(row.original.hosts_count, 'host'),
    meta: { width: '110px', narrow: 'start' },
  },
  {
    id: 'updated_at',
    header: 'Changed',
    cell: ({ row }) => <TimeAgo moment={row.original.updated_at} />,
    meta: { sort: 'updated_at', first: 'desc', width: '120px', narrow: 'end' },
  },
];

function withText(credential: Credential): string {
  const parts: string[] = [];
  if (credential.has_private_key) {
    parts.push(`${credential.key_type ?? 'key'}${credential.has_passphrase ? ' with passphrase' : ''}`);
  }
  if (credential.has_password) parts.push('password');
  if (credential.has_sudo_password) parts.push('sudo password');
  return parts.join(', ');
}
