import { manyOf, one } from '@/app/search';
import { CATEGORIES, SEVERITIES, VERDICTS, type Category, type OutcomeQuery, type Severity, type Verdict } from '@/api/types';

/** The filters of a list of outcomes, and the rule whose evidence is open. */
export interface OutcomeSearch {
  search?: string;
  verdict?: Verdict[];
  severity?: Severity[];
  category?: Category[];
  framework?: string;
  sort?: string;
  rule?: string;
}

export function outcomeSearch(raw: Record<string, unknown>): OutcomeSearch {
  return {
    search: one(raw.search),
    verdict: manyOf(raw.verdict, VERDICTS),
    severity: manyOf(raw.severity, SEVERITIES),
    category: manyOf(raw.category, CATEGORIES),
    framework: one(raw.framework),
    sort: one(raw.sort),
    rule: one(raw.rule),
  };
}

/** What needs attention first: failures, then what could not be measured; the most severe on top. */
export const DEFAULT_OUTCOME_SORT = 'priority';

export function outcomeQueryOf({ rule: _rule, ...search }: OutcomeSearch): OutcomeQuery {
  return { ...search, sort: search.sort ?? DEFAULT_OUTCOME_SORT };
}
