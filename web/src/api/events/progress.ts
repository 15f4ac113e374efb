import { useCallback, useSyncExternalStore } from 'react';
import type { Progress } from '../types';

/**
 * How far each running scan is, as the stream tells it. Kept beside the query cache, so that a progress
 * frame repaints one row and no table.
 */
class ProgressStore {
  private readonly known = new Map<string, Progress>();
  private readonly listeners = new Map<string, Set<() => void>>();

  get(scanId: string): Progress | null {
    return this.known.get(scanId) ?? null;
  }

  set(scanId: string, progress: Progress): void {
    this.known.set(scanId, progress);
    this.tell(scanId);
  }

  forget(scanId: string): void {
    if (this.known.delete(scanId)) this.tell(scanId);
  }

  subscribe(scanId: string, listener: () => void): () => void {
    const set = this.listeners.get(scanId) ?? new Set();
    set.add(listener);
    this.listeners.set(scanId, set);
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(scanId);
    };
  }

  private tell(scanId: string): void {
    this.listeners.get(scanId)?.forEach((listener) => listener());
  }
}

export const progressStore = new ProgressStore();

/** The live progress of a scan, or null when the stream has told none. */
export function useLiveProgress(scanId: string | null | undefined): Progress | null {
  const subscribe = useCallback(
    (listener: () => void) => (scanId ? progressStore.subscribe(scanId, listener) : () => undefined),
    [scanId],
  );
  return useSyncExternalStore(subscribe, () => (scanId ? progressStore.get(scanId) : null));
}

export function parseProgress(data: Record<string, unknown>): Progress | null {
  const { stage, done, total } = data;
  if (typeof stage !== 'string' || typeof done !== 'number' || typeof total !== 'number') return null;
  return { stage, done, total };
}
