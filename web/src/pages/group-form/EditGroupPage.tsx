import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { toApiError } from '@/api/problem';
import { groupQuery, useUpdateGroup } from '@/api/queries/groups';
import type { Group } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import { Page } from '@/components/Page';
import { PageSkeleton } from '@/components/PageSkeleton';
import { ErrorState } from '@/components/States';
import { GroupForm } from './GroupForm';
import { newGroupOf } from './model';

const route = getRouteApi('/app/groups/$groupId/edit');
const GROUPS = { to: '/groups', label: 'Groups' } as const;

export function EditGroupPage() {
  const { groupId } = route.useParams();
  const group = useQuery(groupQuery(groupId));
  if (group.isPending) return <PageSkeleton />;
  if (!group.data) {
    return (
      <Page title="Group" crumb={GROUPS}>
        <ErrorState what="The group could not be read" error={group.error} onRetry={() => void group.refetch()} />
      </Page>
    );
  }
  return <EditGroup key={groupId} group={group.data} />;
}

function EditGroup({ group }: { group: Group }) {
  // As the form shows it: a change by somebody else meanwhile must not be written over.
  const [saved] = useState(group);
  const update = useUpdateGroup(saved.id);
  const navigate = useNavigate();
  const toGroup = { to: '/groups/$groupId', params: { groupId: saved.id } } as const;
  return (
    <Page title={`Edit ${group.name}`} crumb={GROUPS} narrow>
      <GroupForm
        saved={saved}
        action="Save changes"
        pending={update.isPending}
        error={update.error}
        errorActions={
          toApiError(update.error).status === 412 && (
            <Button variant="default" onClick={() => window.location.reload()}>
              Read again
            </Button>
          )
        }
        cancel={
          <ButtonLink {...toGroup} variant="subtle" color="gray" size="sm">
            Cancel
          </ButtonLink>
        }
        onSubmit={(values, onError) =>
          update.mutate(
            { version: saved.version, changes: newGroupOf(values) },
            { onSuccess: () => void navigate(toGroup), onError },
          )
        }
      />
    </Page>
  );
}
