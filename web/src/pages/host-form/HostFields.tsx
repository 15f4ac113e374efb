import { Autocomplete, NumberInput, SegmentedControl, Select, TagsInput, Textarea, TextInput } from '@mantine/core';
import type { UseFormReturnType } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { credentialChoicesQuery } from '@/api/queries/credentials';
import { hostFacetsQuery, hostSuggestionsQuery } from '@/api/queries/hosts';
import { useCan } from '@/app/session';
import { Card } from '@/components/Page';
import { CredentialFields } from '../credentials/CredentialFields';
import type { CredentialValues } from '../credentials/model';
import formClasses from '@/components/Form.module.css';
import classes from './HostForm.module.css';
import { nameOf, type HostValues } from './model';

export type HostFormApi = UseFormReturnType<HostValues>;

const POLICIES: { value: HostValues['host_key_policy']; label: string }[] = [
  { value: 'accept_new', label: 'Accept the first key, refuse a changed one' },
  { value: 'strict', label: 'Only keys that a person accepted' },
];

interface Props {
  form: HostFormApi;
  /** The host that is edited; it cannot be its own jump host. */
  hostId?: string;
}

export function HostFields({ form, hostId }: Props) {
  const facets = useQuery(hostFacetsQuery({}));
  const hosts = useQuery(hostSuggestionsQuery(''));
  const jumpHosts = (hosts.data ?? []).filter((host) => host.id !== hostId);
  return (
    <div className={classes.fields}>
      <Card title="Host">
        <div className={formClasses.grid}>
          <TextInput
            className={formClasses.four}
            label="Address"
            description="A host name or an IP address that the OpenWatch server can reach."
            placeholder="db1.example.org"
            withAsterisk
            data-autofocus
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('address')}
          />
          <NumberInput
            className={formClasses.two}
            label="Port"
            description="Of its SSH service."
            withAsterisk
            hideControls
            allowDecimal={false}
            allowNegative={false}
            {...form.getInputProps('port')}
          />
          <TextInput
            className={formClasses.four}
            label="Name"
            description="Left empty, the address is its name."
            placeholder={nameOf(form.values)}
            autoComplete="off"
            {...form.getInputProps('name')}
          />
          <Autocomplete
            className={formClasses.two}
            label="Environment"
            description="Such as production."
            data={Object.keys(facets.data?.environment ?? {})}
            {...form.getInputProps('environment')}
          />
          <TagsInput
            label="Tags"
            description="Enter adds one."
            data={Object.keys(facets.data?.tag ?? {})}
            {...form.getInputProps('tags')}
          />
          <Textarea label="Description" autosize minRows={1} maxRows={5} {...form.getInputProps('description')} />
        </div>
      </Card>
      <Access form={form} />
      <Card title="Connection options">
        <div className={formClasses.grid}>
          <Select
            className={formClasses.three}
            label="Host key"
            description="What to do with the key that the host shows."
            data={POLICIES}
            {...form.getInputProps('host_key_policy')}
          />
          <Select
            className={formClasses.three}
            label="Jump host"
            description="When the host is reached through another one."
            placeholder="None, directly"
            data={jumpHosts.map((host) => ({ value: host.id, label: host.name }))}
            clearable
            searchable
            allowDeselect
            {...form.getInputProps('jump_host_id')}
          />
          <TextInput
            className={formClasses.three}
            label="Log in as another user"
            description="Instead of the credential’s user, on this host only."
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('username')}
          />
        </div>
      </Card>
    </div>
  );
}

function Access({ form }: { form: HostFormApi }) {
  const canWrite = useCan('credential:write');
  const credentials = useQuery(credentialChoicesQuery);
  const choices = credentials.data ?? [];
  const { values } = form;
  return (
    <Card
      title="Credential"
      aside={
        canWrite && (
          <SegmentedControl
            size="xs"
            aria-label="Credential"
            data={[
              { value: 'existing', label: 'Saved' },
              { value: 'new', label: 'New' },
            ]}
            value={values.access}
            onChange={(access) => form.setFieldValue('access', access === 'new' ? 'new' : 'existing')}
          />
        )
      }
    >
      {values.access === 'existing' ? (
        <Select
          label="Saved credential"
          description="How OpenWatch logs in and uses sudo."
          placeholder={credentials.isPending ? 'Loading…' : choices.length === 0 ? 'None saved yet: choose New' : 'Choose one'}
          data={choices.map((entry) => ({ value: entry.id, label: `${entry.name} (${entry.username})` }))}
          searchable
          clearable
          {...form.getInputProps('credential_id')}
        />
      ) : (
        <CredentialFields
          values={values.credential}
          field={(name) => form.getInputProps(`credential.${name}`)}
          onChange={(name: keyof CredentialValues, value) => form.setFieldValue(`credential.${name}`, value)}
          nameDescription={`${values.credential.username || 'user'}@${nameOf(values) || 'host'}`}
        />
      )}
    </Card>
  );
}
