import { ActionIcon, Button, Drawer, Group, Skeleton, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { evidenceAddress, evidenceDownload, scanOutcomeQuery } from '@/api/queries/scans';
import type { OutcomeDetail } from '@/api/types';
import { readableName } from '@/app/labels';
import { useShortcut } from '@/app/shortcuts/useShortcut';
import { Hash } from '@/components/CodeBlock';
import { CopyButton } from '@/components/CopyButton';
import { Icon } from '@/components/Icon';
import { SeverityBadge, VerdictBadge } from '@/components/Pill';
import { ErrorState } from '@/components/States';
import { Observations } from './Observation';
import classes from './Outcomes.module.css';
import { RuleText } from './RuleText';

interface Props {
  scanId: string | null;
  ruleId: string | undefined;
  /** The rules of the list behind the drawer, in its order. */
  order: readonly string[];
  onOpen: (ruleId: string) => void;
  onClose: () => void;
}

/** The proof behind one outcome. j and k go through the list without closing it. */
export function EvidenceDrawer({ scanId, ruleId, order, onOpen, onClose }: Props) {
  const opened = scanId !== null && ruleId !== undefined;
  return (
    <Drawer.Root opened={opened} onClose={onClose} position="right" size={720}>
      <Drawer.Overlay backgroundOpacity={0.25} />
      <Drawer.Content aria-label="Evidence">
        <Drawer.Header>
          <Drawer.Title>Evidence</Drawer.Title>
          <Group gap={4}>
            {ruleId && <Steps ruleId={ruleId} order={order} onOpen={onOpen} />}
            <Drawer.CloseButton aria-label="Close" />
          </Group>
        </Drawer.Header>
        <Drawer.Body>
          {/* The focus starts at the text, not at a button, so that the keyboard scrolls. */}
          <div tabIndex={-1} data-autofocus className={classes.drawerFocus}>
            {opened && <Evidence scanId={scanId} ruleId={ruleId} />}
          </div>
        </Drawer.Body>
      </Drawer.Content>
    </Drawer.Root>
  );
}

function Steps({ ruleId, order, onOpen }: { ruleId: string; order: readonly string[]; onOpen: (id: string) => void }) {
  const index = order.indexOf(ruleId);
  const previous = index > 0 ? order[index - 1] : undefined;
  const next = index >= 0 ? order[index + 1] : undefined;
  const open = (id: string | undefined) => id !== undefined && onOpen(id);
  useShortcut('j', () => open(next), { label: 'Next evidence', group: 'This page', inDialogs: true });
  useShortcut('k', () => open(previous), { label: 'Previous evidence', group: 'This page', inDialogs: true });
  return (
    <>
      <CopyButton value={window.location.href} label="Copy link to this evidence" />
      <Tooltip label="Previous (k)">
        <ActionIcon aria-label="Previous" disabled={!previous} onClick={() => open(previous)}>
          <Icon name="chevronUp" />
        </ActionIcon>
      </Tooltip>
      <Tooltip label="Next (j)">
        <ActionIcon aria-label="Next" disabled={!next} onClick={() => open(next)}>
          <Icon name="chevronDown" />
        </ActionIcon>
      </Tooltip>
    </>
  );
}

function Evidence({ scanId, ruleId }: { scanId: string; ruleId: string }) {
  const outcome = useQuery(scanOutcomeQuery(scanId, ruleId));
  if (outcome.isError) {
    return <ErrorState error={outcome.error} what="The evidence could not be read" onRetry={() => void outcome.refetch()} />;
  }
  if (outcome.isPending) {
    return (
      <div className={classes.drawerBody} role="status" aria-label="Loading evidence">
        <Skeleton height={24} width="70%" />
        <Skeleton height={56} />
        <Skeleton height={220} radius="lg" />
        <Skeleton height={140} radius="lg" />
      </div>
    );
  }
  return <OutcomeBody outcome={outcome.data} />;
}

function OutcomeBody({ outcome }: { outcome: OutcomeDetail }) {
  const { rule, observations } = outcome;
  return (
    <div className={classes.drawerBody}>
      <div className={classes.head}>
        <h2>{rule.title}</h2>
        <div className={classes.marks}>
          <VerdictBadge verdict={outcome.verdict} soft />
          <SeverityBadge severity={outcome.severity} />
          <span>{readableName(rule.category)}</span>
          <Link to="/rules/$ruleId" params={{ ruleId: outcome.rule_id }}>
            <code>{outcome.rule_id}</code>
          </Link>
        </div>
      </div>
      <div className={classes.why} data-verdict={outcome.verdict}>
        <p>{outcome.message}</p>
        {outcome.reason && (
          <p className={classes.reason}>
            Reason: <code>{outcome.reason}</code>
          </p>
        )}
      </div>
      {observations.length > 0 && (
        <section className={classes.section}>
          <h3>What was read</h3>
          <Observations key={outcome.rule_id} observations={observations} />
        </section>
      )}
      <SiteValues values={outcome.variables} />
      <Proof outcome={outcome} />
      <RuleText
        description={rule.description}
        rationale={rule.rationale}
        fixText={rule.fix_text}
        references={rule.references}
      />
    </div>
  );
}

/** The limits that the site or a benchmark set, without which the verdict cannot be understood. */
function SiteValues({ values }: { values: OutcomeDetail['variables'] }) {
  if (values.length === 0) return null;
  return (
    <section className={classes.section}>
      <h3>Judged with</h3>
      <dl className={classes.references}>
        {values.map(({ name, value, origin, looser_than_default: looser }) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>
              <code>{name}</code>
            </dt>
            <dd>
              {Array.isArray(value) ? value.join(', ') : value} ({origin}
              {looser && ', looser than the default'})
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

/** The stored bytes: their hash, where to read them, which facts they hold. */
function Proof({ outcome }: { outcome: OutcomeDetail }) {
  const hash = outcome.evidence_hash;
  return (
    <section className={classes.section}>
      <h3>Stored evidence</h3>
      <div className={classes.buttons}>
        <Hash value={hash} label="evidence hash" />
        <Button
          component="a"
          href={evidenceAddress(hash)}
          target="_blank"
          rel="noreferrer"
          variant="default"
          leftSection={<Icon name="external" size={14} />}
        >
          Open
        </Button>
        <Button
          component="a"
          href={evidenceDownload(hash)}
          download
          variant="default"
          leftSection={<Icon name="download" size={14} />}
        >
          Download
        </Button>
      </div>
      {outcome.facts.length > 0 && (
        <table className={classes.facts} aria-label="Facts">
          <thead>
            <tr>
              <th scope="col">Fact</th>
              <th scope="col">Exit status</th>
              <th scope="col">SHA-256</th>
            </tr>
          </thead>
          <tbody>
            {outcome.facts.map((fact) => (
              <tr key={fact.id}>
                <td>
                  <a href={evidenceAddress(fact.hash)} target="_blank" rel="noreferrer">
                    <code>{fact.id}</code>
                  </a>
                </td>
                <td>{fact.exit_status ?? '–'}</td>
                <td>
                  <Hash value={fact.hash} label="fact hash" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
