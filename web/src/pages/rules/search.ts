import { manyOf, one } from '@/app/search';
import { CATEGORIES, SEVERITIES, type Category, type RuleQuery, type Severity } from '@/api/types';

export interface RulesSearch {
  search?: string;
  severity?: Severity[];
  category?: Category[];
  framework?: string;
  sort?: string;
}

export function rulesSearch(raw: Record<string, unknown>): RulesSearch {
  return {
    search: one(raw.search),
    severity: manyOf(raw.severity, SEVERITIES),
    category: manyOf(raw.category, CATEGORIES),
    framework: one(raw.framework),
    sort: one(raw.sort),
  };
}

export const DEFAULT_RULE_SORT = 'severity';

export function ruleQueryOf(search: RulesSearch): RuleQuery {
  return { ...search, sort: search.sort ?? DEFAULT_RULE_SORT };
}
