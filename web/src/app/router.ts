import type { QueryClient } from '@tanstack/react-query';
import { createRouter, type RouterHistory } from '@tanstack/react-router';
import { setSessionLostHandler } from '@/api/client';
import { keys } from '@/api/keys';
import type { Session } from '@/api/types';
import { routeTree } from './routes';
import { parseSearch, stringifySearch } from './search';

export function createAppRouter(queryClient: QueryClient, history?: RouterHistory) {
  const router = createRouter({
    routeTree,
    history,
    context: { queryClient },
    parseSearch,
    stringifySearch,
    defaultPreload: 'intent',
    // The query cache decides what is fresh.
    defaultPreloadStaleTime: 0,
    scrollRestoration: true,
  });
  setSessionLostHandler(() => {
    if (!queryClient.getQueryData<Session | null>(keys.session)) return;
    queryClient.setQueryData(keys.session, null);
    const next = router.state.location.href;
    void router.navigate({ to: '/sign-in', search: { next, reason: 'expired' } });
  });
  return router;
}

/** Reads the code of every page, so that each opens at once, and says its own reason when the server is away. */
export function readAllPages(router: AppRouter): void {
  for (const route of Object.values(router.routesById)) {
    Promise.resolve(router.loadRouteChunk(route)).catch(() => undefined);
  }
}

export type AppRouter = ReturnType<typeof createAppRouter>;

declare module '@tanstack/react-router' {
  interface Register {
    router: AppRouter;
  }
}
