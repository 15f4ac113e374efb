/** One registry of keyboard shortcuts: the listener runs from it and the help dialog lists it. */

export interface Shortcut {
  /** One key ("j", "?") or a sequence of two ("g h"). */
  keys: string;
  label: string;
  group: 'Go to' | 'Lists' | 'This page' | 'Everywhere';
  run: () => void;
  /** Also while a dialog or drawer is open. */
  inDialogs?: boolean;
}

const SEQUENCE_MS = 900;
const STORAGE_KEY = 'openwatch-single-key-shortcuts';

const registered = new Set<Shortcut>();
const listeners = new Set<() => void>();
let snapshot: readonly Shortcut[] = [];

export function register(shortcut: Shortcut): () => void {
  registered.add(shortcut);
  publish();
  return () => {
    registered.delete(shortcut);
    publish();
  };
}

export function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function listShortcuts(): readonly Shortcut[] {
  return snapshot;
}

function publish(): void {
  snapshot = [...registered];
  listeners.forEach((tell) => tell());
}

/** Single-key shortcuts can be turned off (WCAG 2.1.4). */
export function shortcutsEnabled(): boolean {
  return window.localStorage.getItem(STORAGE_KEY) !== 'off';
}

export function setShortcutsEnabled(enabled: boolean): void {
  window.localStorage.setItem(STORAGE_KEY, enabled ? 'on' : 'off');
  publish();
}

/** Listens for the registered shortcuts until the returned function is called. */
export function listen(target: Window): () => void {
  let pending = '';
  let pendingTimer: number | undefined;

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || !shortcutsEnabled()) return;
    const typed = pending ? `${pending} ${event.key}` : event.key;
    window.clearTimeout(pendingTimer);
    pending = '';
    const shortcut = find(typed) ?? find(event.key);
    if (shortcut) {
      event.preventDefault();
      shortcut.run();
      return;
    }
    if (!startsSequence(event.key)) return;
    pending = event.key;
    pendingTimer = window.setTimeout(() => {
      pending = '';
    }, SEQUENCE_MS);
  };
  target.addEventListener('keydown', onKeyDown);
  return () => {
    target.removeEventListener('keydown', onKeyDown);
    window.clearTimeout(pendingTimer);
  };
}

/** The one registered last wins, so that what opened on top of a page answers first. */
function find(keys: string): Shortcut | undefined {
  const inDialog = document.querySelector('[role="dialog"]') !== null;
  return [...registered]
    .reverse()
    .find((shortcut) => shortcut.keys === keys && (!inDialog || shortcut.inDialogs === true));
}

function startsSequence(key: string): boolean {
  return [...registered].some((shortcut) => shortcut.keys.startsWith(`${key} `));
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement) return true;
  if (target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(target.type);
}
