import { QueryClient } from '@tanstack/react-query';
import { ApiError } from '@/api/problem';

const MOST_RETRIES = 2;
/** The stream keeps rows fresh; this only spares a second request while one moves between pages. */
const FRESH_MS = 5_000;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: FRESH_MS,
        retry: (failures, error) =>
          failures < MOST_RETRIES && (!(error instanceof ApiError) || error.retryable),
        retryDelay: (attempt) => 400 * 2 ** attempt,
      },
      mutations: { retry: false },
    },
  });
}
