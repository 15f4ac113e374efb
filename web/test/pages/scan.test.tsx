import { act, screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { DONE_SCAN, FAILED_SCAN, makeScan, RUNNING_HOST, RUNNING_SCAN, uuid } from '../fixture/data';
import { FakeEventSource } from '../fixture/eventSource';
import { asked, renderApp } from '../fixture/render';
import { createFixture } from '../fixture/server';

describe('scan', () => {
  it('ac:ui-04 counts what could not be measured beside what passed and failed', async () => {
    renderApp(`/scans/${DONE_SCAN}`);
    expect(await screen.findByRole('img', { name: /^72 %: 51 of 70 rules pass\. 2 rules could not be measured\.$/ })).toBeVisible();
    const errors = await screen.findByRole('button', { name: /^Error/ });
    await waitFor(() => expect(errors).toHaveTextContent('Error1'));
  });

  it('ac:ui-05 filters outcomes by verdict in the address', async () => {
    const { user, address } = renderApp(`/scans/${DONE_SCAN}`);
    await user.click(await screen.findByRole('button', { name: /^Error/ }));
    await waitFor(() => expect(address()).toBe(`/scans/${DONE_SCAN}?verdict=error`));
    await waitFor(() => expect(screen.queryByRole('link', { name: 'Root cannot log in over SSH' })).not.toBeInTheDocument());
    expect(screen.getByRole('link', { name: 'No file can be written by everybody' })).toBeVisible();
    expect(screen.getByRole('button', { name: /^Error/ })).toHaveAttribute('aria-pressed', 'true');
  });

  it('ac:ui-12 shows the evidence of a failure down to the bytes', async () => {
    const { user, address } = renderApp(`/scans/${DONE_SCAN}`);
    await user.click(await screen.findByRole('link', { name: 'Root cannot log in over SSH' }));

    const drawer = within(await screen.findByRole('dialog'));
    const observation = within(await drawer.findByRole('article', { name: 'sshd permitrootlogin' }));
    expect(address()).toBe(`/scans/${DONE_SCAN}?rule=ssh-root-login-disabled`);
    expect(observation.getByText('Expected').nextSibling).toHaveTextContent('no');
    expect(observation.getByText(/^Actual/).nextSibling).toHaveTextContent('yes');
    expect(observation.getByText('Not as expected', { exact: false })).toBeVisible();
    expect(observation.getByText('/etc/ssh/sshd_config.d/10-local.conf:7')).toBeVisible();
    expect(observation.getByText('7').parentElement).toHaveTextContent('PermitRootLogin yes');
    expect(observation.getByRole('region', { name: 'Command' })).toHaveTextContent('sshd -T -C user=root');
    const raw = observation.getByRole('region', { name: 'Raw bytes' });
    expect(raw).toHaveTextContent('permitrootlogin yes');
    expect(within(raw).getByText('ESC')).toBeVisible();
    expect(drawer.getByRole('link', { name: 'Download' })).toHaveAttribute(
      'href',
      expect.stringMatching(/^\/api\/v1\/evidence\/[0-9a-f]{64}\?download=1$/),
    );
    expect(drawer.getByText('AC-6(2)')).toBeVisible();
  });

  it('ac:variables-06 names the site values that a verdict rests on, and who gave them', async () => {
    renderApp(`/scans/${DONE_SCAN}?rule=ssh-root-login-disabled`);
    const drawer = within(await screen.findByRole('dialog'));
    expect((await drawer.findByText('ssh_max_auth_tries')).parentElement?.nextSibling).toHaveTextContent(
      '6 (group web, looser than the default)',
    );
  });

  it('ac:ui-12 says that a value could not be measured, and does not show it as an answer', async () => {
    renderApp(`/scans/${DONE_SCAN}?rule=no-world-writable-files`);
    const drawer = within(await screen.findByRole('dialog'));
    const observation = within(await drawer.findByRole('article', { name: 'sshd permitrootlogin' }));
    expect(observation.getByText('Could not be measured', { exact: false })).toBeVisible();
    expect(observation.queryByText('As expected')).not.toBeInTheDocument();
    expect(drawer.getByText('permission_denied')).toBeVisible();
  });

  it('ac:ui-15 goes through the evidence with j and k', async () => {
    const { user, address } = renderApp(`/scans/${DONE_SCAN}?rule=ssh-root-login-disabled`);
    await screen.findByRole('article', { name: 'sshd permitrootlogin' });
    await user.keyboard('j');
    await waitFor(() => expect(address()).toBe(`/scans/${DONE_SCAN}?rule=shadow-file-protected`));
    await user.keyboard('k');
    await waitFor(() => expect(address()).toBe(`/scans/${DONE_SCAN}?rule=ssh-root-login-disabled`));
  });

  it('ac:ui-13 says why a scan failed and what to do, shows no verdict, and can be repeated', async () => {
    const { user, address } = renderApp(`/scans/${FAILED_SCAN}`);
    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('No route to 10.4.1.15');
    expect(alert).toHaveTextContent('Check that the host is switched on');
    expect(alert).toHaveTextContent('host.unreachable');
    expect(screen.queryByText('Pass')).not.toBeInTheDocument();
    expect(screen.queryByRole('table')).not.toBeInTheDocument();

    await user.click(screen.getByRole('button', { name: 'Scan again' }));
    await waitFor(() => expect(address()).toBe(`/scans/${RUNNING_SCAN}`));
  });

  it('ac:ui-22 shows stage and progress, and turns into the result without a reload', async () => {
    const fixture = createFixture();
    renderApp(`/scans/${RUNNING_SCAN}`, fixture);
    const progress = await screen.findByRole('status', { name: 'Progress of the scan' });
    expect(progress).toHaveTextContent('Reading facts from the host');
    expect(progress).toHaveTextContent('31 of 64');

    const stream = FakeEventSource.newest;
    const event = { subject: { type: 'scan', id: RUNNING_SCAN }, host_id: RUNNING_HOST };
    act(() => {
      stream.open();
      stream.send('scan.progress', { ...event, data: { stage: 'assess', done: 1, total: 4 } });
    });
    expect(progress).toHaveTextContent('Judging the rules');
    expect(progress).toHaveTextContent('1 of 4');
    expect(asked(fixture, `GET /scans/${RUNNING_SCAN}`)).toBe(1);

    const done = makeScan(DONE_SCAN, fixture.hosts);
    fixture.scans = fixture.scans.map((scan) => (scan.id === RUNNING_SCAN && done ? { ...done, id: RUNNING_SCAN } : scan));
    act(() => stream.send('scan.completed', { ...event, data: {} }, '41'));
    expect(await screen.findByRole('table', { name: 'Outcomes' })).toBeVisible();
    expect(screen.queryByRole('status', { name: 'Progress of the scan' })).not.toBeInTheDocument();
  });

  it('ac:ui-22 cancels a running scan', async () => {
    const { user } = renderApp(`/scans/${RUNNING_SCAN}`);
    await user.click(await screen.findByRole('button', { name: 'Cancel scan' }));
    expect(await screen.findByRole('heading', { name: 'This scan was cancelled' })).toBeVisible();
  });

  it('ac:ui-14 offers neither scan nor cancel without the permission', async () => {
    const fixture = { ...createFixture(), permissions: ['host:read', 'scan:read'] };
    renderApp(`/scans/${RUNNING_SCAN}`, fixture);
    await screen.findByRole('status', { name: 'Progress of the scan' });
    expect(screen.queryByRole('button', { name: 'Cancel scan' })).not.toBeInTheDocument();
  });
});

describe('host', () => {
  it('shows the ring, failing rules by severity, and the history', async () => {
    renderApp(`/hosts/${uuid(1, 1)}`);
    expect(await screen.findByRole('img', { name: /^79 %: 59 of 74 rules pass/ })).toBeVisible();
    const failing = within(screen.getByRole('region', { name: 'Failing by severity' }));
    expect(failing.getByText('Critical').closest('div')).toHaveTextContent('1');
    expect(await screen.findByRole('link', { name: 'Root cannot log in over SSH' })).toBeVisible();
  });

  it('says that a host was never measured', async () => {
    renderApp(`/hosts/${uuid(1, 6)}`);
    expect(await screen.findByRole('heading', { name: 'This host has not been measured' })).toBeVisible();
    expect(screen.getByRole('img', { name: 'No data: no rule has been measured yet.' })).toBeVisible();
  });

  it('ac:ui-13 says on the page of the host that its last scan failed, and that the numbers are older', async () => {
    renderApp(`/hosts/${uuid(1, 5)}`);
    const alert = await screen.findByRole('alert');
    await waitFor(() => expect(alert).toHaveTextContent('No route to 10.4.1.15'));
    expect(alert).toHaveTextContent('comes from the last scan that succeeded');
  });

  it('starts a scan from the keyboard', async () => {
    const { user, fixture } = renderApp(`/hosts/${uuid(1, 1)}`);
    await screen.findByRole('button', { name: 'Scan' });
    await user.keyboard('s');
    await waitFor(() => expect(asked(fixture, `POST /hosts/${uuid(1, 1)}/scans`)).toBe(1));
  });

  it('asks before it deletes, with the safe choice in focus', async () => {
    const { user, address } = renderApp(`/hosts/${uuid(1, 1)}`);
    await user.click(await screen.findByRole('button', { name: 'More actions' }));
    await user.click(await screen.findByRole('menuitem', { name: 'Delete host' }));
    const dialog = within(await screen.findByRole('dialog', { name: 'Delete db-01?' }));
    await waitFor(() => expect(dialog.getByRole('button', { name: 'Keep' })).toHaveFocus());
    await user.click(dialog.getByRole('button', { name: 'Delete host' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
    expect(await screen.findByRole('link', { name: 'cache-01' })).toBeVisible();
    expect(screen.queryByRole('link', { name: 'db-01' })).not.toBeInTheDocument();
  });

  it('lists known keys and forgets one', async () => {
    const { user, fixture } = renderApp(`/hosts/${uuid(1, 1)}?tab=about`);
    const keys = within(await screen.findByRole('region', { name: 'Known host keys' }));
    expect(await keys.findByText('SHA256:V3ryStab1eHostKeyFingerprintForTheFixture00')).toBeVisible();
    expect(keys.getByText(/refused/)).toBeVisible();
    await user.click(keys.getAllByRole('button', { name: 'Forget this key' })[0] ?? document.body);
    const dialog = within(await screen.findByRole('dialog', { name: 'Forget this host key?' }));
    await user.click(dialog.getByRole('button', { name: 'Forget key' }));
    await waitFor(() => expect(fixture.log.some((line) => line.startsWith('DELETE') && line.includes('host-keys'))).toBe(true));
  });
});
