import { ActionIcon, Button, Skeleton, Tooltip } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { credentialQuery } from '@/api/queries/credentials';
import { groupsOfHostQuery } from '@/api/queries/groups';
import { hostKeysQuery, hostQuery, useForgetHostKey, useTestHostConnection } from '@/api/queries/hosts';
import { scanQuery } from '@/api/queries/scans';
import type { Host, KnownHostKey } from '@/api/types';
import { useCan } from '@/app/session';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { CopyButton } from '@/components/CopyButton';
import { Icon } from '@/components/Icon';
import { Card, Facts } from '@/components/Page';
import { ErrorBanner } from '@/components/States';
import { TimeAgo } from '@/components/TimeAgo';
import classes from './Host.module.css';

const POLICY_TEXT: Record<Host['host_key_policy'], string> = {
  accept_new: 'the first key is accepted, a changed one refused',
  strict: 'only keys that a person accepted',
};

export function AboutHost({ host }: { host: Host }) {
  return (
    <div className={classes.about}>
      <SystemCard host={host} />
      <AccessCard host={host} />
      <GroupsCard host={host} />
      <KeysCard host={host} />
    </div>
  );
}

function SystemCard({ host }: { host: Host }) {
  const lastId = host.last_scan?.id ?? null;
  const scan = useQuery({ ...scanQuery(lastId ?? ''), enabled: lastId !== null });
  return (
    <Card title="System">
      <Facts
        rows={[
          ['Name', host.os?.name],
          ['Version', host.os?.version],
          ['Family', host.os?.family],
          ['Kernel', scan.data?.kernel && <code>{scan.data.kernel}</code>],
          ['Description', host.description || 'none'],
          ['Added', <TimeAgo key="added" moment={host.created_at} />],
        ]}
      />
    </Card>
  );
}

function AccessCard({ host }: { host: Host }) {
  const canReadCredentials = useCan('credential:read');
  const credential = useQuery({
    ...credentialQuery(host.credential_id ?? ''),
    enabled: canReadCredentials && host.credential_id !== null,
  });
  const jump = useQuery({ ...hostQuery(host.jump_host_id ?? ''), enabled: host.jump_host_id !== null });
  return (
    <Card title="Access">
      <Facts
        rows={[
          ['Address', <code key="address">{`${host.address}:${host.port}`}</code>],
          [
            'Credential',
            host.credential_id === null
              ? 'none: the host cannot be scanned'
              : credential.data && (
                  <Link to="/credentials/$credentialId" params={{ credentialId: credential.data.id }}>
                    {credential.data.name}
                  </Link>
                ),
          ],
          ['Log in as', host.username ?? credential.data?.username],
          ['Jump host', host.jump_host_id === null ? 'none, directly' : jump.data?.name],
          ['Host key', POLICY_TEXT[host.host_key_policy]],
        ]}
      />
    </Card>
  );
}

function GroupsCard({ host }: { host: Host }) {
  const canRead = useCan('group:read');
  const groups = useQuery({ ...groupsOfHostQuery(host.id), enabled: canRead });
  if (!canRead) return null;
  return (
    <Card title="Groups">
      {groups.isPending && <Skeleton height={24} />}
      {groups.isError && <ErrorBanner error={groups.error} />}
      {groups.data?.length === 0 && <p className={classes.faint}>In no group.</p>}
      {groups.data?.map((group) => (
        <div key={group.id} className={classes.groupRow}>
          <Link to="/groups/$groupId" params={{ groupId: group.id }}>
            {group.name}
          </Link>
          <span className={classes.faint}>{group.membership === 'rule' ? 'found by its rule' : 'chosen by hand'}</span>
        </div>
      ))}
    </Card>
  );
}

function KeysCard({ host }: { host: Host }) {
  const known = useQuery(hostKeysQuery(host.id));
  return (
    <Card title="Known host keys">
      {known.isPending && <Skeleton height={48} />}
      {known.isError && <ErrorBanner error={known.error} />}
      {known.data?.length === 0 && (
        <p className={classes.faint}>None yet. The first connection shows the key of the host.</p>
      )}
      {known.data?.map((key) => (
        <KeyRow key={`${key.fingerprint} ${String(key.trusted)}`} host={host} hostKey={key} />
      ))}
    </Card>
  );
}

function KeyRow({ host, hostKey }: { host: Host; hostKey: KnownHostKey }) {
  const canWrite = useCan('host:write');
  const forget = useForgetHostKey(host.id);
  const [asking, setAsking] = useState(false);
  return (
    <div className={classes.keyRow}>
      <code className={classes.fingerprint}>{hostKey.fingerprint}</code>
      <span style={{ display: 'inline-flex', gap: 2 }}>
        {canWrite && !hostKey.trusted && <TrustKey host={host} hostKey={hostKey} />}
        <CopyButton value={hostKey.fingerprint} label="Copy fingerprint" />
        {canWrite && (
          <Tooltip label="Forget this key">
            <ActionIcon size="sm" aria-label="Forget this key" onClick={() => setAsking(true)}>
              <Icon name="trash" size={14} />
            </ActionIcon>
          </Tooltip>
        )}
      </span>
      <span className={classes.faint}>
        {hostKey.algorithm ?? 'not shown by the host yet'}
        {' · '}
        {hostKey.trusted ? 'trusted' : 'refused'}
        {' · first seen '}
        <TimeAgo moment={hostKey.first_seen_at} />
      </span>
      <ConfirmDialog
        opened={asking}
        title="Forget this host key?"
        action="Forget key"
        pending={forget.isPending}
        error={forget.error}
        onConfirm={() => forget.mutate(hostKey.fingerprint, { onSuccess: () => setAsking(false) })}
        onClose={() => setAsking(false)}
      >
        <p>
          The next key that {host.name} shows is judged by its policy ({POLICY_TEXT[host.host_key_policy]}). Do this
          only when you know why the key changed, such as a new installation.
        </p>
      </ConfirmDialog>
    </div>
  );
}

/** A key that was refused can be trusted from the page of its host; the connection is tested with it. */
function TrustKey({ host, hostKey }: { host: Host; hostKey: KnownHostKey }) {
  const test = useTestHostConnection(host.id);
  const [asking, setAsking] = useState(false);
  return (
    <>
      <Button variant="default" onClick={() => setAsking(true)}>
        Trust
      </Button>
      <ConfirmDialog
        opened={asking}
        title="Trust this host key?"
        action="Trust key"
        tone="accent"
        pending={test.isPending}
        error={test.error}
        onConfirm={() => test.mutate(hostKey.fingerprint, { onSuccess: () => setAsking(false) })}
        onClose={() => setAsking(false)}
      >
        <p>
          {host.name} showed <code>{hostKey.fingerprint}</code> and was refused. Trust it only when you know why the key
          changed and the fingerprint is the one on the host itself.
        </p>
      </ConfirmDialog>
    </>
  );
}
