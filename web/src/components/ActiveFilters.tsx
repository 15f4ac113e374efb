import { Button } from '@mantine/core';
import classes from './FilterBar.module.css';
import { EmptyState } from './States';
import { Icon } from './Icon';

export interface ActiveFilter {
  /** "State is failed". */
  text: string;
  clear: () => void;
}

interface Props {
  /** "host", "rule". */
  noun: string;
  filters: readonly ActiveFilter[];
  onClearAll: () => void;
}

/** Rows exist but none match: names each filter and takes it away on a click. */
export function NoMatch({ noun, filters, onClearAll }: Props) {
  return (
    <EmptyState
      icon="filter"
      title={filters.length === 1 ? `No ${noun} matches this filter` : `No ${noun} matches all of these filters`}
      actions={
        filters.length > 1 && (
          <Button variant="default" onClick={onClearAll}>
            Clear all filters
          </Button>
        )
      }
    >
      <div className={classes.chips}>
        {filters.map((filter) => (
          <button
            key={filter.text}
            type="button"
            className={classes.chip}
            onClick={filter.clear}
            aria-label={`Remove filter: ${filter.text}`}
          >
            {filter.text}
            <Icon name="close" size={12} />
          </button>
        ))}
      </div>
    </EmptyState>
  );
}
