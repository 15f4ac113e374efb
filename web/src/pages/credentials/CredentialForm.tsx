import { Button, Checkbox } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState, type ReactNode } from 'react';
import { toApiError } from '@/api/problem';
import type { Credential } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import formClasses from '@/components/Form.module.css';
import { Card } from '@/components/Page';
import { ErrorBanner } from '@/components/States';
import { CredentialFields } from './CredentialFields';
import classes from './Credentials.module.css';
import { EMPTY_CREDENTIAL, validateCredential, valuesOfCredential, type CredentialValues } from './model';

interface Props {
  saved?: Credential;
  action: string;
  pending: boolean;
  error: unknown;
  disabled?: boolean;
  /** Beside the error: what helps with it. */
  errorActions?: ReactNode;
  onSubmit: (values: CredentialValues, removeSudoPassword: boolean, onError: (error: unknown) => void) => void;
}

export function CredentialForm({ saved, action, pending, error, disabled, errorActions, onSubmit }: Props) {
  const form = useForm<CredentialValues>({
    initialValues: saved ? valuesOfCredential(saved) : EMPTY_CREDENTIAL,
    validate: (values) => validateCredential(values, saved ?? null),
  });
  const [removeSudo, setRemoveSudo] = useState(false);
  const showFieldErrors = (failure: unknown) => {
    const { fields } = toApiError(failure);
    if (fields.length > 0) form.setErrors(Object.fromEntries(fields.map(({ field, message }) => [field, message])));
  };
  return (
    <form
      className={classes.form}
      noValidate
      onSubmit={form.onSubmit((values) => onSubmit(values, removeSudo, showFieldErrors))}
    >
      <Card>
        <CredentialFields
          values={form.values}
          field={(name) => form.getInputProps(name)}
          onChange={(name, value) => form.setFieldValue(name, value)}
          saved={saved}
          nameDescription="Web servers, scan account"
        />
        {saved?.has_sudo_password && form.values.sudo_password === '' && (
          <Checkbox
            mt="sm"
            size="sm"
            label="Remove the saved password for sudo"
            checked={removeSudo}
            onChange={(event) => setRemoveSudo(event.currentTarget.checked)}
          />
        )}
      </Card>
      <ErrorBanner error={error} actions={errorActions} />
      <div className={formClasses.actions}>
        <Button type="submit" size="sm" loading={pending} disabled={disabled}>
          {action}
        </Button>
        <ButtonLink to="/credentials" variant="subtle" color="gray" size="sm">
          Cancel
        </ButtonLink>
      </div>
    </form>
  );
}
