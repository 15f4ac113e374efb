import { useMantineColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { hostSuggestionsQuery } from '@/api/queries/hosts';
import { useSignOut } from '@/api/queries/session';
import type { Host } from '@/api/types';
import type { IconName } from '@/components/Icon';
import { useCan } from '../session';
import type { Destination } from './navigation';

export interface PaletteItem {
  id: string;
  label: string;
  detail?: string;
  icon: IconName;
  run: () => void;
}

export interface PaletteGroup {
  name: string;
  items: readonly PaletteItem[];
}

/** The server is asked for what one types, not for each letter. */
const TYPING_PAUSE_MS = 150;

export function usePaletteItems(destinations: readonly Destination[], onHelp: () => void) {
  const [typed, setTyped] = useState('');
  const [search] = useDebouncedValue(typed.trim(), TYPING_PAUSE_MS);
  const canRead = useCan('host:read');
  const hosts = useQuery({ ...hostSuggestionsQuery(search), enabled: canRead });
  const settled = !hosts.isPlaceholderData && search === typed.trim();
  const navigate = useNavigate();
  const actions = useActions(onHelp);

  const pages = destinations.map((entry) => ({
    id: entry.to,
    label: entry.label,
    icon: entry.icon,
    run: () => void navigate({ to: entry.to, search: {} }),
  }));
  const found = (hosts.data ?? []).map((host) => ({
    id: host.id,
    label: host.name,
    detail: detailOf(host),
    icon: 'host' as const,
    run: () => void navigate({ to: '/hosts/$hostId', params: { hostId: host.id } }),
  }));
  const groups: PaletteGroup[] = [
    { name: 'Pages', items: matching(pages, typed) },
    // Until the server's answer is here, the earlier one serves as far as it fits.
    { name: 'Hosts', items: settled ? found : matching(found, typed) },
    { name: 'Actions', items: matching(actions, typed) },
  ];
  return { typed, setTyped, groups: groups.filter((group) => group.items.length > 0), searching: !settled };
}

function useActions(onHelp: () => void): PaletteItem[] {
  const navigate = useNavigate();
  const canAddHost = useCan('host:write');
  const canAddGroup = useCan('group:write');
  const canAddCredential = useCan('credential:write');
  const { setColorScheme } = useMantineColorScheme();
  const signOut = useSignOut();
  const leave = () => signOut.mutate(undefined, { onSettled: () => void navigate({ to: '/sign-in' }) });
  const all: (PaletteItem & { allowed?: boolean })[] = [
    { id: 'add-host', label: 'Add host', icon: 'plus', run: () => void navigate({ to: '/hosts/new' }), allowed: canAddHost },
    { id: 'add-group', label: 'Add group', icon: 'plus', run: () => void navigate({ to: '/groups/new' }), allowed: canAddGroup },
    {
      id: 'add-credential',
      label: 'Add credential',
      icon: 'plus',
      run: () => void navigate({ to: '/credentials/new' }),
      allowed: canAddCredential,
    },
    { id: 'theme-auto', label: 'Appearance: as the system', icon: 'auto', run: () => setColorScheme('auto') },
    { id: 'theme-light', label: 'Appearance: light', icon: 'sun', run: () => setColorScheme('light') },
    { id: 'theme-dark', label: 'Appearance: dark', icon: 'moon', run: () => setColorScheme('dark') },
    { id: 'help', label: 'Show shortcuts', icon: 'keyboard', run: onHelp },
    { id: 'sign-out', label: 'Sign out', icon: 'signOut', run: leave },
  ];
  return all.filter(({ allowed = true }) => allowed);
}

function matching(items: readonly PaletteItem[], typed: string): PaletteItem[] {
  const wanted = typed.trim().toLowerCase();
  return items.filter((item) => `${item.label} ${item.detail ?? ''}`.toLowerCase().includes(wanted));
}

function detailOf(host: Host): string {
  return host.os ? `${host.address} · ${host.os.name}` : host.address;
}
