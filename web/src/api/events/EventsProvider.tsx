import { useQueryClient, type Query } from '@tanstack/react-query';
import { createContext, use, useEffect, useState, type ReactNode } from 'react';
import { applyProgress, applyTouched, summarize } from './patch';
import { EventStream, type ConnectionState, type ServerEvent } from './stream';

const Connection = createContext<ConnectionState>('connecting');

/** Whether the numbers on the screen follow the server, for the indicator. */
export function useConnection(): ConnectionState {
  return use(Connection);
}

/** Events that arrive within this time are applied together. */
const COALESCE_MS = 120;
/** A hidden tab keeps its connection this long; browsers allow six per server over HTTP/1.1. */
const HIDDEN_GRACE_MS = 60_000;

const LIVE_KEYS = new Set<unknown>(['hosts', 'scans', 'credentials']);
const isLive = (query: Query) => LIVE_KEYS.has(query.queryKey[0]);

export function EventsProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<ConnectionState>('connecting');

  useEffect(() => {
    const startedAt = Date.now();
    let burst: ServerEvent[] = [];
    let flushTimer: number | undefined;
    let hiddenTimer: number | undefined;

    const flush = () => {
      flushTimer = undefined;
      const events = burst;
      burst = [];
      void applyTouched(client, summarize(events));
    };
    const stream = new EventStream({
      onState: setState,
      onEvent: (event) => {
        if (event.kind === 'scan.progress') {
          applyProgress(event);
          return;
        }
        burst.push(event);
        flushTimer ??= window.setTimeout(flush, COALESCE_MS);
      },
      onFresh: () => {
        const openedAt = Date.now();
        if (openedAt - startedAt < COALESCE_MS) return;
        void client.invalidateQueries({
          predicate: (query) => isLive(query) && query.state.dataUpdatedAt < openedAt,
        });
      },
      onPoll: () => void client.invalidateQueries({ predicate: isLive, type: 'active' }),
    });

    const followVisibility = () => {
      window.clearTimeout(hiddenTimer);
      if (document.hidden) hiddenTimer = window.setTimeout(() => stream.pause(), HIDDEN_GRACE_MS);
      else stream.start();
    };
    stream.start();
    document.addEventListener('visibilitychange', followVisibility);
    return () => {
      document.removeEventListener('visibilitychange', followVisibility);
      window.clearTimeout(hiddenTimer);
      window.clearTimeout(flushTimer);
      stream.stop();
    };
  }, [client]);

  return <Connection value={state}>{children}</Connection>;
}
