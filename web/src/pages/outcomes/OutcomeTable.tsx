import type { UseInfiniteQueryResult } from '@tanstack/react-query';
import { allItems, totalOf, type Page, type Pages } from '@/api/queries/paging';
import type { OutcomeFacets } from '@/api/types';
import { NoMatch } from '@/components/ActiveFilters';
import { DataTable } from '@/components/DataTable';
import { Card } from '@/components/Page';
import { EmptyState, ErrorState } from '@/components/States';
import { outcomeColumns, type OutcomeRow } from './columns';
import { EvidenceDrawer } from './EvidenceDrawer';
import { activeOutcomeFilters, OutcomeFilters } from './OutcomeFilters';
import { DEFAULT_OUTCOME_SORT, type OutcomeSearch } from './search';

type OutcomePage = Page<OutcomeRow> & { facets?: OutcomeFacets };

interface Props {
  query: UseInfiniteQueryResult<Pages<OutcomePage>>;
  search: OutcomeSearch;
  onChange: (patch: Partial<OutcomeSearch>) => void;
  /** The scan whose evidence the rows open. */
  scanId: string | null;
}

/** Outcomes with their filters, and the evidence of the one that is open. */
export function OutcomeTable({ query, search, onChange, scanId }: Props) {
  const rows = allItems<OutcomeRow>(query.data);
  const facets = query.data?.pages[0]?.facets;
  const filters = activeOutcomeFilters(search, onChange);
  const clearAll = () =>
    onChange({ search: undefined, verdict: undefined, severity: undefined, category: undefined, framework: undefined });
  return (
    <div style={{ display: 'grid', gap: 12, minWidth: 0 }}>
      <OutcomeFilters search={search} facets={facets} onChange={onChange} />
      <Card flush>
        {query.isError && rows.length === 0 ? (
          <ErrorState what="The outcomes could not be read" error={query.error} onRetry={() => void query.refetch()} />
        ) : query.isSuccess && rows.length === 0 ? (
          filters.length > 0 ? (
            <NoMatch noun="rule" filters={filters} onClearAll={clearAll} />
          ) : (
            <EmptyState icon="rule" title="No outcomes">
              <p>No rule has been judged here yet.</p>
            </EmptyState>
          )
        ) : (
          <DataTable
            label="Outcomes"
            columns={outcomeColumns}
            rows={rows}
            rowId={(row) => row.rule_id}
            total={totalOf(query.data)}
            loading={query.isPending}
            stale={query.isPlaceholderData}
            sort={search.sort ?? DEFAULT_OUTCOME_SORT}
            onSort={(sort) => onChange({ sort })}
            hasMore={query.hasNextPage}
            loadingMore={query.isFetchingNextPage}
            onMore={() => void query.fetchNextPage()}
            selectedId={search.rule}
          />
        )}
      </Card>
      <EvidenceDrawer
        scanId={scanId}
        ruleId={search.rule}
        order={rows.map((row) => row.rule_id)}
        onOpen={(rule) => onChange({ rule })}
        onClose={() => onChange({ rule: undefined })}
      />
    </div>
  );
}
