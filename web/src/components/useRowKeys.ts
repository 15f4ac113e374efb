import type { RefObject } from 'react';
import { useShortcut } from '@/app/shortcuts/useShortcut';

/** j and k move the focus between the links of a table's rows. */
export function useRowKeys(
  frame: RefObject<HTMLElement | null>,
  length: number,
  scrollTo: (index: number) => void,
): void {
  const move = (by: number) => {
    const current = focusedRow(frame.current);
    const start = by > 0 ? -1 : length;
    const target = Math.min(length - 1, Math.max(0, (current ?? start) + by));
    if (focusRow(frame.current, target)) return;
    scrollTo(target);
    requestAnimationFrame(() => requestAnimationFrame(() => focusRow(frame.current, target)));
  };
  const enabled = length > 0;
  useShortcut('j', () => move(1), { label: 'Next row', group: 'Lists', enabled });
  useShortcut('k', () => move(-1), { label: 'Previous row', group: 'Lists', enabled });
}

function focusedRow(frame: HTMLElement | null): number | null {
  const row = document.activeElement?.closest<HTMLElement>('[data-index]');
  return row && frame?.contains(row) ? Number(row.dataset.index) : null;
}

function focusRow(frame: HTMLElement | null, index: number): boolean {
  const link = frame?.querySelector<HTMLElement>(`[data-index="${index}"] [data-row-link]`);
  if (!link) return false;
  link.focus();
  link.scrollIntoView({ block: 'nearest' });
  return true;
}
