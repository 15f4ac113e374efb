import { Skeleton } from '@mantine/core';
import { useQuery, type UseQueryResult } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { isActive, scanQuery } from '@/api/queries/scans';
import type { HistoryPoint, Host } from '@/api/types';
import { Card } from '@/components/Page';
import { ScoreLine } from '@/components/ScoreLine';
import { ScoreRing } from '@/components/ScoreRing';
import { SeverityMeters } from '@/components/SeverityMeters';
import { ErrorBanner } from '@/components/States';
import { TimeAgo } from '@/components/TimeAgo';
import { VerdictLegend } from '@/components/VerdictLegend';
import { RunningScan } from '../scan/RunningScan';
import classes from './Host.module.css';

interface Props {
  host: Host;
  history: UseQueryResult<HistoryPoint[]>;
}

/** What stands out about a host: its score and what it is made of, what fails, how it went over time. */
export function HostOverview({ host, history }: Props) {
  return (
    <>
      {host.active_scan_id && <ActiveScan scanId={host.active_scan_id} />}
      <div className={classes.overview}>
        <Card>
          <div className={classes.ringRow}>
            <ScoreRing score={host.score} />
            {host.score ? (
              <VerdictLegend counts={host.score} />
            ) : (
              <p className={classes.faint}>Not measured yet. A scan takes seconds.</p>
            )}
          </div>
        </Card>
        <Card title="Failing by severity">
          {host.score ? (
            <SeverityMeters failing={host.failing} />
          ) : (
            <p className={classes.faint}>Known after the first scan.</p>
          )}
        </Card>
        <Card title="Score over time" aside={<LastScanned host={host} />}>
          <History history={history} />
        </Card>
      </div>
    </>
  );
}

function ActiveScan({ scanId }: { scanId: string }) {
  const scan = useQuery(scanQuery(scanId));
  if (!scan.data) return <Skeleton height={112} radius="lg" />;
  return isActive(scan.data) ? <RunningScan scan={scan.data} /> : null;
}

function LastScanned({ host }: { host: Host }) {
  const last = host.last_scan;
  if (!last?.finished_at) return null;
  return (
    <Link to="/scans/$scanId" params={{ scanId: last.id }} className={classes.faint}>
      last scan <TimeAgo moment={last.finished_at} />
    </Link>
  );
}

function History({ history }: { history: UseQueryResult<HistoryPoint[]> }) {
  if (history.isPending) return <Skeleton height={116} />;
  if (history.isError) return <ErrorBanner error={history.error} />;
  if (history.data.every((point) => point.score === null)) {
    return <p className={classes.faint}>Each completed scan adds a point here.</p>;
  }
  return <ScoreLine points={history.data} />;
}
