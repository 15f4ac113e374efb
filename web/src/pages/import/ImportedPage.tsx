import { useQuery } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { importQuery } from '@/api/queries/imports';
import { ButtonLink } from '@/components/ButtonLink';
import formClasses from '@/components/Form.module.css';
import { Card, Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { ErrorBanner, ErrorState } from '@/components/States';
import classes from './Import.module.css';
import { ImportResult } from './ImportResult';
import { isOver } from './model';

const route = getRouteApi('/app/hosts/imports/$importId');
const HOSTS = { to: '/hosts', label: 'Hosts' } as const;

/** One import: live while it runs, its result afterwards. */
export function ImportedPage() {
  const { importId } = route.useParams();
  const found = useQuery(importQuery(importId));
  if (found.isPending) return <PageSkeleton />;
  if (!found.data) {
    return <ErrorState what="The import could not be read" error={found.error} level={1} onRetry={() => void found.refetch()} />;
  }
  const { file_name: name, dry_run: trial } = found.data;
  return (
    <Page
      title={isOver(found.data) ? (trial ? 'What would be imported' : 'Imported hosts') : 'Importing hosts'}
      crumb={HOSTS}
      sub={name ?? 'Pasted text'}
    >
      <div className={classes.column}>
        {found.isError && <ErrorBanner error={found.error} />}
        <Card>
          <ImportResult found={found.data} />
        </Card>
        {isOver(found.data) && (
          <div className={formClasses.actions}>
            <ButtonLink to="/hosts" size="sm">
              See the hosts
            </ButtonLink>
            <ButtonLink to="/hosts/import" size="sm" variant="default">
              Import another file
            </ButtonLink>
          </div>
        )}
      </div>
    </Page>
  );
}
