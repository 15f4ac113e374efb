import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useNavigate } from '@tanstack/react-router';
import { toApiError } from '@/api/problem';
import { bundleAddress, isActive, useCancelScan, useRetryScan } from '@/api/queries/scans';
import type { Scan } from '@/api/types';
import { useCan } from '@/app/session';
import { Icon } from '@/components/Icon';

/** What can be done with a scan in its present state. */
export function ScanActions({ scan }: { scan: Scan }) {
  const canExecute = useCan('scan:execute');
  const cancel = useCancelScan();
  const retry = useRetryScan();
  const navigate = useNavigate();
  const goTo = (scanId: string) => void navigate({ to: '/scans/$scanId', params: { scanId }, search: {} });

  const tellRefused = (error: unknown) => {
    const problem = toApiError(error);
    const active = problem.extraText('active_scan_id');
    if (active) {
      goTo(active);
      return;
    }
    notifications.show({ color: 'red', title: problem.message, message: problem.fix ?? '' });
  };
  return (
    <>
      {canExecute && isActive(scan) && (
        <Button
          variant="default"
          leftSection={<Icon name="stop" size={14} />}
          loading={cancel.isPending}
          onClick={() => cancel.mutate(scan.id, { onError: tellRefused })}
        >
          Cancel scan
        </Button>
      )}
      {scan.state === 'completed' && (
        <Button
          component="a"
          href={bundleAddress(scan.id)}
          download
          variant="default"
          leftSection={<Icon name="download" size={14} />}
        >
          Evidence bundle
        </Button>
      )}
      {canExecute && !isActive(scan) && (
        <Button
          variant={scan.state === 'completed' ? 'default' : 'filled'}
          leftSection={<Icon name="refresh" size={14} />}
          loading={retry.isPending}
          onClick={() => retry.mutate(scan.id, { onSuccess: (next) => goTo(next.id), onError: tellRefused })}
        >
          Scan again
        </Button>
      )}
    </>
  );
}
