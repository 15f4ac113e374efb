import { Button } from '@mantine/core';
import { useForm } from '@mantine/form';
import { notifications } from '@mantine/notifications';
import { useMutation } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useCreateCredential } from '@/api/queries/credentials';
import { useCreateHost, useStartScan } from '@/api/queries/hosts';
import { toApiError } from '@/api/problem';
import { useCan } from '@/app/session';
import { ButtonLink } from '@/components/ButtonLink';
import { Page } from '@/components/Page';
import { EmptyState, ErrorBanner } from '@/components/States';
import { ConnectionPanel } from './ConnectionPanel';
import { forgetDraft, readDraft, useDraft } from './draft';
import { HostFields } from './HostFields';
import formClasses from '@/components/Form.module.css';
import classes from './HostForm.module.css';
import { newHostCredentialOf, newHostOf, validateHost, type HostValues } from './model';
import { applyServerErrors } from './serverErrors';
import { useConnectionTest } from './useConnectionTest';

const HOSTS = { to: '/hosts', label: 'Hosts' } as const;

export function AddHostPage() {
  const canWrite = useCan('host:write');
  if (canWrite) return <AddHost />;
  return (
    <Page title="Add host" crumb={HOSTS}>
      <EmptyState icon="host" title="You may not add hosts">
        <p>This needs the permission host:write. Ask an administrator.</p>
      </EmptyState>
    </Page>
  );
}

function AddHost() {
  const form = useForm<HostValues>({ initialValues: readDraft() });
  useDraft(form.values);
  const test = useConnectionTest(form);
  const save = useSave(form, test.acceptedKey);
  const canScan = useCan('scan:execute');

  const submit = (andScan: boolean) => {
    const errors = validateHost(form.values, 'save');
    form.setErrors(errors);
    if (Object.keys(errors).length === 0) save.mutate(andScan);
  };
  return (
    <Page title="Add host" crumb={HOSTS} narrow>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          submit(canScan);
        }}
      >
        <div className={classes.layout}>
          <HostFields form={form} />
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
            <ErrorBanner error={save.error} />
            <div className={formClasses.actions}>
              {canScan && (
                <Button type="submit" size="sm" loading={save.isPending && save.variables} disabled={save.isPending}>
                  Save and scan
                </Button>
              )}
              <Button
                type={canScan ? 'button' : 'submit'}
                variant={canScan ? 'default' : 'filled'}
                size="sm"
                loading={save.isPending && !save.variables}
                disabled={save.isPending}
                onClick={canScan ? () => submit(false) : undefined}
              >
                Save
              </Button>
              <ButtonLink to="/hosts" variant="subtle" color="gray" size="sm" onClick={forgetDraft}>
                Cancel
              </ButtonLink>
            </div>
          </div>
        </div>
      </form>
    </Page>
  );
}

/** Credential, then host, then scan. What is saved already is not saved twice when a later part fails. */
function useSave(form: ReturnType<typeof useForm<HostValues>>, acceptedKey: string | null) {
  const navigate = useNavigate();
  const createCredential = useCreateCredential();
  const createHost = useCreateHost();
  const startScan = useStartScan();

  return useMutation({
    mutationFn: async (andScan: boolean) => {
      let { values } = form;
      if (values.access === 'new') {
        const credential = await createCredential.mutateAsync(newHostCredentialOf(values)).catch((error: unknown) => {
          applyServerErrors(form, error, 'credential.');
          throw error;
        });
        values = { ...values, access: 'existing', credential_id: credential.id };
        form.setValues(values);
      }
      const host = await createHost.mutateAsync(newHostOf(values, acceptedKey)).catch((error: unknown) => {
        applyServerErrors(form, error);
        throw error;
      });
      forgetDraft();
      const scan = andScan ? await startScan.mutateAsync(host.id).catch(tellScanRefused) : null;
      return { host, scan };
    },
    onSuccess: ({ host, scan }) =>
      scan
        ? navigate({ to: '/scans/$scanId', params: { scanId: scan.id } })
        : navigate({ to: '/hosts/$hostId', params: { hostId: host.id } }),
  });
}

function tellScanRefused(error: unknown): null {
  const problem = toApiError(error);
  notifications.show({
    color: 'red',
    title: 'The host is saved, but its scan did not start',
    message: [problem.message, problem.fix].filter(Boolean).join(' '),
  });
  return null;
}
