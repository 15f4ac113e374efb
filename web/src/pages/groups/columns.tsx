import { Link } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import type { Group } from '@/api/types';
import { SeverityCounts } from '@/components/Score';
import { count } from '@/format/number';
import classes from './Groups.module.css';
import { MeanScore } from './MeanScore';

export const groupColumns: ColumnDef<Group>[] = [
  {
    id: 'name',
    header: 'Group',
    cell: ({ row: { original: group } }) => (
      <div className={classes.name}>
        <Link to="/groups/$groupId" params={{ groupId: group.id }} className={classes.nameLink} data-row-link>
          {group.name}
        </Link>
        {group.inside.length > 0 && (
          <span className={classes.inside}>in {group.inside.map(({ name }) => name).join(' › ')}</span>
        )}
      </div>
    ),
    meta: { sort: 'name', narrow: 'start' },
  },
  {
    id: 'hosts',
    header: 'Hosts',
    cell: ({ row }) => count(row.original.hosts.total),
    meta: { width: '90px', narrow: 'end' },
  },
  {
    id: 'score',
    header: 'Mean score',
    cell: ({ row }) => <MeanScore hosts={row.original.hosts} />,
    meta: { width: '150px', narrow: 'start' },
  },
  {
    id: 'failing',
    header: 'Failing',
    cell: ({ row: { original: group } }) =>
      group.hosts.measured > 0 ? (
        <SeverityCounts failing={group.hosts.failing} />
      ) : (
        <span className={classes.faint}>not measured</span>
      ),
    meta: { width: '190px', narrow: 'end' },
  },
  {
    id: 'membership',
    header: 'Holds',
    cell: ({ row: { original: group } }) =>
      group.rule === null ? (
        <span className={classes.faint}>hosts chosen by hand</span>
      ) : (
        <code className={classes.rule} title={group.rule}>
          {group.rule}
        </code>
      ),
    meta: { width: '320px', narrow: 'full' },
  },
];
