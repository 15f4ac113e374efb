import { ActionIcon, Button, Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { toApiError } from '@/api/problem';
import { useDeleteHost, useStartScan } from '@/api/queries/hosts';
import { useCancelScan } from '@/api/queries/scans';
import type { Host } from '@/api/types';
import { useCan } from '@/app/session';
import { useShortcut } from '@/app/shortcuts/useShortcut';
import { ButtonLink } from '@/components/ButtonLink';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Icon } from '@/components/Icon';

export function HostActions({ host }: { host: Host }) {
  const canWrite = useCan('host:write');
  const [deleting, setDeleting] = useState(false);
  return (
    <>
      <ScanButton host={host} />
      {canWrite && (
        <>
          <ButtonLink
            variant="default"
            to="/hosts/$hostId/edit"
            params={{ hostId: host.id }}
            leftSection={<Icon name="edit" size={14} />}
          >
            Edit
          </ButtonLink>
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon variant="default" size={30} aria-label="More actions">
                <Icon name="more" />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item color="var(--ow-fail)" leftSection={<Icon name="trash" />} onClick={() => setDeleting(true)}>
                Delete host
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
          <DeleteHost host={host} opened={deleting} onClose={() => setDeleting(false)} />
        </>
      )}
    </>
  );
}

/** Starts a scan; while one is active it stops that one. */
function ScanButton({ host }: { host: Host }) {
  const canExecute = useCan('scan:execute');
  const start = useStartScan();
  const cancel = useCancelScan();
  const navigate = useNavigate();
  const active = host.active_scan_id;

  const scan = () => {
    if (active || start.isPending) return;
    start.mutate(host.id, {
      onError: (error) => {
        const problem = toApiError(error);
        const running = problem.extraText('active_scan_id');
        if (running) return void navigate({ to: '/scans/$scanId', params: { scanId: running } });
        notifications.show({ color: 'red', title: problem.message, message: problem.fix ?? '' });
      },
    });
  };
  useShortcut('s', scan, { label: 'Scan this host', group: 'This page', enabled: canExecute && !active });
  if (!canExecute) return null;
  if (active) {
    return (
      <Button
        variant="default"
        leftSection={<Icon name="stop" size={14} />}
        loading={cancel.isPending}
        onClick={() => cancel.mutate(active)}
      >
        Cancel scan
      </Button>
    );
  }
  return (
    <Button leftSection={<Icon name="scan" size={14} />} loading={start.isPending} onClick={scan}>
      Scan
    </Button>
  );
}

function DeleteHost({ host, opened, onClose }: { host: Host; opened: boolean; onClose: () => void }) {
  const remove = useDeleteHost();
  const navigate = useNavigate();
  const confirm = () =>
    remove.mutate(host.id, {
      onSuccess: () => {
        notifications.show({ message: `${host.name} is deleted. Its evidence is kept, and it can be brought back from the deleted hosts.` });
        void navigate({ to: '/hosts', search: {} });
      },
    });
  return (
    <ConfirmDialog
      opened={opened}
      title={`Delete ${host.name}?`}
      action="Delete host"
      pending={remove.isPending}
      error={remove.error}
      onConfirm={confirm}
      onClose={onClose}
    >
      <p>
        It leaves the list and is scanned no more. Its scans and their evidence are kept. Nothing changes on the host
        itself.
      </p>
    </ConfirmDialog>
  );
}
