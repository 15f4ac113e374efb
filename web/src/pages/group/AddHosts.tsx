import { Button, Group as Row, Modal, MultiSelect, Stack } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { useChangeMembers } from '@/api/queries/groups';
import { hostSuggestionsQuery } from '@/api/queries/hosts';
import type { Group } from '@/api/types';
import { ErrorBanner } from '@/components/States';
import { plural } from '@/format/number';

/** The server is asked for what one has typed, not for each letter. */
const TYPING_PAUSE_MS = 150;

interface Props {
  group: Group;
  opened: boolean;
  onClose: () => void;
}

export function AddHosts({ group, opened, onClose }: Props) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Add hosts to ${group.name}`} closeButtonProps={{ 'aria-label': 'Close' }}>
      {opened && <Choose group={group} onClose={onClose} />}
    </Modal>
  );
}

function Choose({ group, onClose }: { group: Group; onClose: () => void }) {
  const [chosen, setChosen] = useState<ReadonlyMap<string, string>>(new Map());
  const [typed, setTyped] = useState('');
  const [listed, setListed] = useState(false);
  const [search] = useDebouncedValue(typed.trim(), TYPING_PAUSE_MS);
  const found = useQuery(hostSuggestionsQuery(search));
  const change = useChangeMembers(group.id);
  // What was chosen stays to be seen when a later search no longer finds it.
  const names = new Map([...chosen, ...(found.data ?? []).map(({ id, name }) => [id, name] as const)]);
  return (
    <Stack gap="md">
      <MultiSelect
        label="Hosts"
        description="Type a part of the name, address or tag."
        data={[...names].map(([value, label]) => ({ value, label }))}
        value={[...chosen.keys()]}
        onChange={(ids) => {
          setChosen(new Map(ids.map((id) => [id, names.get(id) ?? id])));
          // An open list would lie over the button below.
          setListed(false);
        }}
        dropdownOpened={listed}
        onDropdownOpen={() => setListed(true)}
        onDropdownClose={() => setListed(false)}
        searchable
        searchValue={typed}
        onSearchChange={setTyped}
        // The server has searched already, in more than the name.
        filter={({ options }) => options}
        nothingFoundMessage={found.isFetching ? 'Searching…' : 'No host found.'}
        data-autofocus
      />
      <ErrorBanner error={found.error ?? change.error} />
      <Row justify="flex-end" gap="xs">
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button
          disabled={chosen.size === 0}
          loading={change.isPending}
          onClick={() => change.mutate({ add: [...chosen.keys()], remove: [] }, { onSuccess: onClose })}
        >
          {chosen.size === 0 ? 'Add hosts' : `Add ${plural(chosen.size, 'host')}`}
        </Button>
      </Row>
    </Stack>
  );
}
