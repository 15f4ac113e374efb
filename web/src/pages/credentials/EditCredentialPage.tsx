import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { credentialQuery, useDeleteCredential, useUpdateCredential } from '@/api/queries/credentials';
import { toApiError } from '@/api/problem';
import type { Credential } from '@/api/types';
import { useCan } from '@/app/session';
import { ConfirmDialog } from '@/components/ConfirmDialog';
import { CopyButton } from '@/components/CopyButton';
import { Icon } from '@/components/Icon';
import { Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { ErrorState } from '@/components/States';
import { plural } from '@/format/number';
import { CredentialForm } from './CredentialForm';
import { changesOf } from './model';

const route = getRouteApi('/app/credentials/$credentialId');
const CREDENTIALS = { to: '/credentials', label: 'Credentials' } as const;

export function EditCredentialPage() {
  const { credentialId } = route.useParams();
  const credential = useQuery(credentialQuery(credentialId));
  if (credential.isPending) return <PageSkeleton />;
  if (!credential.data) {
    return (
      <Page title="Credential" crumb={CREDENTIALS}>
        <ErrorState
          what="The credential could not be read"
          error={credential.error}
          onRetry={() => void credential.refetch()}
        />
      </Page>
    );
  }
  return <EditCredential key={credentialId} credential={credential.data} />;
}

function EditCredential({ credential }: { credential: Credential }) {
  const canWrite = useCan('credential:write');
  const navigate = useNavigate();
  // As the form shows it: a change by somebody else meanwhile must not be written over.
  const [saved] = useState(credential);
  const update = useUpdateCredential(saved.id);
  const [deleting, setDeleting] = useState(false);
  return (
    <Page
      title={credential.name}
      crumb={CREDENTIALS}
      narrow
      sub={
        <>
          <span>used by {plural(credential.hosts_count, 'host')}</span>
          {credential.key_fingerprint && (
            <span>
              {credential.key_type} <code>{credential.key_fingerprint}</code>{' '}
              <CopyButton value={credential.key_fingerprint} label="Copy key fingerprint" />
            </span>
          )}
        </>
      }
      actions={
        canWrite && (
          <Button
            variant="default"
            color="red"
            leftSection={<Icon name="trash" size={14} />}
            onClick={() => setDeleting(true)}
          >
            Delete
          </Button>
        )
      }
    >
      <CredentialForm
        saved={saved}
        action="Save changes"
        pending={update.isPending}
        error={update.error}
        disabled={!canWrite}
        errorActions={
          toApiError(update.error).status === 412 && (
            <Button variant="default" onClick={() => window.location.reload()}>
              Read again
            </Button>
          )
        }
        onSubmit={(values, removeSudoPassword, onError) =>
          update.mutate(
            { version: saved.version, changes: changesOf(values, saved, removeSudoPassword) },
            { onSuccess: () => void navigate({ to: '/credentials' }), onError },
          )
        }
      />
      <DeleteCredential credential={credential} opened={deleting} onClose={() => setDeleting(false)} />
    </Page>
  );
}

interface DeleteProps {
  credential: Credential;
  opened: boolean;
  onClose: () => void;
}

function DeleteCredential({ credential, opened, onClose }: DeleteProps) {
  const remove = useDeleteCredential();
  const navigate = useNavigate();
  return (
    <ConfirmDialog
      opened={opened}
      title={`Delete ${credential.name}?`}
      action="Delete credential"
      pending={remove.isPending}
      error={remove.error}
      onConfirm={() => remove.mutate(credential.id, { onSuccess: () => void navigate({ to: '/credentials' }) })}
      onClose={onClose}
    >
      <p>
        {credential.hosts_count > 0
          ? `Used by ${plural(credential.hosts_count, 'host')}. Give them another credential first.`
          : 'No host uses it. Its secrets are erased and cannot be brought back.'}
      </p>
    </ConfirmDialog>
  );
}
