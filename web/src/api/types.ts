import type { components, operations } from './schema.gen';

type Schemas = components['schemas'];

export type Session = Schemas['Session'];
export type Meta = Schemas['Meta'];
export type Host = Schemas['Host'];
export type HostState = Schemas['HostState'];
export type HostCreate = Schemas['HostCreate'];
export type HostUpdate = Schemas['HostUpdate'];
export type HostFilters = Schemas['HostFilters'];
export type HostFacets = Schemas['HostFacets'];
export type HostOutcome = Schemas['HostOutcome'];
export type HistoryPoint = Schemas['HistoryPoint'];
export type KnownHostKey = Schemas['KnownHostKey'];
export type Group = Schemas['Group'];
export type GroupCreate = Schemas['GroupCreate'];
export type GroupUpdate = Schemas['GroupUpdate'];
export type MembersChange = Schemas['MembersChange'];
export type RulePreview = Schemas['RulePreview'];
export type Import = Schemas['Import'];
export type Analysis = Schemas['Analysis'];
export type ImportField = Schemas['Field'];
export type Credential = Schemas['Credential'];
export type CredentialCreate = Schemas['CredentialCreate'];
export type CredentialUpdate = Schemas['CredentialUpdate'];
export type ConnectionTest = Schemas['ConnectionTest'];
export type ConnectionTestRequest = Schemas['ConnectionTestRequest'];
export type ConnectionStep = Schemas['ConnectionStep'];
export type Scan = Schemas['Scan'];
export type ScanState = Schemas['ScanState'];
export type ScanOutcome = Schemas['ScanOutcome'];
export type OutcomeDetail = Schemas['OutcomeDetail'];
export type OutcomeFacets = Schemas['OutcomeFacets'];
export type Observation = Schemas['Observation'];
export type Rule = Schemas['Rule'];
export type RuleDetail = Schemas['RuleDetail'];
export type RuleControl = Schemas['RuleControl'];
export type Framework = Schemas['Framework'];
export type Score = Schemas['Score'];
export type Failing = Schemas['Failing'];
export type Os = Schemas['Os'];
export type Progress = Schemas['Progress'];
export type Failure = Schemas['Failure'];
export type Verdict = Schemas['Verdict'];
export type Severity = Schemas['Severity'];
export type Category = Schemas['Category'];

type Query<Name extends keyof operations> = NonNullable<operations[Name]['parameters']['query']>;

export type HostQuery = Omit<Query<'list_hosts'>, 'cursor' | 'limit'>;
export type ScanQuery = Omit<Query<'list_scans'>, 'cursor' | 'limit'>;
export type OutcomeQuery = Omit<Query<'list_scan_outcomes'>, 'cursor' | 'limit'>;
export type RuleQuery = Omit<Query<'list_rules'>, 'cursor' | 'limit'>;
export type GroupQuery = Omit<Query<'list_groups'>, 'cursor' | 'limit'>;
/** What is told about a file, and what is done with its rows. */
export type ImportSource = Pick<Query<'import_hosts'>, 'file_name' | 'format' | 'encoding' | 'delimiter' | 'map'>;
export type ImportOptions = Omit<Query<'import_hosts'>, keyof ImportSource>;
export type CredentialQuery = Omit<Query<'list_credentials'>, 'cursor' | 'limit'>;

// test/contract.test.ts proves that each list holds every value that the API names.
export const VERDICTS = ['fail', 'error', 'manual', 'not_configured', 'not_applicable', 'pass'] as const satisfies readonly Verdict[];
export const SEVERITIES = ['critical', 'high', 'medium', 'low'] as const satisfies readonly Severity[];
export const HOST_STATES = ['ok', 'scanning', 'failed', 'never_scanned'] as const satisfies readonly HostState[];
export const SCAN_STATES = ['queued', 'running', 'completed', 'failed', 'cancelled'] as const satisfies readonly ScanState[];
export const CATEGORIES = [
  'access-control',
  'audit',
  'filesystem',
  'kernel',
  'logging',
  'network',
  'services',
  'system',
] as const satisfies readonly Category[];
