import type { Analysis, Import, ImportField, ImportOptions } from '@/api/types';

/** As the server takes it; a larger file is refused before it is sent. */
export const MAX_FILE_BYTES = 32 * 1024 * 1024;

export const FIELD_LABEL: Record<ImportField, string> = {
  name: 'Name',
  address: 'Address',
  port: 'Port',
  username: 'User name',
  environment: 'Environment',
  description: 'Description',
  tags: 'Tags',
  group: 'Group',
  credential: 'Credential',
  jump_host: 'Jump host',
};

export const FORMAT_LABEL: Record<Analysis['format'], string> = {
  csv: 'CSV',
  text: 'Plain text',
  known_hosts: 'known_hosts',
  ansible_ini: 'Ansible inventory (INI)',
  ansible_yaml: 'Ansible inventory (YAML)',
};

const DELIMITER_LABEL: Record<string, string> = { ',': 'commas', ';': 'semicolons', '\t': 'tabs', '|': 'bars' };

export type Mapping = readonly (ImportField | null)[];

export function suggestedMapping(analysis: Analysis): Mapping {
  return analysis.columns.map(({ field }) => field);
}

/** A field belongs to one column: choosing it for another takes it away from the first. */
export function withField(mapping: Mapping, column: number, field: ImportField | null): Mapping {
  return mapping.map((held, index) => (index === column ? field : held === field ? null : held));
}

export function mapOf(analysis: Analysis, mapping: Mapping): string[] {
  return analysis.columns.flatMap(({ name }, index) => {
    const field = mapping[index];
    return field ? [`${name}=${field}`] : [];
  });
}

export function namesHosts(mapping: Mapping): boolean {
  return mapping.includes('name') || mapping.includes('address');
}

/** "CSV in utf-8, separated by semicolons". */
export function describeFile({ format, encoding, delimiter }: Analysis): string {
  const separated = delimiter ? `, separated by ${DELIMITER_LABEL[delimiter] ?? delimiter}` : '';
  return `${FORMAT_LABEL[format]} in ${encoding}${separated}`;
}

export interface Wanted {
  mode: NonNullable<ImportOptions['mode']>;
  on_existing: NonNullable<ImportOptions['on_existing']>;
  key: NonNullable<ImportOptions['key']>;
  environment: string;
  tag: string[];
  group_id: string | null;
  credential_id: string | null;
}

export const USUAL: Wanted = {
  mode: 'per_row',
  on_existing: 'skip',
  key: 'name',
  environment: '',
  tag: [],
  group_id: null,
  credential_id: null,
};

export function optionsOf(wanted: Wanted, dryRun: boolean): ImportOptions {
  return {
    ...wanted,
    environment: wanted.environment.trim() || undefined,
    group_id: wanted.group_id ?? undefined,
    credential_id: wanted.credential_id ?? undefined,
    dry_run: dryRun,
  };
}

export function isOver({ state }: Import): boolean {
  return state === 'completed' || state === 'failed';
}
