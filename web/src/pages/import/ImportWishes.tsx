import { Select, TagsInput, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { credentialChoicesQuery } from '@/api/queries/credentials';
import { groupChoicesQuery } from '@/api/queries/groups';
import { useCan } from '@/app/session';
import formClasses from '@/components/Form.module.css';
import { Card } from '@/components/Page';
import type { Wanted } from './model';

const EXISTING: { value: Wanted['on_existing']; label: string }[] = [
  { value: 'skip', label: 'Leave it as it is' },
  { value: 'update', label: 'Update it' },
  { value: 'refuse', label: 'Refuse the row' },
];
const KEYS: { value: Wanted['key']; label: string }[] = [
  { value: 'name', label: 'Its name' },
  { value: 'address', label: 'Its address' },
];
const MODES: { value: Wanted['mode']; label: string }[] = [
  { value: 'per_row', label: 'Import the other rows' },
  { value: 'atomic', label: 'Import nothing' },
];

interface Props {
  wanted: Wanted;
  onChange: (patch: Partial<Wanted>) => void;
}

/** What happens with known hosts and wrong rows, and what new hosts get. */
export function ImportWishes({ wanted, onChange }: Props) {
  const groups = useQuery({ ...groupChoicesQuery, enabled: useCan('group:read') });
  const credentials = useQuery({ ...credentialChoicesQuery, enabled: useCan('credential:read') });
  return (
    <Card title="How">
      <div className={formClasses.grid}>
        <Select
          className={formClasses.two}
          label="A host is known by"
          data={KEYS}
          value={wanted.key}
          allowDeselect={false}
          onChange={(key) => key && onChange({ key })}
        />
        <Select
          className={formClasses.two}
          label="When a host is known"
          data={EXISTING}
          value={wanted.on_existing}
          allowDeselect={false}
          onChange={(on_existing) => on_existing && onChange({ on_existing })}
        />
        <Select
          className={formClasses.two}
          label="When a row is wrong"
          data={MODES}
          value={wanted.mode}
          allowDeselect={false}
          onChange={(mode) => mode && onChange({ mode })}
        />
        <Select
          className={formClasses.three}
          label="Credential of new hosts"
          placeholder="None"
          searchable
          clearable
          data={(credentials.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          value={wanted.credential_id}
          onChange={(credential_id) => onChange({ credential_id })}
        />
        <Select
          className={formClasses.three}
          label="Group of new hosts"
          placeholder="None besides those of the file"
          searchable
          clearable
          data={(groups.data ?? [])
            .filter(({ membership }) => membership === 'manual')
            .map(({ id, name }) => ({ value: id, label: name }))}
          value={wanted.group_id}
          onChange={(group_id) => onChange({ group_id })}
        />
        <TextInput
          className={formClasses.three}
          label="Environment of new hosts"
          placeholder="production"
          autoComplete="off"
          value={wanted.environment}
          onChange={(event) => onChange({ environment: event.currentTarget.value })}
        />
        <TagsInput
          className={formClasses.three}
          label="Tags of new hosts"
          placeholder={wanted.tag.length === 0 ? 'Type and press Enter' : undefined}
          value={wanted.tag}
          onChange={(tag) => onChange({ tag })}
        />
      </div>
    </Card>
  );
}
