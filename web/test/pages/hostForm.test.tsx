import { screen, waitFor, within } from '@testing-library/react';
import type { UserEvent } from '@testing-library/user-event';
import { describe, expect, it } from 'vitest';
import { asked, fill, renderApp } from '../fixture/render';
import { makeHosts, uuid } from '../fixture/data';
import { createFixture, json, problem, rejected } from '../fixture/server';

const KEY = 'SHA256:V3ryStab1eHostKeyFingerprintForTheFixture00';

async function fillAddress(user: UserEvent): Promise<void> {
  await fill(user, await screen.findByLabelText(/^Address/), 'db1.example.org');
}

async function chooseCredential(user: UserEvent): Promise<void> {
  await user.click(screen.getByRole('combobox', { name: 'Saved credential' }));
  await user.click(await screen.findByRole('option', { name: 'Scan account (scan)' }));
}

async function typeCredential(user: UserEvent): Promise<void> {
  await user.click(screen.getByRole('radio', { name: 'New' }));
  await fill(user, screen.getByRole('textbox', { name: 'Log in as' }), 'scan');
  await fill(user, screen.getByRole('textbox', { name: 'Private key' }), 'PRIVATE');
}

/** The body that a route was sent. */
function capture(fixture: ReturnType<typeof createFixture>, route: string, reply: (body: unknown) => Response) {
  const bodies: unknown[] = [];
  fixture.overrides.set(route, async (request) => {
    const body: unknown = await request.json();
    bodies.push(body);
    return reply(body);
  });
  return bodies;
}

describe('add host', () => {
  it('ac:ui-07 tests before saving and says what to do about the step that failed', async () => {
    const fixture = { ...createFixture(), connection: rejected };
    const { user } = renderApp('/hosts/new', fixture);
    await fillAddress(user);
    await chooseCredential(user);
    await user.click(screen.getByRole('button', { name: 'Test connection' }));

    const steps = within(await screen.findByRole('list', { name: 'Steps of the connection test' }));
    await steps.findByText('The host refused the key of scan. It would accept: publickey, password.');
    const [resolve, , , authenticate, privilege] = steps.getAllByRole('listitem');
    expect(resolve).toHaveTextContent('Resolve: ok');
    expect(authenticate).toHaveTextContent('Authenticate: failed');
    expect(authenticate).toHaveTextContent('Put the public key into ~scan/.ssh/authorized_keys');
    expect(privilege).toHaveTextContent('Privilege: skipped');
    expect(screen.queryByText('Connected.')).not.toBeInTheDocument();
    expect(asked(fixture, 'POST /hosts')).toBe(0);
  });

  it('ac:ui-08 shows the key of the host, and saves the accepted one with it', async () => {
    const fixture = createFixture();
    const tests = capture(fixture, 'POST /connection-tests', () => json(fixture.connection));
    const saved = capture(fixture, 'POST /hosts', (body) => json({ ...makeHosts(1)[0], ...(body as object) }, 201));
    const { user } = renderApp('/hosts/new', fixture);
    await fillAddress(user);
    await chooseCredential(user);
    await user.click(screen.getByRole('button', { name: 'Test connection' }));

    const card = within(await screen.findByRole('region', { name: 'Key of the host' }));
    expect(card.getByText(KEY)).toBeVisible();
    await user.click(card.getByRole('button', { name: 'Accept this key' }));
    expect(await screen.findByText('Key of the host, accepted')).toBeVisible();
    expect(tests[1]).toMatchObject({ trust_host_key: KEY });

    await user.click(screen.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(saved).toHaveLength(1));
    expect(saved[0]).toMatchObject({
      name: 'db1.example.org',
      address: 'db1.example.org',
      port: 22,
      trust_host_key: KEY,
      credential_id: uuid(3, 1),
    });
  });

  it('says that a result is older than the form', async () => {
    const { user } = renderApp('/hosts/new');
    await fillAddress(user);
    await chooseCredential(user);
    await user.click(screen.getByRole('button', { name: 'Test connection' }));
    await screen.findByText('Connected.');
    await fill(user, screen.getByLabelText(/^Address/), '.net');
    expect(screen.getByText('The form has changed since this test.')).toBeVisible();
  });

  it('ac:ui-09 saves a new credential and the host, scans, and shows the scan', async () => {
    const fixture = createFixture();
    const credentials = capture(fixture, 'POST /credentials', () => json({ ...fixture.credentials[0], id: uuid(3, 77) }, 201));
    const hosts = capture(fixture, 'POST /hosts', (body) => json({ ...makeHosts(1)[0], ...(body as object) }, 201));
    const { user, address } = renderApp('/hosts/new', fixture);
    await fillAddress(user);
    await typeCredential(user);
    await user.click(screen.getByRole('button', { name: 'Save and scan' }));

    await waitFor(() => expect(address()).toMatch(/^\/scans\//));
    expect(credentials).toEqual([
      {
        name: 'scan@db1.example.org',
        username: 'scan',
        private_key: 'PRIVATE',
        passphrase: null,
        password: null,
        sudo_password: null,
      },
    ]);
    expect(hosts[0]).toMatchObject({ credential_id: uuid(3, 77) });
    expect(JSON.stringify(hosts)).not.toContain('PRIVATE');
  });

  it('ac:ui-09 does not save the credential twice when the host is refused', async () => {
    const fixture = createFixture();
    const credentials = capture(fixture, 'POST /credentials', () => json({ ...fixture.credentials[0], id: uuid(3, 1) }, 201));
    fixture.overrides.set('POST /hosts', () =>
      problem(409, 'host.exists', 'A host with the name db1.example.org exists already.', 'Choose another name.', {
        errors: [{ field: 'name', message: 'A host with the name db1.example.org exists already.' }],
      }),
    );
    const { user, address } = renderApp('/hosts/new', fixture);
    await fillAddress(user);
    await typeCredential(user);
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Choose another name.');
    expect(screen.getByRole('textbox', { name: 'Name' })).toBeInvalid();

    fixture.overrides.delete('POST /hosts');
    await fill(user, screen.getByRole('textbox', { name: 'Name' }), 'db1');
    await user.click(screen.getByRole('button', { name: 'Save' }));
    await waitFor(() => expect(address()).toBe(`/hosts/${uuid(1, 999)}`));
    expect(credentials).toHaveLength(1);
  });

  it('shows what the server says about the key beside the key', async () => {
    const fixture = createFixture();
    fixture.overrides.set('POST /credentials', () =>
      problem(422, 'credential.key_invalid', 'This is not a private key.', 'Paste all of it.', {
        errors: [{ field: 'private_key', message: 'This is not a private key.' }],
      }),
    );
    const { user } = renderApp('/hosts/new', fixture);
    await fillAddress(user);
    await typeCredential(user);
    await user.click(screen.getByRole('button', { name: 'Save' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('Paste all of it.');
    expect(screen.getByRole('textbox', { name: 'Private key' })).toBeInvalid();
    expect(asked(fixture, 'POST /hosts')).toBe(0);
  });

  it('asks for what is missing before it asks the server', async () => {
    const { user, fixture } = renderApp('/hosts/new');
    await user.click(await screen.findByRole('button', { name: 'Save' }));
    expect(screen.getByText('Enter a host name or an IP address.')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Test connection' }));
    expect(screen.getByText('Choose a credential to test with.')).toBeVisible();
    expect(asked(fixture, 'POST /hosts')).toBe(0);
  });
});

describe('edit host', () => {
  it('ac:ui-21 sends the version that the form was based on, and says when it is not the newest', async () => {
    const fixture = createFixture();
    const versions: (string | null)[] = [];
    fixture.overrides.set(`PATCH /hosts/${uuid(1, 1)}`, (request) => {
      versions.push(request.headers.get('if-match'));
      return problem(412, 'request.precondition_failed', 'Somebody changed this host meanwhile.', 'Read it again.');
    });
    const { user, queryClient } = renderApp(`/hosts/${uuid(1, 1)}/edit`, fixture);
    await fill(user, await screen.findByRole('textbox', { name: 'Name' }), '-new');
    const host = fixture.hosts[0];
    queryClient.setQueryData(['hosts', 'one', uuid(1, 1)], { ...host, version: 9 });
    await user.click(screen.getByRole('button', { name: 'Save changes' }));

    expect(await screen.findByRole('alert')).toHaveTextContent('Somebody changed this host meanwhile.');
    expect(versions).toEqual(['"3"']);
    expect(screen.getByRole('button', { name: 'Read again' })).toBeVisible();
    expect(screen.getByRole('textbox', { name: 'Name' })).toHaveValue('db-01-new');
  });

  it('tests a host whose way in is unchanged as it is saved, and a changed one as it is typed', async () => {
    const { user, fixture } = renderApp(`/hosts/${uuid(1, 1)}/edit`);
    await user.click(await screen.findByRole('button', { name: 'Test connection' }));
    await screen.findByText('Connected.');
    expect(asked(fixture, `POST /hosts/${uuid(1, 1)}/connection-test`)).toBe(1);

    await fill(user, screen.getByRole('textbox', { name: 'Address' }), '0');
    await user.click(screen.getByRole('button', { name: 'Test again' }));
    await waitFor(() => expect(asked(fixture, 'POST /connection-tests')).toBe(1));
  });
});
