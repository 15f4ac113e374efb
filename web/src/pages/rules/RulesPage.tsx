import { useInfiniteQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import { allItems, totalOf } from '@/api/queries/paging';
import { ruleListQuery } from '@/api/queries/rules';
import { CATEGORIES, SEVERITIES, type Rule } from '@/api/types';
import { useFrameworks } from '@/app/frameworks';
import { readableName } from '@/app/labels';
import { orAbsent } from '@/app/search';
import { useCategoryLabel } from '@/app/session';
import { NoMatch, type ActiveFilter } from '@/components/ActiveFilters';
import { DataTable } from '@/components/DataTable';
import { FacetFilter } from '@/components/FacetFilter';
import filterClasses from '@/components/FilterBar.module.css';
import { Card, Page } from '@/components/Page';
import { SeverityBadge } from '@/components/Pill';
import { SearchInput } from '@/components/SearchInput';
import { EmptyState, ErrorState } from '@/components/States';
import { SEVERITY_LABEL } from '@/components/verdict';
import { DEFAULT_RULE_SORT, ruleQueryOf, type RulesSearch } from './search';
import classes from './Rules.module.css';

const route = getRouteApi('/app/rules');
const CLEARED = { search: undefined, severity: undefined, category: undefined, framework: undefined };

export function RulesPage() {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/rules' });
  const rules = useInfiniteQuery(ruleListQuery(ruleQueryOf(search)));
  const frameworks = useFrameworks();
  const categoryLabel = useCategoryLabel();
  const rows = allItems(rules.data);
  const facets = rules.data?.pages[0]?.facets;
  const change = (patch: Partial<RulesSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true });
  const filters = activeFilters(search, frameworks.nameOf, change);

  return (
    <Page title="Rules" total={totalOf(rules.data)}>
      <div className={filterClasses.bar} role="search" aria-label="Rules">
        <SearchInput
          label="Search rules"
          placeholder="Title, id or control"
          value={search.search ?? ''}
          onChange={(text) => change({ search: text || undefined })}
        />
        <FacetFilter
          label="Severity"
          options={SEVERITIES.map((severity) => ({
            value: severity,
            label: SEVERITY_LABEL[severity],
            icon: <SeverityBadge severity={severity} />,
            count: facets ? (facets.severity[severity] ?? 0) : undefined,
          }))}
          value={search.severity ?? []}
          onChange={(value) => change({ severity: orAbsent(SEVERITIES.filter((name) => value.includes(name))) })}
        />
        <FacetFilter
          label="Category"
          options={CATEGORIES.map((value) => ({
            value,
            label: categoryLabel(value),
            count: facets ? (facets.category[value] ?? 0) : undefined,
          }))}
          value={search.category ?? []}
          onChange={(value) => change({ category: orAbsent(CATEGORIES.filter((name) => value.includes(name))) })}
        />
        <FacetFilter
          label="Framework"
          options={frameworks.all.map((entry) => ({
            value: entry.id,
            label: entry.name,
            count: entry.rules_count,
          }))}
          value={search.framework ? [search.framework] : []}
          onChange={(value) => change({ framework: value.at(-1) })}
        />
      </div>
      <Card flush>
        {rules.isError && rows.length === 0 ? (
          <ErrorState what="The rules could not be read" error={rules.error} onRetry={() => void rules.refetch()} />
        ) : rules.isSuccess && rows.length === 0 ? (
          filters.length > 0 ? (
            <NoMatch noun="rule" filters={filters} onClearAll={() => change(CLEARED)} />
          ) : (
            <EmptyState icon="rule" title="The catalogue is empty" />
          )
        ) : (
          <DataTable
            label="Rules"
            columns={COLUMNS}
            rows={rows}
            rowId={(rule) => rule.id}
            total={totalOf(rules.data)}
            loading={rules.isPending}
            stale={rules.isPlaceholderData}
            sort={search.sort ?? DEFAULT_RULE_SORT}
            onSort={(sort) => change({ sort })}
            hasMore={rules.hasNextPage}
            loadingMore={rules.isFetchingNextPage}
            onMore={() => void rules.fetchNextPage()}
          />
        )}
      </Card>
    </Page>
  );
}

function AskedForBy({ rule }: { rule: Rule }) {
  const frameworks = useFrameworks();
  return <span className={classes.frameworks}>{frameworks.familiesOf(Object.keys(rule.references))}</span>;
}

const COLUMNS: ColumnDef<Rule>[] = [
  {
    id: 'title',
    header: 'Rule',
    cell: ({ row: { original: rule } }) => (
      <div className={classes.rule}>
        <Link to="/rules/$ruleId" params={{ ruleId: rule.id }} className={classes.title} data-row-link>
          {rule.title}
        </Link>
        <code className={classes.id}>{rule.id}</code>
      </div>
    ),
    meta: { sort: 'title', narrow: 'full' },
  },
  {
    id: 'severity',
    header: 'Severity',
    cell: ({ row }) => <SeverityBadge severity={row.original.severity} />,
    meta: { sort: 'severity', width: '120px', narrow: 'start' },
  },
  {
    id: 'category',
    header: 'Category',
    cell: ({ row }) => readableName(row.original.category),
    meta: { sort: 'category', width: '180px', narrow: 'end' },
  },
  {
    id: 'references',
    header: 'Asked for by',
    cell: ({ row }) => <AskedForBy rule={row.original} />,
    meta: { width: '240px', narrow: 'full' },
  },
];

function activeFilters(
  search: RulesSearch,
  frameworkName: (id: string) => string,
  change: (patch: Partial<RulesSearch>) => void,
): ActiveFilter[] {
  const filters: ActiveFilter[] = [];
  const add = (text: string, patch: Partial<RulesSearch>) => filters.push({ text, clear: () => change(patch) });
  if (search.search) add(`Search is “${search.search}”`, { search: undefined });
  if (search.severity) add(`Severity is ${search.severity.join(' or ')}`, { severity: undefined });
  if (search.category) add(`Category is ${search.category.map(readableName).join(' or ')}`, { category: undefined });
  if (search.framework) add(`Framework is ${frameworkName(search.framework)}`, { framework: undefined });
  return filters;
}
