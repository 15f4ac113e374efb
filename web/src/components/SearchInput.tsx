import { ActionIcon, TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useRef, useState } from 'react';
import { useShortcut } from '@/app/shortcuts/useShortcut';
import classes from './FilterBar.module.css';
import { Icon } from './Icon';

interface Props {
  label: string;
  placeholder: string;
  value: string;
  onChange: (value: string) => void;
}

const TYPING_PAUSE_MS = 180;

/** Search as one types; `/` comes here, Escape empties it. */
export function SearchInput({ label, placeholder, value, onChange }: Props) {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(value);
  const [seen, setSeen] = useState(value);
  const [published, setPublished] = useState(value);
  const publish = useDebouncedCallback((next: string) => {
    setPublished(next.trim());
    onChange(next.trim());
  }, TYPING_PAUSE_MS);
  // The address changed from outside (Back, "clear filters"): follow it. Our own change is only an echo.
  if (value !== seen) {
    setSeen(value);
    if (value !== published) {
      setPublished(value);
      setText(value);
    }
  }
  const change = (next: string) => {
    setText(next);
    publish(next);
  };
  useShortcut('/', () => input.current?.focus(), { label: 'Search', group: 'Lists' });
  return (
    <TextInput
      ref={input}
      className={classes.search}
      type="search"
      aria-label={label}
      placeholder={placeholder}
      size="xs"
      value={text}
      onChange={(event) => change(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        event.preventDefault();
        if (text === '') input.current?.blur();
        else change('');
      }}
      leftSection={<Icon name="search" size={14} />}
      rightSection={
        text === '' ? (
          <kbd aria-hidden="true">/</kbd>
        ) : (
          <ActionIcon size="sm" aria-label="Clear search" onClick={() => change('')}>
            <Icon name="close" size={12} />
          </ActionIcon>
        )
      }
    />
  );
}
