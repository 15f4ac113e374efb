import { Button, Skeleton } from '@mantine/core';
import type { ConnectionStep, ConnectionTest } from '@/api/types';
import { Icon } from '@/components/Icon';
import { InlineCode } from '@/components/InlineCode';
import { Card } from '@/components/Page';
import { ErrorBanner } from '@/components/States';
import classes from './HostForm.module.css';

const STEPS: readonly { step: ConnectionStep['step']; name: string; before: string }[] = [
  { step: 'resolve', name: 'Resolve', before: 'Turn the name into an address.' },
  { step: 'connect', name: 'Connect', before: 'Reach the port and speak SSH.' },
  { step: 'host_key', name: 'Host key', before: 'Check that it is the host it claims to be.' },
  { step: 'authenticate', name: 'Authenticate', before: 'Log in with the credential.' },
  { step: 'privilege', name: 'Privilege', before: 'Become root with sudo, to read everything.' },
];

const PRIVILEGE_TEXT: Record<string, string> = {
  root: 'logs in as root',
  sudo: 'sudo without a password',
  sudo_password: 'sudo with a password',
  none: 'no privilege: rules that need root cannot be measured',
};

interface Props {
  result: ConnectionTest | null;
  pending: boolean;
  error: unknown;
  /** The form has changed since the result. */
  stale: boolean;
  acceptedKey: string | null;
  onTest: () => void;
  onAcceptKey: (fingerprint: string) => void;
}

/** The live connection test: each step told apart, and what to do about the one that failed. */
export function ConnectionPanel(props: Props) {
  const { result, pending, error, stale, acceptedKey, onTest, onAcceptKey } = props;
  return (
    <Card title="Connection">
      <div style={{ display: 'grid', gap: 14 }} aria-live="polite" aria-busy={pending}>
        <ol className={classes.steps} aria-label="Steps of the connection test">
          {STEPS.map(({ step, name, before }) => (
            <Step
              key={step}
              name={name}
              before={before}
              pending={pending}
              result={stepResult(result, step, acceptedKey)}
            />
          ))}
        </ol>
        {!pending && result?.host_key && (
          <HostKeyCard hostKey={result.host_key} accepted={acceptedKey} onAccept={onAcceptKey} />
        )}
        {!pending && result?.ok && (
          <p role="status">
            <b>Connected.</b> {result.os?.name ?? 'System not recognised'}
            {result.privilege && `, ${PRIVILEGE_TEXT[result.privilege] ?? result.privilege}`}.
          </p>
        )}
        <ErrorBanner error={error} />
        {stale && !pending && <p className={classes.stale}>The form has changed since this test.</p>}
        <Button
          variant="default"
          size="sm"
          onClick={onTest}
          loading={pending}
          leftSection={<Icon name={result ? 'refresh' : 'play'} size={14} />}
        >
          {result ? 'Test again' : 'Test connection'}
        </Button>
      </div>
    </Card>
  );
}

/** A key that nobody has accepted yet lets a trial go on, but must not read as trusted. */
function stepResult(
  result: ConnectionTest | null,
  step: ConnectionStep['step'],
  acceptedKey: string | null,
): ConnectionStep | null {
  const found = result?.steps.find((entry) => entry.step === step);
  if (!found) return null;
  const key = result?.host_key;
  if (step !== 'host_key' || found.status !== 'ok' || !key || key.known || acceptedKey === key.fingerprint) return found;
  return { ...found, message: `The host showed a ${key.algorithm} key that is not known yet.` };
}

interface StepProps {
  name: string;
  before: string;
  pending: boolean;
  result: ConnectionStep | null;
}

function Step({ name, before, pending, result }: StepProps) {
  const status = pending ? 'pending' : (result?.status ?? 'next');
  return (
    <li className={classes.step} data-status={status}>
      <span className={classes.stepIcon}>
        {status === 'ok' && <Icon name="passed" />}
        {status === 'failed' && <Icon name="failed" />}
        {status === 'skipped' && <Icon name="minus" size={14} />}
        {(status === 'next' || status === 'pending') && <span className={classes.stepDot} />}
      </span>
      <span className={classes.stepName}>
        {name}
        {result && !pending && <span className="visually-hidden">: {result.status}</span>}
      </span>
      <span className={classes.stepTime}>{!pending && result?.status === 'ok' && `${result.duration_ms} ms`}</span>
      <span className={classes.stepText}>
        {pending ? <Skeleton height={10} width="60%" my={5} /> : (result?.message ?? before)}
        {!pending && result?.status === 'failed' && result.fix && (
          <span className={classes.stepFix}>
            <InlineCode text={result.fix} />
          </span>
        )}
      </span>
    </li>
  );
}

interface HostKeyProps {
  hostKey: NonNullable<ConnectionTest['host_key']>;
  accepted: string | null;
  onAccept: (fingerprint: string) => void;
}

function HostKeyCard({ hostKey, accepted, onAccept }: HostKeyProps) {
  const isAccepted = hostKey.known || accepted === hostKey.fingerprint;
  return (
    <section className={classes.keyCard} aria-label="Key of the host">
      <div className={classes.keyHead}>
        <b>
          <Icon name="fingerprint" size={14} style={{ verticalAlign: -2, marginRight: 6 }} />
          {isAccepted ? 'Key of the host, accepted' : 'Is this the key of the host?'}
        </b>
        <code>{hostKey.algorithm}</code>
      </div>
      <code className={classes.fingerprint}>{hostKey.fingerprint}</code>
      {!isAccepted && (
        <>
          <p>
            Compare with <code>ssh-keygen -lf /etc/ssh/ssh_host_*_key.pub</code> on the host itself. A changed key is
            refused from then on.
          </p>
          <div>
            <Button onClick={() => onAccept(hostKey.fingerprint)}>Accept this key</Button>
          </div>
        </>
      )}
    </section>
  );
}
