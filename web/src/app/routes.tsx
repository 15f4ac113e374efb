import type { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router';
import { sessionQuery, setupQuery } from '@/api/queries/session';
import { NotFoundPage } from '@/pages/errors/NotFoundPage';
import { RouteErrorPage } from '@/pages/errors/RouteErrorPage';
import { groupsSearch } from '@/pages/groups/search';
import { hostSearch } from '@/pages/host/search';
import { hostsSearch } from '@/pages/hosts/search';
import { rulesSearch } from '@/pages/rules/search';
import { scanSearch } from '@/pages/scan/search';
import { scansSearch } from '@/pages/scans/search';
import { credentialsSearch } from '@/pages/credentials/search';
import { safeReturnPath } from './returnPath';
import { one } from './search';
import { Shell } from './shell/Shell';

export interface RouterContext {
  queryClient: QueryClient;
}

const root = createRootRouteWithContext<RouterContext>()({
  component: Outlet,
  errorComponent: RouteErrorPage,
});

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  beforeLoad: async ({ context: { queryClient } }) => {
    const state = await queryClient.query(setupQuery);
    if (!state.required) throw redirect({ to: '/sign-in' });
  },
  component: lazyRouteComponent(() => import('@/pages/auth/SetupPage'), 'SetupPage'),
});

interface SignInSearch {
  next?: string;
  reason?: string;
}

const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (raw: Record<string, unknown>): SignInSearch => ({
    next: one(raw.next),
    reason: one(raw.reason),
  }),
  beforeLoad: async ({ context: { queryClient }, search }) => {
    const session = await queryClient.query({ ...sessionQuery, staleTime: 'static' });
    if (session) throw redirect({ href: safeReturnPath(search.next) });
    const state = await queryClient.query(setupQuery);
    if (state.required) throw redirect({ to: '/setup' });
  },
  component: lazyRouteComponent(() => import('@/pages/auth/SignInPage'), 'SignInPage'),
});

/** Everything behind the sign-in, inside the shell. */
const app = createRoute({
  getParentRoute: () => root,
  id: 'app',
  beforeLoad: async ({ context: { queryClient }, location }) => {
    const session = await queryClient.query({ ...sessionQuery, staleTime: 'static' });
    if (session) return;
    throw redirect({ to: '/sign-in', search: { next: location.href } });
  },
  component: Shell,
});

const index = createRoute({
  getParentRoute: () => app,
  path: '/',
  beforeLoad: () => {
    throw redirect({ to: '/hosts', replace: true });
  },
});

const hosts = createRoute({
  getParentRoute: () => app,
  path: '/hosts',
  validateSearch: hostsSearch,
  component: lazyRouteComponent(() => import('@/pages/hosts/HostsPage'), 'HostsPage'),
});

const hostNew = createRoute({
  getParentRoute: () => app,
  path: '/hosts/new',
  component: lazyRouteComponent(() => import('@/pages/host-form/AddHostPage'), 'AddHostPage'),
});

const hostsImport = createRoute({
  getParentRoute: () => app,
  path: '/hosts/import',
  component: lazyRouteComponent(() => import('@/pages/import/ImportPage'), 'ImportPage'),
});

const imported = createRoute({
  getParentRoute: () => app,
  path: '/hosts/imports/$importId',
  component: lazyRouteComponent(() => import('@/pages/import/ImportedPage'), 'ImportedPage'),
});

const host = createRoute({
  getParentRoute: () => app,
  path: '/hosts/$hostId',
  validateSearch: hostSearch,
  component: lazyRouteComponent(() => import('@/pages/host/HostPage'), 'HostPage'),
});

const hostEdit = createRoute({
  getParentRoute: () => app,
  path: '/hosts/$hostId/edit',
  component: lazyRouteComponent(() => import('@/pages/host-form/EditHostPage'), 'EditHostPage'),
});

const groups = createRoute({
  getParentRoute: () => app,
  path: '/groups',
  validateSearch: groupsSearch,
  component: lazyRouteComponent(() => import('@/pages/groups/GroupsPage'), 'GroupsPage'),
});

const groupNew = createRoute({
  getParentRoute: () => app,
  path: '/groups/new',
  component: lazyRouteComponent(() => import('@/pages/group-form/AddGroupPage'), 'AddGroupPage'),
});

const group = createRoute({
  getParentRoute: () => app,
  path: '/groups/$groupId',
  validateSearch: hostsSearch,
  component: lazyRouteComponent(() => import('@/pages/group/GroupPage'), 'GroupPage'),
});

const groupEdit = createRoute({
  getParentRoute: () => app,
  path: '/groups/$groupId/edit',
  component: lazyRouteComponent(() => import('@/pages/group-form/EditGroupPage'), 'EditGroupPage'),
});

const scans = createRoute({
  getParentRoute: () => app,
  path: '/scans',
  validateSearch: scansSearch,
  component: lazyRouteComponent(() => import('@/pages/scans/ScansPage'), 'ScansPage'),
});

const scan = createRoute({
  getParentRoute: () => app,
  path: '/scans/$scanId',
  validateSearch: scanSearch,
  component: lazyRouteComponent(() => import('@/pages/scan/ScanPage'), 'ScanPage'),
});

const rules = createRoute({
  getParentRoute: () => app,
  path: '/rules',
  validateSearch: rulesSearch,
  component: lazyRouteComponent(() => import('@/pages/rules/RulesPage'), 'RulesPage'),
});

const rule = createRoute({
  getParentRoute: () => app,
  path: '/rules/$ruleId',
  component: lazyRouteComponent(() => import('@/pages/rules/RulePage'), 'RulePage'),
});

const credentials = createRoute({
  getParentRoute: () => app,
  path: '/credentials',
  validateSearch: credentialsSearch,
  component: lazyRouteComponent(() => import('@/pages/credentials/CredentialsPage'), 'CredentialsPage'),
});

const credentialNew = createRoute({
  getParentRoute: () => app,
  path: '/credentials/new',
  component: lazyRouteComponent(() => import('@/pages/credentials/AddCredentialPage'), 'AddCredentialPage'),
});

const credential = createRoute({
  getParentRoute: () => app,
  path: '/credentials/$credentialId',
  component: lazyRouteComponent(() => import('@/pages/credentials/EditCredentialPage'), 'EditCredentialPage'),
});

/** Every other address, inside the shell. */
const nowhere = createRoute({ getParentRoute: () => app, path: '$', component: NotFoundPage });

export const routeTree = root.addChildren([
  setup,
  signIn,
  app.addChildren([
    index,
    hosts,
    hostNew,
    hostsImport,
    imported,
    host,
    hostEdit,
    groups,
    groupNew,
    group,
    groupEdit,
    scans,
    scan,
    rules,
    rule,
    credentials,
    credentialNew,
    credential,
    nowhere,
  ]),
]);
