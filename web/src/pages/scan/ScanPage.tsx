import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { isActive, scanOutcomesQuery, scanQuery } from '@/api/queries/scans';
import type { Scan } from '@/api/types';
import { useSession } from '@/app/session';
import { Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { ScanStatePill } from '@/components/Pill';
import { ErrorState } from '@/components/States';
import { TimeAgo } from '@/components/TimeAgo';
import { duration, secondsBetween } from '@/format/time';
import { OutcomeTable } from '../outcomes/OutcomeTable';
import { outcomeQueryOf, type OutcomeSearch } from '../outcomes/search';
import { RunningScan } from './RunningScan';
import { ScanActions } from './ScanActions';
import { ScanEnding } from './ScanEnding';
import { ScanProof } from './ScanProof';
import { ScanSummary } from './ScanSummary';

const route = getRouteApi('/app/scans/$scanId');
const SCANS = { to: '/scans', label: 'Scans' } as const;

export function ScanPage() {
  const { scanId } = route.useParams();
  const scan = useQuery(scanQuery(scanId));
  if (scan.isPending) return <PageSkeleton />;
  if (!scan.data) {
    return (
      <Page title="Scan" crumb={SCANS}>
        <ErrorState what="The scan could not be read" error={scan.error} onRetry={() => void scan.refetch()} />
      </Page>
    );
  }
  return <ScanView scan={scan.data} />;
}

function ScanView({ scan }: { scan: Scan }) {
  return (
    <Page
      title={`Scan of ${scan.host_name}`}
      crumb={SCANS}
      badge={<ScanStatePill state={scan.state} soft />}
      sub={<Times scan={scan} />}
      actions={<ScanActions scan={scan} />}
    >
      {isActive(scan) && <RunningScan scan={scan} />}
      <ScanEnding scan={scan} />
      {scan.state === 'completed' && (
        <>
          <ScanSummary scan={scan} />
          <Outcomes scanId={scan.id} />
          <ScanProof scan={scan} />
        </>
      )}
    </Page>
  );
}

function Times({ scan }: { scan: Scan }) {
  const session = useSession();
  return (
    <>
      <Link to="/hosts/$hostId" params={{ hostId: scan.host_id }}>
        {scan.host_name}
      </Link>
      <span>
        {scan.finished_at ? 'ended ' : 'asked for '}
        <TimeAgo moment={scan.finished_at ?? scan.queued_at} />
      </span>
      {scan.started_at && scan.finished_at && (
        <span className="numeric">took {duration(secondsBetween(scan.started_at, scan.finished_at))}</span>
      )}
      {scan.requested_by !== null && scan.requested_by === session?.user.id && <span>by you</span>}
      {scan.attempts > 1 && <span>attempt {scan.attempts}</span>}
      {scan.retry_of && (
        <Link to="/scans/$scanId" params={{ scanId: scan.retry_of }}>
          repeats an earlier scan
        </Link>
      )}
    </>
  );
}

function Outcomes({ scanId }: { scanId: string }) {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/scans/$scanId' });
  const outcomes = useInfiniteQuery(scanOutcomesQuery(scanId, outcomeQueryOf(search)));
  const change = (patch: Partial<OutcomeSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true, resetScroll: false });
  return <OutcomeTable query={outcomes} search={search} onChange={change} scanId={scanId} />;
}
