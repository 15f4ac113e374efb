import { Tabs } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { hostHistoryQuery, hostQuery } from '@/api/queries/hosts';
import { scanQuery } from '@/api/queries/scans';
import type { HistoryPoint, Host } from '@/api/types';
import { useCan } from '@/app/session';
import { Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { HostStatePill } from '@/components/Pill';
import { ErrorState, ProblemBanner } from '@/components/States';
import { ButtonLink } from '@/components/ButtonLink';
import { AboutHost } from './AboutHost';
import { HostActions } from './HostActions';
import { HostFindings } from './HostFindings';
import { HostOverview } from './HostOverview';
import { HostScans } from './HostScans';
import classes from './Host.module.css';
import { HOST_TABS, type HostSearch, type HostTab } from './search';

const route = getRouteApi('/app/hosts/$hostId');
const HOSTS = { to: '/hosts', label: 'Hosts' } as const;
const TAB_LABEL: Record<HostTab, string> = { findings: 'Findings', scans: 'Scans', about: 'About' };

export function HostPage() {
  const { hostId } = route.useParams();
  const host = useQuery(hostQuery(hostId));
  if (host.isPending) return <PageSkeleton />;
  if (!host.data) {
    return (
      <Page title="Host" crumb={HOSTS}>
        <ErrorState what="The host could not be read" error={host.error} onRetry={() => void host.refetch()} />
      </Page>
    );
  }
  return <HostView host={host.data} />;
}

function HostView({ host }: { host: Host }) {
  const search = route.useSearch();
  const navigate = useNavigate({ from: '/hosts/$hostId' });
  const history = useQuery(hostHistoryQuery(host.id));
  const tab = search.tab ?? 'findings';
  const change = (patch: Partial<HostSearch>) =>
    void navigate({ search: (current) => ({ ...current, ...patch }), replace: true, resetScroll: false });

  return (
    <Page
      title={host.name}
      crumb={HOSTS}
      badge={<HostStatePill state={host.state} soft />}
      sub={<HostLine host={host} />}
      actions={<HostActions host={host} />}
    >
      <LastFailure host={host} />
      <HostOverview host={host} history={history} />
      <Tabs
        value={tab}
        onChange={(next) => change({ tab: HOST_TABS.find((name) => name === next && name !== 'findings'), rule: undefined })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          {HOST_TABS.map((name) => (
            <Tabs.Tab key={name} value={name}>
              {TAB_LABEL[name]}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        <Tabs.Panel value="findings">
          <HostFindings host={host} search={search} onChange={change} scanId={latestScan(history.data)} />
        </Tabs.Panel>
        <Tabs.Panel value="scans">
          <HostScans hostId={host.id} />
        </Tabs.Panel>
        <Tabs.Panel value="about">
          <AboutHost host={host} />
        </Tabs.Panel>
      </Tabs>
    </Page>
  );
}

/** The completed scan that the current outcomes come from. */
function latestScan(history: readonly HistoryPoint[] | undefined): string | null {
  const newest = history?.toSorted((a, b) => b.finished_at.localeCompare(a.finished_at))[0];
  return newest?.scan_id ?? null;
}

function HostLine({ host }: { host: Host }) {
  return (
    <>
      <code>
        {host.address}
        {host.port !== 22 && `:${host.port}`}
      </code>
      {host.os && <span>{host.os.name}</span>}
      {host.environment && <span>{host.environment}</span>}
      {host.tags.length > 0 && <span className={classes.tags}>{host.tags.join(' · ')}</span>}
    </>
  );
}

/** The newest scan did not come through: says why, and that the numbers below are older. */
function LastFailure({ host }: { host: Host }) {
  const canEdit = useCan('host:write');
  const failed = host.last_scan?.state === 'failed' && !host.active_scan_id ? host.last_scan : null;
  const scan = useQuery({ ...scanQuery(failed?.id ?? ''), enabled: failed !== null });
  if (!failed) return null;
  const failure = scan.data?.failure;
  return (
    <ProblemBanner
      title={failure?.message ?? 'The last scan failed.'}
      fix={failure?.fix}
      code={failure?.code ?? failed.failure_code}
      actions={
        canEdit && (
          <ButtonLink variant="default" to="/hosts/$hostId/edit" params={{ hostId: host.id }}>
            Check the connection
          </ButtonLink>
        )
      }
    >
      {host.score && <p>What is shown below comes from the last scan that succeeded.</p>}
    </ProblemBanner>
  );
}
