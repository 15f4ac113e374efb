import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { useTestConnection, useTestHostConnection } from '@/api/queries/hosts';
import type { ConnectionTest, ConnectionTestRequest, Host } from '@/api/types';
import type { HostFormApi } from './HostFields';
import { connectionTestOf, validateHost, valuesOfHost } from './model';
import { applyServerErrors } from './serverErrors';

export interface ConnectionTestState {
  result: ConnectionTest | null;
  pending: boolean;
  error: unknown;
  /** The form has changed since the result. */
  stale: boolean;
  acceptedKey: string | null;
  run: () => void;
  acceptKey: (fingerprint: string) => void;
}

/**
 * Tests what the form says now, before anything is saved. A saved host whose way in is unchanged is tested as it
 * is: by the keys that are known of it, and an accepted key is trusted at once.
 */
export function useConnectionTest(form: HostFormApi, saved?: Host): ConnectionTestState {
  const testForm = useTestConnection();
  const testSaved = useTestHostConnection(saved?.id ?? '');
  const [tested, setTested] = useState<string | null>(null);
  const [acceptedKey, setAcceptedKey] = useState<string | null>(null);

  const test = useMutation({
    mutationFn: ({ request, trust }: { request: ConnectionTestRequest; trust: string | null }) =>
      saved && wayIn(request) === wayIn(connectionTestOf(valuesOfHost(saved), null))
        ? testSaved.mutateAsync(trust)
        : testForm.mutateAsync(request),
    onError: (error) => applyServerErrors(form, error),
  });
  const start = (trust: string | null) => {
    const errors = validateHost(form.values, 'test');
    form.setErrors(errors);
    if (Object.keys(errors).length > 0) return;
    const request = connectionTestOf(form.values, trust);
    setTested(wayIn(request));
    test.mutate({ request, trust });
  };
  return {
    result: test.data ?? null,
    pending: test.isPending,
    error: test.error,
    stale: test.data !== undefined && tested !== wayIn(connectionTestOf(form.values, null)),
    acceptedKey,
    run: () => start(acceptedKey),
    acceptKey: (fingerprint) => {
      setAcceptedKey(fingerprint);
      start(fingerprint);
    },
  };
}

/** Two requests test the same way in when all but the accepted key is the same. */
function wayIn({ trust_host_key: _accepted, ...request }: ConnectionTestRequest): string {
  return JSON.stringify(request);
}
