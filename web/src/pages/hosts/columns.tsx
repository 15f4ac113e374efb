import { Link } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import type { Host } from '@/api/types';
import { HostStatePill } from '@/components/Pill';
import { ScanProgressInline } from '@/components/ScanProgress';
import { ScoreBar, SeverityCounts } from '@/components/Score';
import { TimeAgo } from '@/components/TimeAgo';
import classes from './Hosts.module.css';

export const hostColumns: ColumnDef<Host>[] = [
  {
    id: 'name',
    header: 'Host',
    cell: ({ row }) => <HostName host={row.original} />,
    meta: { sort: 'name', narrow: 'start' },
  },
  {
    id: 'score',
    header: 'Score',
    cell: ({ row }) => <ScoreBar score={row.original.score} />,
    meta: { sort: 'score', width: '170px', narrow: 'end' },
  },
  {
    id: 'failing',
    header: 'Failing',
    cell: ({ row }) =>
      row.original.score ? <SeverityCounts failing={row.original.failing} /> : <Absent text="not measured" />,
    meta: { width: '170px', narrow: 'start' },
  },
  {
    id: 'state',
    header: 'State',
    cell: ({ row }) => <StateCell host={row.original} />,
    meta: { sort: 'state', width: '170px', narrow: 'end' },
  },
  {
    id: 'last_scan',
    header: 'Last scan',
    cell: ({ row }) => <LastScan host={row.original} />,
    meta: { sort: 'last_scan', first: 'desc', width: '110px', narrow: 'hide' },
  },
  {
    id: 'os',
    header: 'System',
    cell: ({ row }) => <System host={row.original} />,
    meta: { sort: 'os', width: '190px', narrow: 'start' },
  },
  {
    id: 'tags',
    header: 'Tags',
    cell: ({ row }) => <Tags host={row.original} />,
    meta: { width: '180px', narrow: 'end' },
  },
];

function HostName({ host }: { host: Host }) {
  return (
    <div className={classes.name}>
      <Link to="/hosts/$hostId" params={{ hostId: host.id }} className={classes.nameLink} data-row-link>
        {host.name}
      </Link>
      <HostAddress host={host} />
    </div>
  );
}

export function HostAddress({ host }: { host: Host }) {
  return (
    <span className={classes.address}>
      {host.address}
      {host.port !== 22 && `:${host.port}`}
    </span>
  );
}

function StateCell({ host }: { host: Host }) {
  if (host.active_scan_id) return <ScanProgressInline scanId={host.active_scan_id} />;
  return <HostStatePill state={host.state} />;
}

function LastScan({ host }: { host: Host }) {
  const finished = host.last_scan?.finished_at;
  return finished ? <TimeAgo moment={finished} /> : <Absent text="never" />;
}

export function System({ host }: { host: Host }) {
  if (!host.os) return <Absent text="not known" />;
  return (
    <span className={classes.system} title={host.os.name}>
      {host.os.name}
    </span>
  );
}

/** More tags than this are counted; the host's page names them all. */
const TAGS_SHOWN = 2;

export function Tags({ host }: { host: Host }) {
  const rest = host.tags.slice(TAGS_SHOWN);
  return (
    <span className={classes.tags}>
      {host.environment && <span className={classes.environment}>{host.environment}</span>}
      {host.tags.slice(0, TAGS_SHOWN).map((tag) => (
        <span key={tag} className={classes.tag}>
          {tag}
        </span>
      ))}
      {rest.length > 0 && (
        <span className={classes.absent} title={rest.join(', ')}>
          +{rest.length}
        </span>
      )}
    </span>
  );
}

function Absent({ text }: { text: string }) {
  return <span className={classes.absent}>{text}</span>;
}
