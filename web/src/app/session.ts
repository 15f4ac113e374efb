import { useQuery } from '@tanstack/react-query';
import { metaQuery, sessionQuery } from '@/api/queries/session';
import type { Session, Verdict } from '@/api/types';
import { readableName } from './labels';

/** The signed-in session. Only for what is inside the shell, where there always is one. */
export function useSession(): Session | null {
  return useQuery(sessionQuery).data ?? null;
}

/** Whether the signed-in person may do this; the server decides again. */
export function useCan(permission: string): boolean {
  return useSession()?.permissions.includes(permission) ?? false;
}

/** What a verdict means, in the server's words. */
export function useVerdictMeaning(): (verdict: Verdict) => string | undefined {
  const { data } = useQuery(metaQuery);
  return (verdict) => data?.verdicts.find((entry) => entry.name === verdict)?.description;
}

/** The label of a category, as the server names it. */
export function useCategoryLabel(): (name: string) => string {
  const { data } = useQuery(metaQuery);
  return (name) => data?.categories.find((entry) => entry.name === name)?.label ?? readableName(name);
}
