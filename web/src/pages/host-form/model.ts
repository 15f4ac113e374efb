import type { ConnectionTestRequest, Host, HostCreate, HostUpdate } from '@/api/types';
import { EMPTY_CREDENTIAL, secretsOf, validateCredential, type CredentialValues } from '../credentials/model';

export interface HostValues {
  name: string;
  address: string;
  port: number | string;
  username: string;
  environment: string;
  description: string;
  tags: string[];
  host_key_policy: Host['host_key_policy'];
  jump_host_id: string | null;
  access: 'existing' | 'new';
  credential_id: string | null;
  credential: CredentialValues;
}

export const EMPTY_HOST: HostValues = {
  name: '',
  address: '',
  port: 22,
  username: '',
  environment: '',
  description: '',
  tags: [],
  host_key_policy: 'accept_new',
  jump_host_id: null,
  access: 'existing',
  credential_id: null,
  credential: EMPTY_CREDENTIAL,
};

export function valuesOfHost(host: Host): HostValues {
  return {
    ...EMPTY_HOST,
    name: host.name,
    address: host.address,
    port: host.port,
    username: host.username ?? '',
    environment: host.environment ?? '',
    description: host.description,
    tags: host.tags,
    host_key_policy: host.host_key_policy,
    jump_host_id: host.jump_host_id,
    credential_id: host.credential_id,
  };
}

/** A host without a name of its own is called by its address. */
export function nameOf(values: HostValues): string {
  return values.name.trim() || values.address.trim();
}

export function hostFieldsOf(values: HostValues): HostUpdate & { name: string; address: string } {
  return {
    name: nameOf(values),
    address: values.address.trim(),
    port: Number(values.port),
    username: values.username.trim() || null,
    environment: values.environment.trim() || null,
    description: values.description,
    tags: values.tags,
    credential_id: values.credential_id,
    jump_host_id: values.jump_host_id,
    host_key_policy: values.host_key_policy,
  };
}

export function newHostOf(values: HostValues, trustHostKey: string | null): HostCreate {
  return { ...(hostFieldsOf(values) as HostCreate), trust_host_key: trustHostKey };
}

/** The credential that is saved together with the host; without a name it is called user@host. */
export function newHostCredentialOf(values: HostValues) {
  const { credential } = values;
  const username = credential.username.trim();
  return { name: credential.name.trim() || `${username}@${nameOf(values)}`, username, ...secretsOf(credential) };
}

export function connectionTestOf(values: HostValues, trustHostKey: string | null): ConnectionTestRequest {
  const target = {
    address: values.address.trim(),
    port: Number(values.port),
    username: values.username.trim() || null,
    jump_host_id: values.jump_host_id,
    trust_host_key: trustHostKey,
  };
  if (values.access === 'existing') return { ...target, credential_id: values.credential_id };
  const username = values.credential.username.trim();
  return { ...target, credential: { username, ...secretsOf(values.credential) } };
}

const LEAST_PORT = 1;
const GREATEST_PORT = 65_535;

/** Only what needs no server to be known as wrong. Keys are those of the form. */
export function validateHost(values: HostValues, what: 'save' | 'test'): Record<string, string> {
  const errors: Record<string, string> = {};
  if (values.address.trim() === '') errors.address = 'Enter a host name or an IP address.';
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < LEAST_PORT || port > GREATEST_PORT) {
    errors.port = `A port is a number from ${LEAST_PORT} to ${GREATEST_PORT}.`;
  }
  if (values.access === 'new') {
    for (const [field, message] of Object.entries(validateCredential(values.credential, null))) {
      if (field !== 'name') errors[`credential.${field}`] = message;
    }
  } else if (values.credential_id === null && what === 'test') {
    errors.credential_id = 'Choose a credential to test with.';
  }
  return errors;
}
