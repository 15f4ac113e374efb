import { useEffect, useId, useRef, useState, type KeyboardEvent } from 'react';
import { Icon } from '@/components/Icon';
import classes from './Palette.module.css';
import type { PaletteGroup, PaletteItem } from './paletteItems';

interface Props {
  typed: string;
  onType: (typed: string) => void;
  groups: readonly PaletteGroup[];
  searching: boolean;
  onDone: () => void;
}

/** A text field that chooses from a list (ARIA Authoring Practices: combobox with a listbox popup). */
export function Palette({ typed, onType, groups, searching, onDone }: Props) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const items = groups.flatMap((group) => group.items);
  const [chosen, setChosen] = useState<string | null>(null);
  // What was chosen may have left the list: the first entry takes its place.
  const active = items.find((item) => item.id === chosen) ?? items[0];

  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [active?.id]);

  const run = (item: PaletteItem | undefined) => {
    if (!item) return;
    onDone();
    item.run();
  };
  const move = (by: number) => {
    const index = active ? items.indexOf(active) : -1;
    setChosen(items[(index + by + items.length) % items.length]?.id ?? null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === 'Enter') run(active);
    else if (event.key === 'ArrowDown') move(1);
    else if (event.key === 'ArrowUp') move(-1);
    else return;
    event.preventDefault();
  };
  const optionId = (item: PaletteItem) => `${id}-${item.id}`;

  return (
    <>
      <div className={classes.search}>
        <Icon name="search" />
        <input
          className={classes.input}
          type="text"
          role="combobox"
          aria-label="Search or jump to"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={active && optionId(active)}
          aria-autocomplete="list"
          autoComplete="off"
          spellCheck={false}
          data-autofocus
          placeholder="Host, page or action"
          value={typed}
          onChange={(event) => {
            setChosen(null);
            onType(event.currentTarget.value);
          }}
          onKeyDown={onKeyDown}
        />
        <kbd>Esc</kbd>
      </div>
      <div ref={list} id={`${id}-list`} className={classes.list} role="listbox" aria-label="Results">
        {groups.map((group) => (
          <div key={group.name} className={classes.group} role="group" aria-label={group.name}>
            <div className={classes.heading} aria-hidden="true">
              {group.name}
            </div>
            {group.items.map((item) => (
              // The keyboard acts on the field, which names the active option.
              // eslint-disable-next-line jsx-a11y/click-events-have-key-events
              <div
                key={item.id}
                id={optionId(item)}
                className={classes.option}
                role="option"
                tabIndex={-1}
                aria-selected={item === active}
                onClick={() => run(item)}
                onMouseMove={() => setChosen(item.id)}
              >
                <Icon name={item.icon} />
                <span className={classes.label}>{item.label}</span>
                {item.detail && <span className={classes.detail}>{item.detail}</span>}
              </div>
            ))}
          </div>
        ))}
      </div>
      {items.length === 0 && (
        <p className={classes.none} role="status">
          {searching ? 'Searching…' : 'Nothing found. Try a host name, an address or a page.'}
        </p>
      )}
    </>
  );
}
