import { Modal, Switch } from '@mantine/core';
import { useState } from 'react';
import { setShortcutsEnabled, shortcutsEnabled, type Shortcut } from '../shortcuts/registry';
import { useShortcutList } from '../shortcuts/useShortcut';
import classes from './ShortcutsDialog.module.css';

const GROUPS: readonly Shortcut['group'][] = ['Go to', 'Lists', 'This page', 'Everywhere'];

export function ShortcutsDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const shortcuts = useShortcutList();
  const [enabled, setEnabled] = useState(shortcutsEnabled);
  const change = (next: boolean) => {
    setShortcutsEnabled(next);
    setEnabled(next);
  };
  return (
    <Modal opened={opened} onClose={onClose} title="Shortcuts" size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <div className={classes.columns}>
        {GROUPS.map((group) => (
          <Group key={group} name={group} shortcuts={shortcuts.filter((entry) => entry.group === group)} />
        ))}
      </div>
      <Switch
        mt="md"
        size="sm"
        checked={enabled}
        onChange={(event) => change(event.currentTarget.checked)}
        label="Single-key shortcuts"
        description="Turn off if speech input or a screen reader types into the page. Ctrl K stays."
      />
    </Modal>
  );
}

function Group({ name, shortcuts }: { name: Shortcut['group']; shortcuts: readonly Shortcut[] }) {
  const rows = name === 'Everywhere' ? [...shortcuts, { keys: 'Ctrl K', label: 'Search or jump to' }] : shortcuts;
  if (rows.length === 0) return null;
  return (
    <section>
      <h3 className={classes.heading}>{name}</h3>
      <dl className={classes.list}>
        {rows.map(({ keys, label }) => (
          <div key={`${keys}${label}`} className={classes.row}>
            <dt>{label}</dt>
            <dd>
              {keys.split(' ').map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
