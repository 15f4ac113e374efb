import type { IconName } from '@/components/Icon';

export interface Destination {
  to: '/hosts' | '/groups' | '/scans' | '/rules' | '/credentials';
  label: string;
  icon: IconName;
  permission: string;
  keys: string;
}

export const DESTINATIONS: readonly Destination[] = [
  { to: '/hosts', label: 'Hosts', icon: 'host', permission: 'host:read', keys: 'g h' },
  { to: '/groups', label: 'Groups', icon: 'group', permission: 'group:read', keys: 'g o' },
  { to: '/scans', label: 'Scans', icon: 'scan', permission: 'scan:read', keys: 'g s' },
  { to: '/rules', label: 'Rules', icon: 'rule', permission: 'rule:read', keys: 'g r' },
  { to: '/credentials', label: 'Credentials', icon: 'key', permission: 'credential:read', keys: 'g c' },
];
