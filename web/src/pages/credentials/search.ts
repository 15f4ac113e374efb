import { one } from '@/app/search';
import type { CredentialQuery } from '@/api/types';

export interface CredentialsSearch {
  search?: string;
  sort?: string;
}

export function credentialsSearch(raw: Record<string, unknown>): CredentialsSearch {
  return { search: one(raw.search), sort: one(raw.sort) };
}

export function credentialQueryOf(search: CredentialsSearch): CredentialQuery {
  return { ...search, sort: search.sort ?? 'name' };
}
