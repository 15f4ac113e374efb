import { CATEGORIES, SEVERITIES, type OutcomeFacets } from '@/api/types';
import { useFrameworks } from '@/app/frameworks';
import { readableName } from '@/app/labels';
import { orAbsent } from '@/app/search';
import { useCategoryLabel } from '@/app/session';
import type { ActiveFilter } from '@/components/ActiveFilters';
import { FacetFilter } from '@/components/FacetFilter';
import filterClasses from '@/components/FilterBar.module.css';
import { SeverityBadge } from '@/components/Pill';
import { SearchInput } from '@/components/SearchInput';
import { SEVERITY_LABEL, VERDICT_LOOK } from '@/components/verdict';
import type { OutcomeSearch } from './search';
import { VerdictFilter } from './VerdictFilter';

type Change = (patch: Partial<OutcomeSearch>) => void;

interface Props {
  search: OutcomeSearch;
  facets: OutcomeFacets | undefined;
  onChange: Change;
}

export function OutcomeFilters({ search, facets, onChange }: Props) {
  const categoryLabel = useCategoryLabel();
  const frameworks = useFrameworks();
  return (
    <div style={{ display: 'grid', gap: 10 }}>
      <VerdictFilter
        counts={facets?.verdict}
        value={search.verdict ?? []}
        onChange={(verdict) => onChange({ verdict })}
      />
      <div className={filterClasses.bar} role="search" aria-label="Outcomes">
        <SearchInput
          label="Search rules"
          placeholder="Rule, title or finding"
          value={search.search ?? ''}
          onChange={(text) => onChange({ search: text || undefined })}
        />
        <FacetFilter
          label="Severity"
          options={SEVERITIES.map((severity) => ({
            value: severity,
            label: SEVERITY_LABEL[severity],
            icon: <SeverityBadge severity={severity} />,
            count: facets ? (facets.severity[severity] ?? 0) : undefined,
          }))}
          value={search.severity ?? []}
          onChange={(value) => onChange({ severity: orAbsent(SEVERITIES.filter((name) => value.includes(name))) })}
        />
        <FacetFilter
          label="Category"
          options={CATEGORIES.map((value) => ({
            value,
            label: categoryLabel(value),
            count: facets ? (facets.category[value] ?? 0) : undefined,
          }))}
          value={search.category ?? []}
          onChange={(value) => onChange({ category: orAbsent(CATEGORIES.filter((name) => value.includes(name))) })}
        />
        {frameworks.all.length > 0 && (
          <FacetFilter
            label="Framework"
            options={frameworks.all.map((entry) => ({ value: entry.id, label: entry.name }))}
            value={search.framework ? [search.framework] : []}
            onChange={(value) => onChange({ framework: value.at(-1) })}
          />
        )}
      </div>
    </div>
  );
}

export function activeOutcomeFilters(search: OutcomeSearch, onChange: Change): ActiveFilter[] {
  const filters: ActiveFilter[] = [];
  const add = (text: string, patch: Partial<OutcomeSearch>) => filters.push({ text, clear: () => onChange(patch) });
  if (search.search) add(`Search is “${search.search}”`, { search: undefined });
  if (search.verdict) {
    const names = search.verdict.map((verdict) => VERDICT_LOOK[verdict].label.toLowerCase());
    add(`Verdict is ${names.join(' or ')}`, { verdict: undefined });
  }
  if (search.severity) {
    add(`Severity is ${search.severity.join(' or ')}`, { severity: undefined });
  }
  if (search.category) {
    add(`Category is ${search.category.map(readableName).join(' or ')}`, { category: undefined });
  }
  if (search.framework) add(`Framework is ${search.framework}`, { framework: undefined });
  return filters;
}
