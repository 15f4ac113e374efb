import { Checkbox, Popover, TextInput } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { count } from '@/format/number';
import classes from './FilterBar.module.css';
import { Icon } from './Icon';

export interface FacetOption {
  value: string;
  label: string;
  icon?: ReactNode;
  count?: number;
}

interface Props {
  label: string;
  options: readonly FacetOption[];
  value: readonly string[];
  onChange: (value: string[]) => void;
}

/** From this many options on, the menu can be searched. */
const SEARCHABLE_FROM = 9;

/** One filter with several choices and how many rows each of them has. */
export function FacetFilter({ label, options, value, onChange }: Props) {
  const [search, setSearch] = useState('');
  const known = withChosen(options, value);
  const shown = known.filter((option) => option.label.toLowerCase().includes(search.toLowerCase()));
  const chosen = chosenText(known, value);
  const toggle = (option: string) =>
    onChange(value.includes(option) ? value.filter((entry) => entry !== option) : [...value, option]);
  return (
    <Popover position="bottom-start" shadow="md" width={250} trapFocus returnFocus onClose={() => setSearch('')}>
      <Popover.Target>
        <button type="button" className={classes.trigger} data-active={value.length > 0 || undefined}>
          <span className="visually-hidden">Filter by</span> {label}{' '}
          {chosen && <span className={classes.triggerValue}>{chosen}</span>}
          <Icon name="chevronDown" size={12} />
        </button>
      </Popover.Target>
      <Popover.Dropdown p={6}>
        {known.length >= SEARCHABLE_FROM && (
          <TextInput
            size="xs"
            mb={6}
            aria-label={`Search ${label.toLowerCase()}`}
            placeholder={`Search ${label.toLowerCase()}`}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
        )}
        <div className={classes.menu} role="group" aria-label={label}>
          {shown.length === 0 && <span className={classes.none}>Nothing to choose from.</span>}
          {shown.map((option) => (
            // Mantine's checkbox carries the label's name itself.
            <label key={option.value} className={classes.option} data-zero={option.count === 0 || undefined}>
              <Checkbox
                size="xs"
                aria-label={option.label}
                checked={value.includes(option.value)}
                onChange={() => toggle(option.value)}
              />
              <span className={classes.optionLabel}>{option.icon ?? option.label}</span>
              {option.count !== undefined && <span className={classes.optionCount}>{count(option.count)}</span>}
            </label>
          ))}
        </div>
      </Popover.Dropdown>
    </Popover>
  );
}

/** What is chosen stays in the menu even when no row has it any more. */
function withChosen(options: readonly FacetOption[], value: readonly string[]): readonly FacetOption[] {
  const missing = value.filter((chosen) => !options.some((option) => option.value === chosen));
  return [...options, ...missing.map((chosen) => ({ value: chosen, label: chosen, count: 0 }))];
}

function chosenText(options: readonly FacetOption[], value: readonly string[]): string {
  if (value.length > 2) return `${value.length} chosen`;
  return value.map((chosen) => options.find((option) => option.value === chosen)?.label ?? chosen).join(', ');
}
