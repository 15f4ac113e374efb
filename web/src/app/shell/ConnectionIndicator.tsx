import { Tooltip } from '@mantine/core';
import { useConnection } from '@/api/events/EventsProvider';
import type { ConnectionState } from '@/api/events/stream';
import classes from './Shell.module.css';

const TEXT: Record<ConnectionState, { label: string; explained: string }> = {
  connecting: { label: 'Connecting', explained: 'Connecting to the live stream of changes.' },
  live: { label: 'Live', explained: 'Changes appear as they happen.' },
  reconnecting: {
    label: 'Reconnecting',
    explained: 'The live stream broke off. Nothing is lost: it resumes where it ended.',
  },
  polling: {
    label: 'Not live',
    explained: 'The live stream is away. Pages are read again every 10 seconds until it is back.',
  },
  paused: { label: 'Paused', explained: 'This tab was in the background. It catches up now.' },
};

/** Whether what is shown follows the server; in words, in shape and in colour. */
export function ConnectionIndicator({ compact = false }: { compact?: boolean }) {
  const state = useConnection();
  const { label, explained } = TEXT[state];
  return (
    <Tooltip label={explained} multiline maw={260} position="top-start">
      <button type="button" className={classes.connection} data-state={state} aria-label={`${label}. ${explained}`}>
        <span className={classes.signal} aria-hidden="true" />
        <span role="status" className={compact && state === 'live' ? 'visually-hidden' : undefined}>
          {label}
        </span>
      </button>
    </Tooltip>
  );
}
