import { useNavigate } from '@tanstack/react-router';
import { useCreateCredential } from '@/api/queries/credentials';
import { useCan } from '@/app/session';
import { Page } from '@/components/Page';
import { EmptyState } from '@/components/States';
import { CredentialForm } from './CredentialForm';
import { newCredentialOf } from './model';

const CREDENTIALS = { to: '/credentials', label: 'Credentials' } as const;

export function AddCredentialPage() {
  const canWrite = useCan('credential:write');
  const create = useCreateCredential();
  const navigate = useNavigate();
  return (
    <Page title="Add credential" crumb={CREDENTIALS} narrow>
      {canWrite ? (
        <CredentialForm
          action="Save credential"
          pending={create.isPending}
          error={create.error}
          onSubmit={(values, _remove, onError) =>
            create.mutate(newCredentialOf(values), {
              onSuccess: () => void navigate({ to: '/credentials' }),
              onError,
            })
          }
        />
      ) : (
        <EmptyState icon="key" title="You may not add credentials">
          <p>This needs the permission credential:write. Ask an administrator.</p>
        </EmptyState>
      )}
    </Page>
  );
}
