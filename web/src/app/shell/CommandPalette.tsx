import { useMantineColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { Spotlight, spotlight, type SpotlightActionData, type SpotlightActionGroupData } from '@mantine/spotlight';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { hostSuggestionsQuery } from '@/api/queries/hosts';
import { useSignOut } from '@/api/queries/session';
import { Icon, type IconName } from '@/components/Icon';
import { useCan } from '../session';
import type { Destination } from './navigation';

/** The palette answers what one types, not each letter. */
const TYPING_PAUSE_MS = 150;

export const openPalette = (): void => spotlight.open();

interface Props {
  destinations: readonly Destination[];
  onHelp: () => void;
}

/** Ctrl-K: every page, every host, every action that the signed-in person may do. */
export function CommandPalette({ destinations, onHelp }: Props) {
  const [typed, setTyped] = useState('');
  const [opened, setOpened] = useState(false);
  const [search] = useDebouncedValue(typed.trim(), TYPING_PAUSE_MS);
  const canRead = useCan('host:read');
  const hosts = useQuery({ ...hostSuggestionsQuery(search), enabled: opened && canRead });
  const navigate = useNavigate();
  const actions = useActions(onHelp);

  const groups: SpotlightActionGroupData[] = [
    {
      group: 'Pages',
      actions: matching(
        destinations.map((entry) => ({
          id: entry.to,
          label: entry.label,
          leftSection: <Icon name={entry.icon} />,
          onClick: () => void navigate({ to: entry.to }),
        })),
        search,
      ),
    },
    {
      group: 'Hosts',
      actions: (hosts.data ?? []).map((host) => ({
        id: host.id,
        label: host.name,
        description: host.os ? `${host.address} · ${host.os.name}` : host.address,
        leftSection: <Icon name="host" />,
        onClick: () => void navigate({ to: '/hosts/$hostId', params: { hostId: host.id } }),
      })),
    },
    { group: 'Actions', actions: matching(actions, search) },
  ];

  return (
    <Spotlight
      actions={groups.filter((group) => group.actions.length > 0)}
      query={typed}
      onQueryChange={setTyped}
      // The server has searched the hosts already.
      filter={(_query, given) => given}
      onSpotlightOpen={() => setOpened(true)}
      onSpotlightClose={() => setOpened(false)}
      shortcut={['mod + K']}
      nothingFound={hosts.isFetching ? 'Searching…' : 'Nothing found. Try a host name, an address or a page.'}
      scrollable
      overlayProps={{ backgroundOpacity: 0.45, blur: 0 }}
      maxHeight={420}
      clearQueryOnClose
      highlightQuery
      searchProps={{
        leftSection: <Icon name="search" />,
        placeholder: 'Host, page or action',
        'aria-label': 'Search or jump to',
      }}
    />
  );
}

function useActions(onHelp: () => void): SpotlightActionData[] {
  const navigate = useNavigate();
  const canAddHost = useCan('host:write');
  const canAddCredential = useCan('credential:write');
  const { setColorScheme } = useMantineColorScheme();
  const signOut = useSignOut();
  const action = (id: string, label: string, icon: IconName, onClick: () => void, allowed = true) =>
    allowed ? [{ id, label, leftSection: <Icon name={icon} />, onClick }] : [];
  return [
    ...action('add-host', 'Add host', 'plus', () => void navigate({ to: '/hosts/new' }), canAddHost),
    ...action('add-credential', 'Add credential', 'plus', () => void navigate({ to: '/credentials/new' }), canAddCredential),
    ...action('theme-auto', 'Appearance: as the system', 'auto', () => setColorScheme('auto')),
    ...action('theme-light', 'Appearance: light', 'sun', () => setColorScheme('light')),
    ...action('theme-dark', 'Appearance: dark', 'moon', () => setColorScheme('dark')),
    ...action('help', 'Show shortcuts', 'keyboard', onHelp),
    ...action('sign-out', 'Sign out', 'signOut', () =>
      signOut.mutate(undefined, { onSettled: () => void navigate({ to: '/sign-in' }) }),
    ),
  ];
}

function matching(actions: SpotlightActionData[], search: string): SpotlightActionData[] {
  const wanted = search.toLowerCase();
  return actions.filter((entry) => entry.label?.toLowerCase().includes(wanted));
}
