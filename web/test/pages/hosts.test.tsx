import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { scoreSentence } from '@/components/Score';
import { asked, renderApp } from '../fixture/render';
import { score } from '../fixture/data';
import { createFixture, problem } from '../fixture/server';

const row = async (name: string) => {
  const link = await screen.findByRole('link', { name });
  const found = link.closest('tr');
  if (!found) throw new Error(`${name} is in no row`);
  return within(found);
};

describe('hosts', () => {
  it('ac:ui-04 shows each score with what it is made of, and says no data in words', async () => {
    renderApp('/hosts');

    const measured = await row('db-01');
    expect(measured.getByRole('img', { name: /^79 %: 59 of 74 rules pass\. 1 rule could not be measured\.$/ })).toBeVisible();
    expect(measured.getByRole('img', { name: 'Failing: 1 critical, 5 high, 6 medium, 2 low' })).toBeVisible();

    const never = await row('queue-01');
    expect(never.getByText('no data')).toBeVisible();
    expect(never.getByText('Never scanned')).toBeVisible();
    expect(never.queryByText('0')).not.toBeInTheDocument();
  });

  it('ac:ui-04 rounds a score down, so that only a perfect one reads 100', () => {
    expect(scoreSentence(score({ pass: 999, error: 1 }))).toBe(
      '99 %: 999 of 1,000 rules pass. 1 rule could not be measured.',
    );
    expect(scoreSentence(score({ error: 5 }))).toContain('0 %: 0 of 5');
    expect(scoreSentence(score({ not_applicable: 9 }))).toContain('No data');
    expect(scoreSentence(null)).toContain('No data');
  });

  it('ac:ui-05 keeps filters in the address and shows the count of each choice', async () => {
    const { user, address, fixture } = renderApp('/hosts');
    await row('db-01');

    await user.click(screen.getByRole('button', { name: 'Filter by State' }));
    const menu = within(await screen.findByRole('group', { name: 'State' }));
    expect(menu.getByText('Scan failed').closest('label')).toHaveTextContent('1');
    await user.click(menu.getByRole('checkbox', { name: 'Scan failed' }));

    await waitFor(() => expect(address()).toBe('/hosts?state=failed'));
    await waitFor(() => expect(screen.queryByRole('link', { name: 'db-01' })).not.toBeInTheDocument());
    expect(screen.getByRole('link', { name: 'proxy-01' })).toBeVisible();
    expect(fixture.log.some((line) => line.includes('state=failed') && line.includes('sort=name'))).toBe(true);
  });

  it('ac:ui-05 sorts by a column and says the direction', async () => {
    const { user, address } = renderApp('/hosts');
    await row('db-01');

    await user.click(screen.getByRole('button', { name: 'Score' }));
    await waitFor(() => expect(address()).toBe('/hosts?sort=score'));
    expect(screen.getByRole('columnheader', { name: 'Score' })).toHaveAttribute('aria-sort', 'ascending');
    await user.click(screen.getByRole('button', { name: 'Score' }));
    await waitFor(() => expect(address()).toBe('/hosts?sort=-score'));
  });

  it('ac:ui-05 names the filters when nothing matches, and takes each off', async () => {
    const { user, address } = renderApp('/hosts?search=nothing&state=failed');

    expect(await screen.findByRole('heading', { name: 'No host matches all of these filters' })).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Remove filter: Search is “nothing”' }));
    expect(await screen.findByRole('link', { name: 'proxy-01' })).toBeVisible();
    expect(address()).toBe('/hosts?state=failed');
    expect(screen.getByRole('searchbox', { name: 'Search hosts' })).toHaveValue('');
  });

  it('ac:ui-05 searches while one types', async () => {
    const { user, address } = renderApp('/hosts');
    await row('db-01');

    await user.type(screen.getByRole('searchbox', { name: 'Search hosts' }), 'mail');
    await waitFor(() => expect(address()).toBe('/hosts?search=mail'));
    await waitFor(() => expect(screen.queryByRole('link', { name: 'db-01' })).not.toBeInTheDocument());
    expect(screen.getByRole('link', { name: 'mail-01' })).toBeVisible();
  });

  it('ac:ui-06 leads from an empty fleet to adding the first host', async () => {
    const { user, address } = renderApp('/hosts', createFixture(0));

    expect(await screen.findByRole('heading', { name: 'Measure your first host' })).toBeVisible();
    await user.click(screen.getByRole('link', { name: 'Add host' }));
    await waitFor(() => expect(address()).toBe('/hosts/new'));
  });

  it('ac:ui-17 says why the list cannot be read, with the request id, and tries again', async () => {
    const fixture = createFixture();
    fixture.overrides.set('GET /hosts', () =>
      problem(503, 'database.silent', 'The database does not answer.', 'Look at GET /readyz.'),
    );
    const { user } = renderApp('/hosts', fixture);

    const alert = await screen.findByRole('alert');
    expect(alert).toHaveTextContent('The database does not answer.');
    expect(alert).toHaveTextContent('Look at GET /readyz.');
    expect(alert).toHaveTextContent('database.silent');
    expect(alert).toHaveTextContent('019ab000-feed-7000-8000-00000000c0de');

    fixture.overrides.clear();
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('link', { name: 'db-01' })).toBeVisible();
  });

  it('ac:ui-14 offers nothing that the signed-in person may not do', async () => {
    const fixture = { ...createFixture(), permissions: ['host:read'] };
    renderApp('/hosts', fixture);

    await row('db-01');
    expect(screen.queryByRole('link', { name: 'Add host' })).not.toBeInTheDocument();
    const navigation = within(screen.getAllByRole('navigation', { name: 'Main' })[0] ?? document.body);
    expect(navigation.getByRole('link', { name: 'Hosts' })).toBeVisible();
    expect(navigation.queryByRole('link', { name: 'Credentials' })).not.toBeInTheDocument();
  });

  it('keeps only the rows near the screen in the document', async () => {
    renderApp('/hosts', createFixture(4000));

    await row('db-01');
    expect(screen.getByRole('table', { name: 'Hosts' })).toHaveAttribute('aria-rowcount', '4000');
    expect(screen.getAllByRole('row').length).toBeLessThan(60);
  });

  it('asks for the list once when the page opens', async () => {
    const { fixture } = renderApp('/hosts');
    await row('db-01');
    expect(asked(fixture, 'GET /hosts')).toBe(1);
    expect(asked(fixture, 'GET /hosts/facets')).toBe(1);
  });
});

describe('errors', () => {
  it('ac:ui-18 says that there is no page, and leads back', async () => {
    const { user, address } = renderApp('/nowhere/at/all');
    expect(await screen.findByRole('heading', { name: 'There is no page at this address' })).toBeVisible();
    await user.click(screen.getByRole('link', { name: 'Go to hosts' }));
    await waitFor(() => expect(address()).toBe('/hosts'));
  });

  it('ac:ui-17 says that a host is unknown with the server’s reason', async () => {
    renderApp('/hosts/019ab000-0001-7000-8000-00000000ffff');
    expect(await screen.findByRole('alert')).toHaveTextContent('There is no host');
  });

  it('ac:ui-17 says that the server is away before the first answer', async () => {
    const fixture = createFixture();
    fixture.overrides.set('GET /session', () => Promise.reject(new TypeError('fetch failed')));
    const { user } = renderApp('/hosts', fixture);

    expect(await screen.findByRole('alert')).toHaveTextContent('OpenWatch does not answer.');
    fixture.overrides.clear();
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('link', { name: 'db-01' })).toBeVisible();
  });
});
