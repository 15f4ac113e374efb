import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { ruleQuery } from '@/api/queries/rules';
import { readableName, systemName } from '@/app/labels';
import { CopyButton } from '@/components/CopyButton';
import { Card, Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { SeverityBadge } from '@/components/Pill';
import { ErrorState } from '@/components/States';
import { RuleText } from '../outcomes/RuleText';
import classes from './Rules.module.css';

const route = getRouteApi('/app/rules/$ruleId');
const RULES = { to: '/rules', label: 'Rules' } as const;

export function RulePage() {
  const { ruleId } = route.useParams();
  const rule = useQuery(ruleQuery(ruleId));
  if (rule.isPending) return <PageSkeleton />;
  if (!rule.data) {
    return (
      <Page title="Rule" crumb={RULES}>
        <ErrorState what="The rule could not be read" error={rule.error} onRetry={() => void rule.refetch()} />
      </Page>
    );
  }
  const { title, severity, category, platforms, description, rationale, fix_text, references } = rule.data;
  return (
    <Page
      title={title}
      crumb={RULES}
      narrow
      sub={
        <>
          <SeverityBadge severity={severity} />
          <span>{readableName(category)}</span>
          {platforms.length > 0 && <span>{platforms.map(systemName).join(', ')}</span>}
          <span>
            <code>{rule.data.id}</code> <CopyButton value={rule.data.id} label="Copy rule id" />
          </span>
        </>
      }
    >
      <Card>
        <div className={classes.body}>
          <RuleText
            level={2}
            description={description}
            rationale={rationale}
            fixText={fix_text}
            references={references}
            controls={rule.data.controls}
          />
        </div>
      </Card>
    </Page>
  );
}
