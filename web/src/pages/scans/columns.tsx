import { Link } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import { isActive } from '@/api/queries/scans';
import type { Scan } from '@/api/types';
import { ScanStatePill } from '@/components/Pill';
import { ScanProgressInline } from '@/components/ScanProgress';
import { ScoreBar, SeverityCounts } from '@/components/Score';
import { TimeAgo } from '@/components/TimeAgo';
import { duration, exactTime, secondsBetween } from '@/format/time';
import classes from './Scans.module.css';

const REST: ColumnDef<Scan>[] = [
  {
    id: 'state',
    header: 'State',
    cell: ({ row: { original: scan } }) =>
      isActive(scan) ? (
        <ScanProgressInline scanId={scan.id} state={scan.state} progress={scan.progress} />
      ) : (
        <ScanStatePill state={scan.state} />
      ),
    meta: { width: '170px', narrow: 'end' },
  },
  {
    id: 'score',
    header: 'Score',
    cell: ({ row: { original: scan } }) =>
      scan.state === 'failed' && scan.failure ? (
        <span className={classes.failure}>{scan.failure.message}</span>
      ) : (
        <ScoreBar score={scan.score} />
      ),
    meta: { width: '240px', narrow: 'start' },
  },
  {
    id: 'failing',
    header: 'Failing',
    cell: ({ row }) => (row.original.failing && row.original.score ? <SeverityCounts failing={row.original.failing} /> : null),
    meta: { width: '170px', narrow: 'end' },
  },
  {
    id: 'queued_at',
    header: 'Asked for',
    cell: ({ row }) => <TimeAgo moment={row.original.queued_at} />,
    meta: { sort: 'queued_at', first: 'desc', width: '120px', narrow: 'start' },
  },
  {
    id: 'duration',
    header: 'Took',
    cell: ({ row: { original: scan } }) =>
      scan.started_at && scan.finished_at ? duration(secondsBetween(scan.started_at, scan.finished_at)) : null,
    meta: { width: '100px', align: 'right', narrow: 'end' },
  },
];

const BY_HOST: ColumnDef<Scan> = {
  id: 'host',
  header: 'Host',
  cell: ({ row }) => (
    <Link to="/scans/$scanId" params={{ scanId: row.original.id }} className={classes.host} data-row-link>
      {row.original.host_name}
    </Link>
  ),
  meta: { narrow: 'start' },
};

const BY_TIME: ColumnDef<Scan> = {
  id: 'time',
  header: 'Scan',
  cell: ({ row }) => (
    <Link to="/scans/$scanId" params={{ scanId: row.original.id }} className={classes.host} data-row-link>
      {exactTime(row.original.queued_at)}
    </Link>
  ),
  meta: { narrow: 'start' },
};

const ALL = { host: [BY_HOST, ...REST], time: [BY_TIME, ...REST] };

/** The columns of a list of scans; its rows are named by their host, or by their time on the page of one host. */
export function scanColumns(namedBy: 'host' | 'time'): ColumnDef<Scan>[] {
  return ALL[namedBy];
}
