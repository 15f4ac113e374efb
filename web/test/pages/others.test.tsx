import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { credentials, uuid } from '../fixture/data';
import { fill, renderApp } from '../fixture/render';
import { createFixture, json, problem } from '../fixture/server';

describe('credentials', () => {
  it('lists what each holds, without a secret', async () => {
    renderApp('/credentials');
    const row = (await screen.findByRole('link', { name: 'Database servers' })).closest('tr');
    expect(row).toHaveTextContent('ssh-ed25519 with passphrase, sudo password');
    expect(row).toHaveTextContent('12 hosts');
  });

  it('sends only what was typed, and removes what the method no longer uses', async () => {
    const fixture = createFixture();
    const sent: unknown[] = [];
    fixture.overrides.set(`PATCH /credentials/${uuid(3, 2)}`, async (request) => {
      sent.push({ ...((await request.json()) as object), version: request.headers.get('if-match') });
      return json(credentials[1]);
    });
    const { user } = renderApp(`/credentials/${uuid(3, 2)}`, fixture);
    await user.click(await screen.findByRole('button', { name: 'Save changes' }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({ name: 'Database servers', username: 'audit', version: '"1"' });
  });

  it('removes the key when a password takes its place', async () => {
    const fixture = createFixture();
    const sent: unknown[] = [];
    fixture.overrides.set(`PATCH /credentials/${uuid(3, 2)}`, async (request) => {
      sent.push(await request.json());
      return json(credentials[1]);
    });
    const { user } = renderApp(`/credentials/${uuid(3, 2)}`, fixture);
    await user.click(await screen.findByRole('radio', { name: 'Password' }));
    await fill(user, screen.getByLabelText(/^Password$|^Password \*$/, { selector: 'input[type=password]' }), 'new');
    await user.click(screen.getByRole('checkbox', { name: 'Remove the saved password for sudo' }));
    await user.click(screen.getByRole('button', { name: 'Save changes' }));
    await waitFor(() => expect(sent).toHaveLength(1));
    expect(sent[0]).toEqual({
      name: 'Database servers',
      username: 'audit',
      private_key: null,
      passphrase: null,
      password: 'new',
      sudo_password: null,
    });
  });

  it('says which hosts keep a credential from being deleted', async () => {
    const fixture = createFixture();
    fixture.overrides.set(`DELETE /credentials/${uuid(3, 1)}`, () =>
      problem(409, 'credential.in_use', '24 hosts log in with this credential: db-01, web-01.', 'Give them another.'),
    );
    const { user } = renderApp(`/credentials/${uuid(3, 1)}`, fixture);
    await user.click(await screen.findByRole('button', { name: 'Delete' }));
    const dialog = within(await screen.findByRole('dialog', { name: 'Delete Scan account?' }));
    await user.click(dialog.getByRole('button', { name: 'Delete credential' }));
    expect(await dialog.findByRole('alert')).toHaveTextContent('db-01, web-01');
  });
});

describe('rules', () => {
  it('finds a rule and shows what asks for it', async () => {
    const { user, address } = renderApp('/rules');
    await screen.findByRole('link', { name: 'Root cannot log in over SSH' });
    await fill(user, screen.getByRole('searchbox', { name: 'Search rules' }), 'telnet');
    await waitFor(() => expect(screen.queryByRole('link', { name: 'Root cannot log in over SSH' })).not.toBeInTheDocument());
    await user.click(screen.getByRole('link', { name: 'No telnet server is installed' }));
    await waitFor(() => expect(address()).toBe('/rules/telnet-absent'));
    expect(await screen.findByText('CIS Debian Linux 12 Benchmark 1.1.0')).toBeVisible();
    expect(screen.getByText('AC-17(2)')).toBeVisible();
    expect(screen.getByText(/Ordinary accounts for ordinary work/)).toHaveTextContent('AC-6(2) Ordinary accounts for ordinary work (in part)');
    expect(screen.getByText('PermitRootLogin no').tagName).toBe('CODE');
  });
});

describe('scans', () => {
  it('ac:ui-13 names the reason of a failed scan in the list', async () => {
    renderApp('/scans?state=failed');
    expect(await screen.findByText(/No route to 10\.4\.1\.15/)).toBeVisible();
    expect(screen.queryByText('Completed')).not.toBeInTheDocument();
  });
});
