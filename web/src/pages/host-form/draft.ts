import { useEffect } from 'react';
import { EMPTY_CREDENTIAL } from '../credentials/model';
import { EMPTY_HOST, type HostValues } from './model';

const KEY = 'openwatch-draft-add-host';

/** What was typed before the session ended or the page was left. Secrets are never kept. */
export function readDraft(): HostValues {
  try {
    const text = window.sessionStorage.getItem(KEY);
    if (text === null) return EMPTY_HOST;
    const kept = JSON.parse(text) as Partial<HostValues>;
    return { ...EMPTY_HOST, ...kept, credential: { ...EMPTY_CREDENTIAL, ...kept.credential } };
  } catch {
    return EMPTY_HOST;
  }
}

export function useDraft(values: HostValues): void {
  useEffect(() => {
    const { name, username, method } = values.credential;
    const kept = { ...values, credential: { name, username, method } };
    window.sessionStorage.setItem(KEY, JSON.stringify(kept));
  }, [values]);
}

export function forgetDraft(): void {
  window.sessionStorage.removeItem(KEY);
}
