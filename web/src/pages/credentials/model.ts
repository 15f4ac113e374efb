import type { Credential, CredentialCreate, CredentialUpdate } from '@/api/types';

export type LoginMethod = 'key' | 'password' | 'both';

/** What logs in, as a person types it. Secrets stay in this form: they are in no draft and no cache. */
export interface CredentialValues {
  name: string;
  username: string;
  method: LoginMethod;
  private_key: string;
  passphrase: string;
  password: string;
  sudo_password: string;
}

export const EMPTY_CREDENTIAL: CredentialValues = {
  name: '',
  username: '',
  method: 'key',
  private_key: '',
  passphrase: '',
  password: '',
  sudo_password: '',
};

export function valuesOfCredential(credential: Credential): CredentialValues {
  return {
    ...EMPTY_CREDENTIAL,
    name: credential.name,
    username: credential.username,
    method: methodOf(credential),
  };
}

function methodOf(credential: Credential): LoginMethod {
  if (credential.has_private_key && credential.has_password) return 'both';
  return credential.has_password ? 'password' : 'key';
}

export function usesKey(method: LoginMethod): boolean {
  return method !== 'password';
}

export function usesPassword(method: LoginMethod): boolean {
  return method !== 'key';
}

/** The secrets that belong to the chosen method; a field that the method hides is not sent. */
export function secretsOf(values: CredentialValues) {
  const key = usesKey(values.method);
  const password = usesPassword(values.method);
  return {
    private_key: key && values.private_key.trim() !== '' ? values.private_key : null,
    passphrase: key && values.passphrase !== '' ? values.passphrase : null,
    password: password && values.password !== '' ? values.password : null,
    sudo_password: values.sudo_password !== '' ? values.sudo_password : null,
  };
}

/** `saved` is what a credential holds already: its secrets may be left as they are. */
export function validateCredential(values: CredentialValues, saved: Credential | null): Record<string, string> {
  const errors: Record<string, string> = {};
  if (values.name.trim() === '') errors.name = 'Give it a name that tells it from others.';
  if (values.username.trim() === '') errors.username = 'Enter the account to log in as.';
  if (usesKey(values.method) && values.private_key.trim() === '' && !saved?.has_private_key) {
    errors.private_key = 'Paste the private key, or choose its file.';
  }
  if (usesPassword(values.method) && values.password === '' && !saved?.has_password) {
    errors.password = 'Enter the password.';
  }
  return errors;
}

export function newCredentialOf(values: CredentialValues): CredentialCreate {
  return { name: values.name.trim(), username: values.username.trim(), ...secretsOf(values) };
}

const SECRETS = ['private_key', 'passphrase', 'password', 'sudo_password'] as const;

/**
 * What to change of a saved credential: a secret that is typed replaces, one that the method no longer uses is
 * removed (null), one that is left empty stays (absent).
 */
export function changesOf(values: CredentialValues, saved: Credential, removeSudoPassword: boolean): CredentialUpdate {
  const typed = secretsOf(values);
  const unused = {
    private_key: saved.has_private_key && !usesKey(values.method),
    passphrase: saved.has_passphrase && (!usesKey(values.method) || (typed.private_key !== null && typed.passphrase === null)),
    password: saved.has_password && !usesPassword(values.method),
    sudo_password: saved.has_sudo_password && removeSudoPassword,
  };
  const changes: CredentialUpdate = { name: values.name.trim(), username: values.username.trim() };
  for (const secret of SECRETS) {
    if (unused[secret]) changes[secret] = null;
    else if (typed[secret] !== null) changes[secret] = typed[secret];
  }
  return changes;
}
