import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import type { ColumnDef } from '@tanstack/react-table';
import { toApiError } from '@/api/problem';
import { useRestoreHost } from '@/api/queries/hosts';
import type { Host } from '@/api/types';
import { useCan } from '@/app/session';
import { TimeAgo } from '@/components/TimeAgo';
import { HostAddress, System, Tags } from './columns';
import classes from './Hosts.module.css';

/** A deleted host has no page; it can be brought back. */
export const deletedColumns: ColumnDef<Host>[] = [
  {
    id: 'name',
    header: 'Host',
    cell: ({ row: { original: host } }) => (
      <div className={classes.name}>
        <span className={classes.deletedName}>{host.name}</span>
        <HostAddress host={host} />
      </div>
    ),
    meta: { sort: 'name', narrow: 'start' },
  },
  {
    id: 'deleted',
    header: 'Deleted',
    cell: ({ row: { original: host } }) => host.deleted_at && <TimeAgo moment={host.deleted_at} />,
    meta: { width: '130px', narrow: 'end' },
  },
  {
    id: 'os',
    header: 'System',
    cell: ({ row }) => <System host={row.original} />,
    meta: { width: '190px', narrow: 'start' },
  },
  {
    id: 'tags',
    header: 'Tags',
    cell: ({ row }) => <Tags host={row.original} />,
    meta: { width: '200px', narrow: 'end' },
  },
  {
    id: 'restore',
    header: '',
    cell: ({ row }) => <Restore host={row.original} />,
    meta: { width: '140px', narrow: 'full' },
  },
];

function Restore({ host }: { host: Host }) {
  const canWrite = useCan('host:write');
  const restore = useRestoreHost();
  if (!canWrite) return null;
  return (
    <Button
      variant="default"
      loading={restore.isPending}
      onClick={() =>
        restore.mutate(host.id, {
          onSuccess: () => notifications.show({ message: `${host.name} is back in the list of hosts.` }),
          onError: (error) => {
            const problem = toApiError(error);
            notifications.show({ color: 'red', title: problem.message, message: problem.fix ?? '' });
          },
        })
      }
    >
      Bring back
    </Button>
  );
}
