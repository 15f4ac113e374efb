import { Link } from '@tanstack/react-router';
import type { ColumnDef } from '@tanstack/react-table';
import type { Severity, Verdict } from '@/api/types';
import { readableName } from '@/app/labels';
import { SeverityBadge, VerdictBadge } from '@/components/Pill';
import classes from './Outcomes.module.css';

/** What the list of a scan and the list of a host have in common. */
export interface OutcomeRow {
  rule_id: string;
  title: string;
  severity: Severity;
  category: string;
  verdict: Verdict;
  message: string;
}

export const outcomeColumns: ColumnDef<OutcomeRow>[] = [
  {
    id: 'verdict',
    header: 'Verdict',
    cell: ({ row }) => <VerdictBadge verdict={row.original.verdict} />,
    meta: { sort: 'verdict', width: '142px', narrow: 'start' },
  },
  {
    id: 'severity',
    header: 'Severity',
    cell: ({ row }) => <SeverityBadge severity={row.original.severity} />,
    meta: { sort: 'severity', width: '112px', narrow: 'end' },
  },
  {
    id: 'rule',
    header: 'Rule',
    cell: ({ row }) => <RuleCell outcome={row.original} />,
    meta: { sort: 'title', narrow: 'full' },
  },
  {
    id: 'category',
    header: 'Category',
    cell: ({ row }) => readableName(row.original.category),
    meta: { sort: 'category', width: '170px', narrow: 'hide' },
  },
];

function RuleCell({ outcome }: { outcome: OutcomeRow }) {
  return (
    <div className={classes.rule}>
      <Link
        to="."
        search={(current: object) => ({ ...current, rule: outcome.rule_id })}
        replace
        resetScroll={false}
        className={classes.ruleLink}
        data-row-link
      >
        {outcome.title}
      </Link>
      <span className={classes.message}>{outcome.message}</span>
    </div>
  );
}
