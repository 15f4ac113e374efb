import { Button, FileButton, PasswordInput, SegmentedControl, Textarea, TextInput } from '@mantine/core';
import type { GetInputPropsReturnType } from '@mantine/form';
import type { Credential } from '@/api/types';
import classes from '@/components/Form.module.css';
import { usesKey, usesPassword, type CredentialValues, type LoginMethod } from './model';

type Field = keyof CredentialValues;

interface Props {
  values: CredentialValues;
  /** Mantine's input props of one of our fields, wherever they live in the form. */
  field: (name: Field) => GetInputPropsReturnType;
  onChange: (name: Field, value: string) => void;
  /** The saved credential when one is edited: what it holds is kept unless something new is typed. */
  saved?: Credential;
  nameDescription: string;
}

const METHODS: { value: LoginMethod; label: string }[] = [
  { value: 'key', label: 'Key' },
  { value: 'password', label: 'Password' },
  { value: 'both', label: 'Key, then password' },
];

/** A key is a few kilobytes; more than this is another file. */
const LARGEST_KEY_BYTES = 64 * 1024;

export function CredentialFields({ values, field, onChange, saved, nameDescription }: Props) {
  const kept = (has: boolean | undefined, text: string) => (has ? `${text} is saved. Type to replace it.` : undefined);
  const readKey = async (file: File | null) => {
    if (!file || file.size > LARGEST_KEY_BYTES) return;
    onChange('private_key', await file.text());
  };
  return (
    <div className={classes.grid}>
      <TextInput
        className={classes.three}
        label="Log in as"
        placeholder="scan"
        withAsterisk
        autoComplete="off"
        autoCapitalize="none"
        spellCheck={false}
        {...field('username')}
      />
      <TextInput
        className={classes.three}
        label="Name of the credential"
        placeholder={nameDescription}
        autoComplete="off"
        withAsterisk={saved !== undefined}
        {...field('name')}
      />
      <SegmentedControl
        aria-label="Log in with"
        data={METHODS}
        value={values.method}
        onChange={(method) => onChange('method', method)}
      />
      {usesKey(values.method) && (
        <>
          <div>
            <Textarea
              classNames={{ input: classes.key }}
              label="Private key"
              description={kept(saved?.has_private_key, 'A key') ?? 'OpenSSH or PEM. It is encrypted before it is stored and never shown again.'}
              placeholder="-----BEGIN OPENSSH PRIVATE KEY-----"
              withAsterisk={!saved?.has_private_key}
              autosize
              minRows={4}
              maxRows={9}
              autoComplete="off"
              spellCheck={false}
              {...field('private_key')}
            />
            <FileButton onChange={(file) => void readKey(file)}>
              {(props) => (
                <Button {...props} variant="default" mt={8}>
                  Choose key file
                </Button>
              )}
            </FileButton>
          </div>
          <PasswordInput
            className={classes.three}
            label="Passphrase of the key"
            description={kept(saved?.has_passphrase, 'A passphrase') ?? 'Only when the key is encrypted.'}
            autoComplete="off"
            {...field('passphrase')}
          />
        </>
      )}
      {usesPassword(values.method) && (
        <PasswordInput
          className={classes.three}
          label="Password"
          description={kept(saved?.has_password, 'A password') ?? 'Of the account above.'}
          withAsterisk={!saved?.has_password}
          autoComplete="off"
          {...field('password')}
        />
      )}
      <PasswordInput
        className={classes.three}
        label="Password for sudo"
        description={
          kept(saved?.has_sudo_password, 'A password') ??
          (usesPassword(values.method) ? 'Only when it differs from the password.' : 'Only when sudo asks for one.')
        }
        autoComplete="off"
        {...field('sudo_password')}
      />
    </div>
  );
}
