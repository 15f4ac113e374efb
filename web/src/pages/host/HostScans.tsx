import { useInfiniteQuery } from '@tanstack/react-query';
import { allItems, totalOf } from '@/api/queries/paging';
import { scanListQuery } from '@/api/queries/scans';
import { DataTable } from '@/components/DataTable';
import { Card } from '@/components/Page';
import { EmptyState, ErrorState } from '@/components/States';
import { scanColumns } from '../scans/columns';

/** All scans of one host, newest first; each row names itself by its time. */
export function HostScans({ hostId }: { hostId: string }) {
  const scans = useInfiniteQuery(scanListQuery({ host_id: hostId, sort: '-queued_at' }));
  const rows = allItems(scans.data);
  return (
    <Card flush>
      {scans.isError && rows.length === 0 ? (
        <ErrorState what="The scans could not be read" error={scans.error} onRetry={() => void scans.refetch()} />
      ) : scans.isSuccess && rows.length === 0 ? (
        <EmptyState icon="scan" title="No scan of this host yet" />
      ) : (
        <DataTable
          label="Scans of this host"
          columns={scanColumns('time')}
          rows={rows}
          rowId={(scan) => scan.id}
          total={totalOf(scans.data)}
          loading={scans.isPending}
          hasMore={scans.hasNextPage}
          loadingMore={scans.isFetchingNextPage}
          onMore={() => void scans.fetchNextPage()}
        />
      )}
    </Card>
  );
}
