import { Button, Group, Modal, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import { ErrorBanner } from './States';

interface Props {
  opened: boolean;
  title: string;
  children: ReactNode;
  /** What the button does, as a verb: "Delete host". */
  action: string;
  tone?: 'danger' | 'accent';
  pending: boolean;
  error: unknown;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. The safe choice has the focus. */
export function ConfirmDialog({ opened, title, children, action, tone = 'danger', pending, error, onConfirm, onClose }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title={title} closeButtonProps={{ 'aria-label': 'Close' }}>
      <Stack gap="md">
        <div>{children}</div>
        <ErrorBanner error={error} />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} data-autofocus>
            {tone === 'danger' ? 'Keep' : 'Cancel'}
          </Button>
          <Button color={tone === 'danger' ? 'red' : undefined} loading={pending} onClick={onConfirm}>
            {action}
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
