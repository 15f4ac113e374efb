/** A path of this site to come back to after signing in, or the start page. Never another site. */
export function safeReturnPath(next: string | undefined): string {
  if (!next?.startsWith('/') || next.startsWith('//') || next.includes('\\')) return '/hosts';
  if (next.startsWith('/sign-in') || next.startsWith('/setup')) return '/hosts';
  return next;
}
