import type { Group, HostFacets } from '@/api/types';
import { HOST_STATES } from '@/api/types';
import { orAbsent } from '@/app/search';
import type { ActiveFilter } from '@/components/ActiveFilters';
import { FacetFilter, type FacetOption } from '@/components/FacetFilter';
import filterClasses from '@/components/FilterBar.module.css';
import { HostStatePill } from '@/components/Pill';
import { SearchInput } from '@/components/SearchInput';
import { HOST_STATE_LOOK } from '@/components/verdict';
import type { HostsSearch } from './search';

type Change = (patch: Partial<HostsSearch>) => void;

interface Props {
  search: HostsSearch;
  facets: HostFacets | undefined;
  /** The groups to choose from; left out where the list is that of one group. */
  groups?: readonly Group[];
  onChange: Change;
  /** Turns to the deleted hosts and back; left out where there is no way to them. */
  onDeleted?: (deleted: HostsSearch['deleted']) => void;
}

export function HostFilters({ search, facets, groups = [], onChange, onDeleted }: Props) {
  return (
    <div className={filterClasses.bar} role="search" aria-label="Hosts">
      <SearchInput
        label="Search hosts"
        placeholder="Name, address or tag"
        value={search.search ?? ''}
        onChange={(text) => onChange({ search: text || undefined })}
      />
      <FacetFilter
        label="State"
        options={HOST_STATES.map((state) => ({
          value: state,
          label: HOST_STATE_LOOK[state].label,
          icon: <HostStatePill state={state} />,
          count: facets?.state[state] ?? (facets ? 0 : undefined),
        }))}
        value={search.state ?? []}
        onChange={(value) => onChange({ state: HOST_STATES.filter((state) => value.includes(state)) })}
      />
      <FacetFilter
        label="System"
        options={facetOptions(facets?.os)}
        value={search.os ?? []}
        onChange={(value) => onChange({ os: orAbsent(value) })}
      />
      <FacetFilter
        label="Environment"
        options={facetOptions(facets?.environment)}
        value={search.environment ?? []}
        onChange={(value) => onChange({ environment: orAbsent(value) })}
      />
      <FacetFilter
        label="Tag"
        options={facetOptions(facets?.tag)}
        value={search.tag ?? []}
        onChange={(value) => onChange({ tag: orAbsent(value) })}
      />
      {groups.length > 0 && (
        <FacetFilter
          label="Group"
          options={groups.map(({ id, name, hosts }) => ({ value: id, label: name, count: hosts.total }))}
          value={search.group ?? []}
          onChange={(value) => onChange({ group: orAbsent(value) })}
        />
      )}
      {onDeleted && (
        <button
          type="button"
          className={filterClasses.trigger}
          aria-pressed={search.deleted !== undefined}
          data-active={search.deleted !== undefined || undefined}
          onClick={() => onDeleted(search.deleted ? undefined : 'true')}
        >
          Deleted
        </button>
      )}
    </div>
  );
}

function facetOptions(counts: Record<string, number> | undefined): FacetOption[] {
  return Object.entries(counts ?? {})
    .map(([value, count]) => ({ value, label: value, count }))
    .toSorted((a, b) => b.count - a.count || a.label.localeCompare(b.label));
}

/** Every filter that is on, in words, with the way to take it off. */
export function activeHostFilters(
  search: HostsSearch,
  onChange: Change,
  groups: readonly Group[] = [],
): ActiveFilter[] {
  const filters: ActiveFilter[] = [];
  if (search.search) {
    filters.push({ text: `Search is “${search.search}”`, clear: () => onChange({ search: undefined }) });
  }
  if (search.state) {
    const names = search.state.map((state) => HOST_STATE_LOOK[state].label.toLowerCase());
    filters.push({ text: `State is ${names.join(' or ')}`, clear: () => onChange({ state: undefined }) });
  }
  if (search.os) {
    filters.push({ text: `System is ${search.os.join(' or ')}`, clear: () => onChange({ os: undefined }) });
  }
  if (search.environment) {
    const text = `Environment is ${search.environment.join(' or ')}`;
    filters.push({ text, clear: () => onChange({ environment: undefined }) });
  }
  if (search.tag) {
    filters.push({ text: `Tag is ${search.tag.join(' or ')}`, clear: () => onChange({ tag: undefined }) });
  }
  if (search.deleted) {
    filters.push({ text: 'Deleted hosts only', clear: () => onChange({ deleted: undefined }) });
  }
  if (search.group) {
    const names = search.group.map((id) => groups.find((group) => group.id === id)?.name ?? 'a removed group');
    filters.push({ text: `Group is ${names.join(' or ')}`, clear: () => onChange({ group: undefined }) });
  }
  return filters;
}
