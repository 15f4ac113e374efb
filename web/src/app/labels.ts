/** "file_permissions" reads "File permissions" until the server's own label is here. */
export function readableName(name: string): string {
  const words = name.replaceAll(/[_-]/g, ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const SYSTEMS: Readonly<Record<string, string>> = { debian: 'Debian', ubuntu: 'Ubuntu', rhel: 'RHEL', sles: 'SLES' };

/** "debian 12 and later" reads "Debian 12 and later". */
export function systemName(platform: string): string {
  const [id = '', ...rest] = platform.split(' ');
  return [SYSTEMS[id] ?? id, ...rest].join(' ');
}
