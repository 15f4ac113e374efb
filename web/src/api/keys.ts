import type { CredentialQuery, GroupQuery, HostQuery, OutcomeQuery, RuleQuery, ScanQuery } from './types';

/** Every key of the query cache. One shape of data per key; a list and its facets differ in the second word. */
export const keys = {
  session: ['session'] as const,
  setup: ['setup'] as const,
  meta: ['meta'] as const,
  hosts: {
    all: ['hosts'] as const,
    lists: ['hosts', 'list'] as const,
    list: (query: HostQuery) => ['hosts', 'list', query] as const,
    allFacets: ['hosts', 'facets'] as const,
    facets: (query: HostQuery) => ['hosts', 'facets', query] as const,
    one: (id: string) => ['hosts', 'one', id] as const,
    outcomes: (id: string, query: OutcomeQuery) => ['hosts', 'outcomes', id, query] as const,
    allOutcomes: (id: string) => ['hosts', 'outcomes', id] as const,
    history: (id: string) => ['hosts', 'history', id] as const,
    keys: (id: string) => ['hosts', 'keys', id] as const,
    suggestions: (search: string) => ['hosts', 'suggestions', search] as const,
    deletedCount: ['hosts', 'deleted-count'] as const,
  },
  groups: {
    all: ['groups'] as const,
    list: (query: GroupQuery) => ['groups', 'list', query] as const,
    choices: ['groups', 'choices'] as const,
    one: (id: string) => ['groups', 'one', id] as const,
    ofHost: (id: string) => ['groups', 'of-host', id] as const,
    preview: (rule: string) => ['groups', 'preview', rule] as const,
  },
  imports: {
    all: ['imports'] as const,
    one: (id: string) => ['imports', 'one', id] as const,
    refused: (id: string) => ['imports', 'refused', id] as const,
  },
  ruleFields: ['rule-fields'] as const,
  credentials: {
    all: ['credentials'] as const,
    list: (query: CredentialQuery) => ['credentials', 'list', query] as const,
    choices: ['credentials', 'choices'] as const,
    one: (id: string) => ['credentials', 'one', id] as const,
  },
  scans: {
    all: ['scans'] as const,
    lists: ['scans', 'list'] as const,
    list: (query: ScanQuery) => ['scans', 'list', query] as const,
    one: (id: string) => ['scans', 'one', id] as const,
    outcomes: (id: string, query: OutcomeQuery) => ['scans', 'outcomes', id, query] as const,
    allOutcomes: (id: string) => ['scans', 'outcomes', id] as const,
    outcome: (id: string, ruleId: string) => ['scans', 'outcome', id, ruleId] as const,
  },
  rules: {
    list: (query: RuleQuery) => ['rules', 'list', query] as const,
    one: (id: string) => ['rules', 'one', id] as const,
  },
  frameworks: ['frameworks'] as const,
};
