import { Button } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useState } from 'react';
import { useScanAll } from '@/api/queries/scans';
import type { HostFilters } from '@/api/types';
import { useCan } from '@/app/session';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { Icon } from '@/components/Icon';
import { count, plural } from '@/format/number';

interface Props {
  filters: HostFilters;
  /** How many hosts the filters let through. */
  total: number;
}

/** Scans all hosts of a list at once. */
export function ScanAll({ filters, total }: Props) {
  const canExecute = useCan('scan:execute');
  const scan = useScanAll();
  const [asking, setAsking] = useState(false);
  if (!canExecute || total === 0) return null;
  const confirm = () =>
    scan.mutate(filters, {
      onSuccess: (queued) => {
        setAsking(false);
        notifications.show({ message: sentenceOf(queued) });
      },
    });
  return (
    <>
      <Button variant="default" leftSection={<Icon name="scan" size={14} />} onClick={() => setAsking(true)}>
        Scan {count(total)}
      </Button>
      <ConfirmDialog
        opened={asking}
        title={`Scan ${plural(total, 'host')}?`}
        action={`Scan ${plural(total, 'host')}`}
        tone="accent"
        pending={scan.isPending}
        error={scan.error}
        onConfirm={confirm}
        onClose={() => setAsking(false)}
      >
        <p>
          All hosts that the list shows with its filters. They wait in the queue of the workers; those that are being
          scanned, or have no credential, are left alone. Nothing changes on the hosts.
        </p>
      </ConfirmDialog>
    </>
  );
}

interface Queued {
  queued: number;
  already_active: number;
  without_credential: number;
}

function sentenceOf({ queued, already_active: active, without_credential: without }: Queued): string {
  const parts = [`${plural(queued, 'scan')} queued`];
  if (active > 0) parts.push(`${plural(active, 'host')} being scanned already`);
  if (without > 0) parts.push(`${plural(without, 'host')} without a credential`);
  return `${parts.join(', ')}.`;
}
