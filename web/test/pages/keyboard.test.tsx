import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { uuid } from '../fixture/data';
import { renderApp } from '../fixture/render';

describe('keyboard', () => {
  it('ac:ui-15 searches with /, moves with j and k, and opens with Enter', async () => {
    const { user, address } = renderApp('/hosts');
    const first = await screen.findByRole('link', { name: 'db-01' });
    await user.keyboard('j');
    expect(first).toHaveFocus();
    await user.keyboard('j');
    expect(screen.getByRole('link', { name: 'cache-01' })).toHaveFocus();
    await user.keyboard('k');
    expect(first).toHaveFocus();
    await user.keyboard('/');
    expect(screen.getByRole('searchbox', { name: 'Search hosts' })).toHaveFocus();
    await user.keyboard('j');
    expect(screen.getByRole('searchbox', { name: 'Search hosts' })).toHaveValue('j');
    await user.keyboard('{Escape}{Escape}j{Enter}');
    await waitFor(() => expect(address()).toBe(`/hosts/${uuid(1, 1)}`));
  });

  it('ac:ui-15 goes to pages with two keys', async () => {
    const { user, address } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'db-01' });
    await user.keyboard('gs');
    await waitFor(() => expect(address()).toBe('/scans'));
    await user.keyboard('gc');
    await waitFor(() => expect(address()).toBe('/credentials'));
  });

  it('ac:ui-15 lists the shortcuts and turns single keys off', async () => {
    const { user, address } = renderApp('/hosts');
    await screen.findByRole('link', { name: 'db-01' });
    await user.keyboard('?');
    const dialog = within(await screen.findByRole('dialog', { name: 'Shortcuts' }));
    expect(dialog.getByText('Next row')).toBeVisible();
    await user.keyboard('gs');
    expect(address()).toBe('/hosts');
    await user.click(dialog.getByRole('switch', { name: /^Single-key shortcuts/ }));
    await user.keyboard('{Escape}');
    await waitFor(() => expect(screen.queryByRole('dialog', { name: 'Shortcuts' })).not.toBeInTheDocument());
    await user.keyboard('gs');
    expect(address()).toBe('/hosts');
  });

  it('ac:ui-15 finds hosts and actions with Ctrl K', async () => {
    const { user, address } = renderApp('/scans');
    await screen.findByRole('heading', { name: 'Scans' });
    await user.keyboard('{Control>}k{/Control}');
    const field = await screen.findByRole('combobox', { name: 'Search or jump to' });
    await waitFor(() => expect(field).toHaveFocus());
    await user.keyboard('mail');
    const first = await screen.findByRole('option', { name: /mail-01/ });
    await waitFor(() => expect(screen.queryByRole('option', { name: /db-01/ })).not.toBeInTheDocument());
    expect(field).toHaveAttribute('aria-activedescendant', first.id);
    await user.keyboard('{ArrowDown}{ArrowUp}{Enter}');
    await waitFor(() => expect(address()).toBe(`/hosts/${uuid(1, 4)}`));
    expect(screen.queryByRole('combobox', { name: 'Search or jump to' })).not.toBeInTheDocument();
  });
});
