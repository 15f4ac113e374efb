import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { getRouteApi, useRouter } from '@tanstack/react-router';
import { useSignIn } from '@/api/queries/session';
import { safeReturnPath } from '@/app/returnPath';
import { ErrorBanner } from '@/components/States';
import classes from './Auth.module.css';
import { AuthScreen } from './AuthScreen';
import { useRetryAfter } from './useRetryAfter';

const route = getRouteApi('/sign-in');

export function SignInPage() {
  const { next, reason } = route.useSearch();
  const router = useRouter();
  const signIn = useSignIn();
  const wait = useRetryAfter(signIn.error);
  const form = useForm({
    initialValues: { username: '', password: '' },
    validate: {
      username: (value) => (value.trim() === '' ? 'Enter your user name.' : null),
      password: (value) => (value === '' ? 'Enter your password.' : null),
    },
  });
  const submit = form.onSubmit(({ username, password }) =>
    signIn.mutate(
      { username: username.trim(), password },
      {
        onSuccess: () => router.history.push(safeReturnPath(next)),
        onError: () => form.setFieldValue('password', ''),
      },
    ),
  );
  return (
    <AuthScreen
      title="Sign in"
      intro={reason === 'expired' ? <p role="status">Your session has ended. Sign in to go on where you were.</p> : null}
    >
      <form className={classes.form} onSubmit={submit} noValidate>
        <ErrorBanner error={signIn.error} />
        <TextInput
          label="User name"
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          data-autofocus
          {...form.getInputProps('username')}
        />
        <PasswordInput label="Password" autoComplete="current-password" {...form.getInputProps('password')} />
        <Button type="submit" size="sm" loading={signIn.isPending} disabled={wait > 0}>
          {wait > 0 ? `Wait ${wait} s` : 'Sign in'}
        </Button>
      </form>
    </AuthScreen>
  );
}
