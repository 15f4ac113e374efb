import { useState } from 'react';
import { useTestConnection } from '@/api/queries/hosts';
import type { ConnectionTest, ConnectionTestRequest } from '@/api/types';
import { connectionTestOf, validateHost, type HostValues } from './model';
import type { HostFormApi } from './HostFields';
import { applyServerErrors } from './serverErrors';

export interface ConnectionTestState {
  result: ConnectionTest | null;
  pending: boolean;
  error: unknown;
  stale: boolean;
  acceptedKey: string | null;
  run: () => void;
  acceptKey: (fingerprint: string) => void;
}

/** Tests what the form says now, before anything is saved. */
export function useConnectionTest(form: HostFormApi): ConnectionTestState {
  const test = useTestConnection();
  const [tested, setTested] = useState<string | null>(null);
  const [acceptedKey, setAcceptedKey] = useState<string | null>(null);

  const start = (trust: string | null) => {
    const errors = validateHost(form.values, 'test');
    form.setErrors(errors);
    if (Object.keys(errors).length > 0) return;
    const request = connectionTestOf(form.values, trust);
    setTested(fingerprintOf(request));
    test.mutate(request, { onError: (error) => applyServerErrors(form, error) });
  };
  return {
    result: test.data ?? null,
    pending: test.isPending,
    error: test.error,
    stale: test.data !== undefined && tested !== fingerprintOf(connectionTestOf(form.values, null)),
    acceptedKey,
    run: () => start(acceptedKey),
    acceptKey: (fingerprint) => {
      setAcceptedKey(fingerprint);
      start(fingerprint);
    },
  };
}

/** Two requests are the same test when all but the accepted key is the same. */
function fingerprintOf({ trust_host_key: _accepted, ...request }: ConnectionTestRequest): string {
  return JSON.stringify(request);
}

export type { HostValues };
