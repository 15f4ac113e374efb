import { ButtonLink } from '@/components/ButtonLink';
import type { Scan } from '@/api/types';
import { useCan } from '@/app/session';
import { EmptyState, ProblemBanner } from '@/components/States';

/** Why a scan has no outcomes, and what to do. Its failure is never a verdict about the host. */
export function ScanEnding({ scan }: { scan: Scan }) {
  const canEdit = useCan('host:write');
  if (scan.state === 'cancelled') {
    return (
      <EmptyState icon="minus" title="This scan was cancelled">
        <p>It has no outcomes. What earlier scans of the host found still stands.</p>
      </EmptyState>
    );
  }
  if (scan.state !== 'failed') return null;
  return (
    <ProblemBanner
      title={scan.failure?.message ?? 'The scan failed and did not say why.'}
      fix={scan.failure?.fix}
      code={scan.failure?.code}
      actions={
        canEdit && (
          <ButtonLink variant="default" to="/hosts/$hostId/edit" params={{ hostId: scan.host_id }}>
            Check the connection
          </ButtonLink>
        )
      }
    >
      <p>Nothing was measured: what earlier scans of the host found still stands.</p>
    </ProblemBanner>
  );
}
