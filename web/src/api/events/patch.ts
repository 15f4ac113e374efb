import type { QueryClient } from '@tanstack/react-query';
import { keys } from '../keys';
import { ApiError } from '../problem';
import { readHost } from '../queries/hosts';
import { patchRow, removeRow, type Page, type Pages } from '../queries/paging';
import { readScan } from '../queries/scans';
import type { Host, Scan } from '../types';
import { parseProgress, progressStore } from './progress';
import type { ServerEvent } from './stream';

/** Above this many changed rows in one burst, reading the lists again is cheaper than row by row. */
export const ROWS_PER_BURST = 20;

/** What a burst of events touches. */
export interface Touched {
  hosts: Set<string>;
  scans: Set<string>;
  deletedHosts: Set<string>;
  hostListChanged: boolean;
  scanListChanged: boolean;
  groupsChanged: boolean;
  groupHostsChanged: boolean;
  credentialsChanged: boolean;
  imports: Set<string>;
  hostsImported: boolean;
  hostKeys: Set<string>;
  finishedHosts: Set<string>;
}

export function summarize(events: readonly ServerEvent[]): Touched {
  const touched: Touched = {
    hosts: new Set(),
    scans: new Set(),
    deletedHosts: new Set(),
    hostListChanged: false,
    scanListChanged: false,
    groupsChanged: false,
    groupHostsChanged: false,
    credentialsChanged: false,
    imports: new Set(),
    hostsImported: false,
    hostKeys: new Set(),
    finishedHosts: new Set(),
  };
  for (const event of events) add(touched, event);
  for (const id of touched.deletedHosts) touched.hosts.delete(id);
  return touched;
}

function add(touched: Touched, event: ServerEvent): void {
  const { kind, subject, host_id: hostId } = event;
  if (kind.startsWith('credential.')) touched.credentialsChanged = true;
  if (kind.startsWith('import.')) touched.imports.add(subject.id);
  // It tells of all its hosts at once: any of them may be new, or another than before.
  if (kind === 'import.completed' || kind === 'import.failed') touched.hostsImported = true;
  if (kind.startsWith('group.')) touched.groupsChanged = true;
  if (kind === 'group.updated' || kind === 'group.hosts_changed') touched.groupHostsChanged = true;
  if (kind === 'host.deleted') touched.deletedHosts.add(subject.id);
  if (kind === 'host.created' || kind === 'host.deleted' || kind === 'host.restored') touched.hostListChanged = true;
  if (kind === 'host.created' || kind === 'host.updated' || kind === 'host.restored') touched.hosts.add(subject.id);
  if (kind.startsWith('host.key_')) touched.hostKeys.add(hostId ?? subject.id);
  if (kind === 'scan.queued') touched.scanListChanged = true;
  if (kind.startsWith('scan.') && kind !== 'scan.progress') {
    touched.scans.add(subject.id);
    if (hostId) touched.hosts.add(hostId);
  }
  if (kind === 'scan.completed' && hostId) touched.finishedHosts.add(hostId);
}

/** Progress needs no reading: the frame carries all of it. */
export function applyProgress(event: ServerEvent): void {
  const progress = parseProgress(event.data);
  if (progress) progressStore.set(event.subject.id, progress);
}

/** Brings the cache up to date with a burst of events, by row where that is cheap. */
export async function applyTouched(client: QueryClient, touched: Touched): Promise<void> {
  const work: Promise<unknown>[] = [];
  const invalidate = (queryKey: readonly unknown[]) => {
    work.push(client.invalidateQueries({ queryKey }));
  };
  const refreshLists = (queryKey: readonly unknown[], rows: Set<string>, changed: boolean) => {
    if (changed || rows.size > ROWS_PER_BURST) invalidate(queryKey);
    // A list that is being read at the moment may be older than the event.
    else if (rows.size > 0) work.push(client.invalidateQueries({ queryKey, fetchStatus: 'fetching' }));
  };

  for (const id of touched.deletedHosts) {
    client.setQueriesData<Pages<Page<Host>>>({ queryKey: keys.hosts.lists }, (pages) => removeRow(pages, id));
    client.removeQueries({ queryKey: keys.hosts.one(id), type: 'inactive' });
  }
  refreshLists(keys.hosts.lists, touched.hosts, touched.hostListChanged || touched.groupHostsChanged);
  if (touched.hosts.size <= ROWS_PER_BURST) {
    for (const id of touched.hosts) work.push(refreshHost(client, id));
  } else {
    invalidate(['hosts', 'one']);
  }
  refreshLists(keys.scans.lists, touched.scans, touched.scanListChanged);
  if (touched.scans.size <= ROWS_PER_BURST) {
    for (const id of touched.scans) work.push(refreshScan(client, id));
  } else {
    invalidate(['scans', 'one']);
  }
  if (touched.hosts.size > 0 || touched.hostListChanged) invalidate(keys.hosts.allFacets);
  // Its hosts are added up in a group, and a rule may find it now.
  if (touched.groupsChanged || touched.hostListChanged || touched.hosts.size > 0) invalidate(keys.groups.all);
  if (touched.groupHostsChanged) invalidate(keys.hosts.allFacets);
  for (const id of touched.imports) invalidate(keys.imports.one(id));
  if (touched.hostsImported) {
    invalidate(keys.hosts.all);
    invalidate(keys.groups.all);
  }
  if (touched.credentialsChanged) invalidate(keys.credentials.all);
  for (const id of touched.hostKeys) invalidate(keys.hosts.keys(id));
  for (const id of touched.finishedHosts) {
    invalidate(keys.hosts.allOutcomes(id));
    invalidate(keys.hosts.history(id));
  }
  await Promise.all(work);
}

async function refreshHost(client: QueryClient, id: string): Promise<void> {
  if (!isShown(client, keys.hosts.one(id), keys.hosts.lists, id)) return;
  const host = await readAnew(client, keys.hosts.one(id), () => readHost(id));
  if (!host) return;
  client.setQueriesData<Pages<Page<Host>>>({ queryKey: keys.hosts.lists }, (pages) => patchRow(pages, host));
}

async function refreshScan(client: QueryClient, id: string): Promise<void> {
  if (!isShown(client, keys.scans.one(id), keys.scans.lists, id)) return;
  const scan = await readAnew(client, keys.scans.one(id), () => readScan(id));
  if (!scan) return;
  client.setQueriesData<Pages<Page<Scan>>>({ queryKey: keys.scans.lists }, (pages) => patchRow(pages, scan));
  if (scan.state === 'queued' || scan.state === 'running') return;
  progressStore.forget(id);
  await client.invalidateQueries({ queryKey: keys.scans.allOutcomes(id) });
}

function isShown(client: QueryClient, one: readonly unknown[], lists: readonly unknown[], id: string): boolean {
  // Also when it is still being read: that answer may be older than the event.
  if (client.getQueryState(one) !== undefined) return true;
  return client
    .getQueriesData<Pages<Page<{ id: string }>>>({ queryKey: lists })
    .some(([, pages]) => pages?.pages.some((page) => page.items.some((row) => row.id === id)));
}

const turns = new Map<string, number>();

/**
 * Reads one row and keeps it. Not as the page's own query, which ends with the part of the page that shows it; and
 * what is being read already may be older than the event.
 */
async function readAnew<T>(client: QueryClient, queryKey: readonly unknown[], read: () => Promise<T>): Promise<T | null> {
  const name = queryKey.join(' ');
  const turn = (turns.get(name) ?? 0) + 1;
  turns.set(name, turn);
  await client.cancelQueries({ queryKey, exact: true });
  const row = await readOrNull(read);
  if (turns.get(name) !== turn) return null;
  turns.delete(name);
  if (row === null) await client.invalidateQueries({ queryKey, exact: true });
  else client.setQueryData(queryKey, row);
  return row;
}

async function readOrNull<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    // The row is gone or the server is away: the page's own query shows that, with its reason.
    if (error instanceof ApiError) return null;
    throw error;
  }
}
