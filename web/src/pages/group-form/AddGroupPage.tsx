import { useNavigate } from '@tanstack/react-router';
import { useCreateGroup } from '@/api/queries/groups';
import { useCan } from '@/app/session';
import { ButtonLink } from '@/components/ButtonLink';
import { Page } from '@/components/Page';
import { EmptyState } from '@/components/States';
import { GroupForm } from './GroupForm';
import { newGroupOf } from './model';

const GROUPS = { to: '/groups', label: 'Groups' } as const;

export function AddGroupPage() {
  const canWrite = useCan('group:write');
  const create = useCreateGroup();
  const navigate = useNavigate();
  return (
    <Page title="Add group" crumb={GROUPS} narrow>
      {canWrite ? (
        <GroupForm
          action="Save group"
          pending={create.isPending}
          error={create.error}
          cancel={
            <ButtonLink to="/groups" variant="subtle" color="gray" size="sm">
              Cancel
            </ButtonLink>
          }
          onSubmit={(values, onError) =>
            create.mutate(newGroupOf(values), {
              onSuccess: ({ id }) => void navigate({ to: '/groups/$groupId', params: { groupId: id } }),
              onError,
            })
          }
        />
      ) : (
        <EmptyState icon="group" title="You may not add groups">
          <p>This needs the permission group:write. Ask an administrator.</p>
        </EmptyState>
      )}
    </Page>
  );
}
