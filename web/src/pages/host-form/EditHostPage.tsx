import { Button } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { hostQuery, useUpdateHost } from '@/api/queries/hosts';
import { useCreateCredential } from '@/api/queries/credentials';
import type { Host } from '@/api/types';
import { toApiError } from '@/api/problem';
import { ButtonLink } from '@/components/ButtonLink';
import { Page } from '@/components/Page';
import { ErrorBanner, ErrorState } from '@/components/States';
import { useCan } from '@/app/session';
import { PageSkeleton } from '@/components/PageSkeleton';
import { ConnectionPanel } from './ConnectionPanel';
import { HostFields } from './HostFields';
import formClasses from '@/components/Form.module.css';
import classes from './HostForm.module.css';
import { hostFieldsOf, newHostCredentialOf, validateHost, valuesOfHost, type HostValues } from './model';
import { applyServerErrors } from './serverErrors';
import { useConnectionTest } from './useConnectionTest';

const route = getRouteApi('/app/hosts/$hostId/edit');
const HOSTS = { to: '/hosts', label: 'Hosts' } as const;

export function EditHostPage() {
  const { hostId } = route.useParams();
  const host = useQuery(hostQuery(hostId));
  if (host.isPending) return <PageSkeleton />;
  if (!host.data) {
    return (
      <Page title="Edit host" crumb={HOSTS}>
        <ErrorState error={host.error} what="The host could not be read" onRetry={() => void host.refetch()} />
      </Page>
    );
  }
  // Keyed by the host alone: a scan that ends meanwhile must not empty the form.
  return <EditHost key={hostId} host={host.data} />;
}

function EditHost({ host }: { host: Host }) {
  const canWrite = useCan('host:write');
  // Of the host as the form shows it: a change by somebody else meanwhile must not be written over.
  const [version] = useState(host.version);
  const navigate = useNavigate();
  const form = useForm<HostValues>({ initialValues: valuesOfHost(host) });
  const test = useConnectionTest(form, host);
  const update = useUpdateHost(host.id);
  const createCredential = useCreateCredential();
  const back = () => void navigate({ to: '/hosts/$hostId', params: { hostId: host.id } });

  const saveHost = (values: HostValues) =>
    update.mutate(
      { version, changes: hostFieldsOf(values) },
      { onSuccess: back, onError: (error) => applyServerErrors(form, error) },
    );
  const submit = () => {
    const errors = validateHost(form.values, 'save');
    form.setErrors(errors);
    if (Object.keys(errors).length > 0) return;
    if (form.values.access === 'existing') {
      saveHost(form.values);
      return;
    }
    createCredential.mutate(newHostCredentialOf(form.values), {
      onSuccess: (credential) => {
        const values: HostValues = { ...form.values, access: 'existing', credential_id: credential.id };
        form.setValues(values);
        saveHost(values);
      },
      onError: (error) => applyServerErrors(form, error, 'credential.'),
    });
  };
  const changedElsewhere = toApiError(update.error).status === 412;
  const error = update.error ?? createCredential.error;

  return (
    <Page title={`Edit ${host.name}`} crumb={HOSTS} narrow>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit();
        }}
      >
        <div className={classes.layout}>
          <HostFields form={form} hostId={host.id} />
          <div className={classes.panel}>
            <ConnectionPanel
              result={test.result}
              pending={test.pending}
              error={test.error}
              stale={test.stale}
              acceptedKey={test.acceptedKey}
              onTest={test.run}
              onAcceptKey={test.acceptKey}
            />
            <ErrorBanner
              error={error}
              actions={
                changedElsewhere && (
                  <Button variant="default" onClick={() => window.location.reload()}>
                    Read again
                  </Button>
                )
              }
            />
            <div className={formClasses.actions}>
              <Button
                type="submit"
                size="sm"
                disabled={!canWrite}
                loading={update.isPending || createCredential.isPending}
              >
                Save changes
              </Button>
              <ButtonLink
                
                to="/hosts/$hostId"
                params={{ hostId: host.id }}
                variant="subtle"
                color="gray"
                size="sm"
              >
                Cancel
              </ButtonLink>
            </div>
          </div>
        </div>
      </form>
    </Page>
  );
}
