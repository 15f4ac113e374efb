import { one } from '@/app/search';
import { outcomeSearch, type OutcomeSearch } from '../outcomes/search';

export const HOST_TABS = ['findings', 'scans', 'about'] as const;
export type HostTab = (typeof HOST_TABS)[number];

export interface HostSearch extends OutcomeSearch {
  tab?: HostTab;
}

export function hostSearch(raw: Record<string, unknown>): HostSearch {
  const tab = HOST_TABS.find((name) => name === one(raw.tab));
  return { ...outcomeSearch(raw), tab };
}
