import { useInfiniteQuery } from '@tanstack/react-query';
import { hostOutcomesQuery } from '@/api/queries/hosts';
import type { Host } from '@/api/types';
import { EmptyState } from '@/components/States';
import { OutcomeTable } from '../outcomes/OutcomeTable';
import { outcomeQueryOf } from '../outcomes/search';
import type { HostSearch } from './search';

interface Props {
  host: Host;
  search: HostSearch;
  onChange: (patch: Partial<HostSearch>) => void;
  scanId: string | null;
}

/** The newest outcome of each rule on this host. */
export function HostFindings({ host, search, onChange, scanId }: Props) {
  const { tab: _tab, ...filters } = search;
  const outcomes = useInfiniteQuery(hostOutcomesQuery(host.id, outcomeQueryOf(filters)));
  if (!host.score && outcomes.isSuccess && outcomes.data.pages[0]?.items.length === 0) {
    return (
      <EmptyState icon="scan" title="This host has not been measured">
        <p>Press Scan. Each rule then shows what was read, what was expected, and where it stands.</p>
      </EmptyState>
    );
  }
  return <OutcomeTable query={outcomes} search={filters} onChange={onChange} scanId={scanId} />;
}
