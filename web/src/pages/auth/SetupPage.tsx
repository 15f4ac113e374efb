import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { toApiError } from '@/api/problem';
import { useCompleteSetup } from '@/api/queries/session';
import { ErrorBanner } from '@/components/States';
import classes from './Auth.module.css';
import { AuthScreen } from './AuthScreen';

/** NIST SP 800-63B, 5.1.1.2: length is what counts; the server checks again and knows more. */
const LEAST_PASSWORD_LENGTH = 12;

/** The first administrator is made here, with the one-time token of the printed link. */
export function SetupPage() {
  const [token] = useState(() => new URLSearchParams(window.location.hash.slice(1)).get('token') ?? '');
  const navigate = useNavigate();
  const setup = useCompleteSetup();
  useTokenOutOfAddress();
  const form = useForm({
    initialValues: { token, username: 'admin', display_name: '', password: '', repeated: '' },
    validate: {
      token: (value) => (value.trim() === '' ? 'Enter the token of the first-run link.' : null),
      username: (value) => (value.trim() === '' ? 'Choose a user name.' : null),
      password: (value) =>
        value.length < LEAST_PASSWORD_LENGTH ? `Use at least ${LEAST_PASSWORD_LENGTH} characters.` : null,
      repeated: (value, values) => (value === values.password ? null : 'The two passwords differ.'),
    },
  });
  const submit = form.onSubmit((values) =>
    setup.mutate(
      {
        token: values.token.trim(),
        username: values.username.trim(),
        display_name: values.display_name.trim() || values.username.trim(),
        password: values.password,
      },
      {
        onSuccess: () => void navigate({ to: '/hosts', replace: true }),
        onError: (error) =>
          form.setErrors(Object.fromEntries(toApiError(error).fields.map(({ field, message }) => [field, message]))),
      },
    ),
  );
  return (
    <AuthScreen title="Set up OpenWatch" intro={<p>Create the administrator. This page works once.</p>}>
      <form className={classes.form} onSubmit={submit} noValidate>
        <ErrorBanner error={setup.error} />
        {token === '' && (
          <TextInput
            label="First-run token"
            description="The part after “token=” of the link that OpenWatch printed when it started."
            autoComplete="off"
            spellCheck={false}
            {...form.getInputProps('token')}
          />
        )}
        <TextInput
          label="User name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          {...form.getInputProps('username')}
        />
        <TextInput
          label="Your name"
          description="Shown beside what you do. Optional."
          autoComplete="name"
          {...form.getInputProps('display_name')}
        />
        <PasswordInput
          label="Password"
          description={`At least ${LEAST_PASSWORD_LENGTH} characters. A few words together are good.`}
          autoComplete="new-password"
          {...form.getInputProps('password')}
        />
        <PasswordInput label="Password again" autoComplete="new-password" {...form.getInputProps('repeated')} />
        <Button type="submit" size="sm" loading={setup.isPending}>
          Create administrator
        </Button>
      </form>
    </AuthScreen>
  );
}

/** The token must not stay in the history or be seen over a shoulder. */
function useTokenOutOfAddress(): void {
  useEffect(() => {
    if (window.location.hash === '') return;
    window.history.replaceState(window.history.state, '', window.location.pathname);
  }, []);
}
