import { screen } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';
import { DONE_SCAN, FAILED_SCAN, RUNNING_SCAN, uuid } from '../fixture/data';
import { renderApp } from '../fixture/render';
import { createFixture } from '../fixture/server';

/** jsdom lays nothing out; contrast is computed in theme.test.ts, sizes are checked in a real browser. */
const NEEDS_LAYOUT = { 'color-contrast': { enabled: false }, 'target-size': { enabled: false } };

const PAGES: [path: string, heading: string][] = [
  ['/hosts', 'Hosts'],
  ['/hosts?search=nothing', 'No host matches this filter'],
  ['/hosts/new', 'Add host'],
  [`/hosts/${uuid(1, 1)}`, 'db-01'],
  [`/hosts/${uuid(1, 1)}?tab=about`, 'Known host keys'],
  [`/hosts/${uuid(1, 1)}/edit`, 'Edit db-01'],
  [`/hosts/${uuid(1, 5)}`, 'proxy-01'],
  ['/scans', 'Scans'],
  [`/scans/${DONE_SCAN}`, 'Rules by verdict'],
  [`/scans/${DONE_SCAN}?rule=ssh-root-login-disabled`, 'Stored evidence'],
  [`/scans/${RUNNING_SCAN}`, 'Scan of build-01'],
  [`/scans/${FAILED_SCAN}`, 'Scan of proxy-01'],
  ['/rules', 'Rules'],
  ['/rules/ssh-root-login-disabled', 'Asked for by'],
  ['/credentials', 'Credentials'],
  [`/credentials/${uuid(3, 2)}`, 'Database servers'],
  ['/nowhere', 'There is no page at this address'],
];

async function violations(): Promise<string[]> {
  const found = await axe.run(document.body, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
    rules: NEEDS_LAYOUT,
  });
  return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`);
}

describe('accessibility', () => {
  it.each(PAGES)('ac:ui-19 %s', async (path, heading) => {
    renderApp(path, createFixture(8));
    await screen.findByRole('heading', { name: heading });
    expect(await violations()).toEqual([]);
  });

  it.each([
    ['/sign-in', { ...createFixture(0), signedIn: false }, 'Sign in'],
    ['/setup', { ...createFixture(0), signedIn: false, setupRequired: true }, 'Set up OpenWatch'],
    ['/hosts', createFixture(0), 'Measure your first host'],
  ])('ac:ui-19 %s before there is anything', async (path, fixture, heading) => {
    renderApp(path, fixture);
    await screen.findByRole('heading', { name: heading });
    expect(await violations()).toEqual([]);
  });
});
