import { useEffect, useRef, useSyncExternalStore } from 'react';
import { listShortcuts, register, subscribe, type Shortcut } from './registry';

interface Options {
  label: string;
  group: Shortcut['group'];
  inDialogs?: boolean;
  enabled?: boolean;
}

/** Registers a shortcut while the component is mounted; `run` may change freely. */
export function useShortcut(keys: string, run: () => void, options: Options): void {
  const { label, group, inDialogs = false, enabled = true } = options;
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    if (!enabled) return undefined;
    return register({ keys, label, group, inDialogs, run: () => latest.current() });
  }, [keys, label, group, inDialogs, enabled]);
}

export function useShortcutList(): readonly Shortcut[] {
  return useSyncExternalStore(subscribe, listShortcuts);
}
