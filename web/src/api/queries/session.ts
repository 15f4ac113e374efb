import { queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, call, setCsrfToken } from '../client';
import { keys } from '../keys';
import { ApiError } from '../problem';
import type { Session } from '../types';

/** The signed-in session, or null. */
export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: async (): Promise<Session | null> => {
    try {
      const session = await call(api.GET('/api/v1/session'), { expectSignedOut: true });
      setCsrfToken(session.csrf_token);
      return session;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: Infinity,
  gcTime: Infinity,
});

export const setupQuery = queryOptions({
  queryKey: keys.setup,
  queryFn: () => call(api.GET('/api/v1/setup')),
  staleTime: 0,
});

export const metaQuery = queryOptions({
  queryKey: keys.meta,
  queryFn: () => call(api.GET('/api/v1/meta')),
  staleTime: Infinity,
});

function useAdoptSession() {
  const client = useQueryClient();
  return (session: Session) => {
    setCsrfToken(session.csrf_token);
    client.setQueryData(keys.session, session);
    client.setQueryData(keys.setup, { required: false });
  };
}

export function useSignIn() {
  return useMutation({
    mutationFn: (body: { username: string; password: string }) =>
      call(api.POST('/api/v1/session', { body }), { expectSignedOut: true }),
    onSuccess: useAdoptSession(),
  });
}

export function useCompleteSetup() {
  return useMutation({
    mutationFn: (body: { token: string; username: string; display_name: string; password: string }) =>
      call(api.POST('/api/v1/setup', { body }), { expectSignedOut: true }),
    onSuccess: useAdoptSession(),
  });
}

export function useSignOut() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: () => call(api.DELETE('/api/v1/session'), { expectSignedOut: true }),
    onSettled: () => {
      setCsrfToken(null);
      client.clear();
      client.setQueryData(keys.session, null);
    },
  });
}
