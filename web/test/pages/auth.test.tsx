import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { safeReturnPath } from '@/app/returnPath';
import { fill, renderApp } from '../fixture/render';
import { createFixture, problem } from '../fixture/server';

const PASSWORD = 'correct horse';

describe('first run', () => {
  it('ac:ui-01 makes the administrator with the token of the link and shows the hosts', async () => {
    const fixture = { ...createFixture(0), setupRequired: true, signedIn: false };
    window.history.replaceState(null, '', '/setup#token=right');
    const { user, address } = renderApp('/setup', fixture);

    await fill(user, await screen.findByLabelText('Your name'), 'Site Administrator');
    expect(window.location.hash).toBe('');
    await fill(user, screen.getByLabelText('Password'), 'a long enough one');
    await fill(user, screen.getByLabelText('Password again'), 'a long enough one');
    await user.click(screen.getByRole('button', { name: 'Create administrator' }));

    expect(await screen.findByRole('heading', { name: 'Hosts' })).toBeVisible();
    expect(address()).toBe('/hosts');
  });

  it('asks for the token when the link lost it, and says what is wrong with a wrong one', async () => {
    const fixture = { ...createFixture(0), setupRequired: true, signedIn: false };
    window.history.replaceState(null, '', '/setup');
    const { user } = renderApp('/setup', fixture);

    await fill(user, await screen.findByLabelText('First-run token'), 'wrong');
    await fill(user, screen.getByLabelText('Password'), 'a long enough one');
    await fill(user, screen.getByLabelText('Password again'), 'a long enough one');
    await user.click(screen.getByRole('button', { name: 'Create administrator' }));

    expect(await screen.findByRole('alert')).toHaveTextContent('This first-run link is not valid.');
  });

  it('refuses a short password and two that differ before asking the server', async () => {
    const fixture = { ...createFixture(0), setupRequired: true, signedIn: false };
    window.history.replaceState(null, '', '/setup#token=right');
    const { user } = renderApp('/setup', fixture);

    await fill(user, await screen.findByLabelText('Password'), 'short');
    await fill(user, screen.getByLabelText('Password again'), 'other');
    await user.click(screen.getByRole('button', { name: 'Create administrator' }));

    expect(screen.getByText('Use at least 12 characters.')).toBeVisible();
    expect(screen.getByText('The two passwords differ.')).toBeVisible();
    expect(fixture.log).not.toContain('POST /setup');
  });
});

describe('sign in', () => {
  it('ac:ui-02 goes back to the page that was asked for', async () => {
    const fixture = { ...createFixture(), signedIn: false };
    const { user, address } = renderApp('/scans?state=failed', fixture);

    await fill(user, await screen.findByLabelText('User name'), 'admin');
    await fill(user, screen.getByLabelText('Password'), PASSWORD);
    await user.click(screen.getByRole('button', { name: 'Sign in' }));

    expect(await screen.findByRole('heading', { name: 'Scans' })).toBeVisible();
    expect(address()).toBe('/scans?state=failed');
  });

  it.each(['//evil.example', 'https://evil.example', '/\\evil.example', undefined, '/sign-in?next=/x'])(
    'ac:ui-02 never leads to another site: %s',
    (next) => {
      expect(safeReturnPath(next)).toBe('/hosts');
    },
  );

  it('says that the password is wrong, and empties the field', async () => {
    const fixture = { ...createFixture(), signedIn: false };
    const { user } = renderApp('/hosts', fixture);

    await fill(user, await screen.findByLabelText('User name'), 'admin');
    await fill(user, screen.getByLabelText('Password'), 'wrong');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));

    expect(await screen.findByRole('alert')).toHaveTextContent('The user name or the password is wrong.');
    expect(screen.getByLabelText('Password')).toHaveValue('');
  });

  it('counts down while signing in is locked', async () => {
    const fixture = { ...createFixture(), signedIn: false };
    fixture.overrides.set('POST /session', () => {
      const refusal = problem(429, 'auth.locked', 'Too many sign-ins failed.', 'Wait.');
      refusal.headers.set('retry-after', '30');
      return refusal;
    });
    const { user } = renderApp('/hosts', fixture);

    await fill(user, await screen.findByLabelText('User name'), 'admin');
    await fill(user, screen.getByLabelText('Password'), 'wrong');
    await user.click(screen.getByRole('button', { name: 'Sign in' }));

    expect(await screen.findByRole('button', { name: /Wait (30|29) s/ })).toBeDisabled();
  });

  it('ac:ui-03 keeps the way back and the typed host, but no secret, when the session ends', async () => {
    const fixture = createFixture();
    const { user, address } = renderApp('/hosts/new', fixture);
    await fill(user, await screen.findByLabelText(/^Address/), 'db9.example.org');
    await user.click(screen.getByRole('radio', { name: 'New' }));
    await fill(user, screen.getByLabelText(/^Log in as$|^Log in as \*/), 'scan');
    await fill(user, screen.getByLabelText(/^Private key/), 'very-secret-key');

    fixture.signedIn = false;
    await user.click(screen.getByRole('button', { name: 'Test connection' }));
    await fill(user, await screen.findByLabelText('User name'), 'admin');
    expect(screen.getByText(/Your session has ended/)).toBeVisible();
    expect(address()).toContain('next=%2Fhosts%2Fnew');
    const draft = window.sessionStorage.getItem('openwatch-draft-add-host');
    expect(draft).toContain('db9.example.org');
    expect(draft).not.toContain('very-secret-key');

    await fill(user, screen.getByLabelText('Password'), PASSWORD);
    await user.click(screen.getByRole('button', { name: 'Sign in' }));
    await waitFor(() => expect(screen.getByLabelText(/^Address/)).toHaveValue('db9.example.org'));
    expect(screen.getByLabelText(/^Private key/)).toHaveValue('');
  });

  it('signs out and shows nothing of the session any more', async () => {
    const { user, address, queryClient } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'db-01' });
    await user.click(screen.getAllByRole('button', { name: /^Account/ })[0] ?? document.body);
    await user.click(await screen.findByRole('menuitem', { name: 'Sign out' }));
    expect(await screen.findByLabelText('User name')).toBeVisible();
    expect(address()).toBe('/sign-in');
    expect(queryClient.getQueriesData({ queryKey: ['hosts'] }).filter(([, data]) => data !== undefined)).toEqual([]);
  });
});
