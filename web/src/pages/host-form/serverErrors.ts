import { toApiError } from '@/api/problem';
import type { HostFormApi } from './HostFields';

/** Puts what the server says about single fields beside them. */
export function applyServerErrors(form: HostFormApi, error: unknown, prefix = ''): void {
  const problems = toApiError(error).fields;
  if (problems.length === 0) return;
  form.setErrors({
    ...form.errors,
    ...Object.fromEntries(problems.map(({ field, message }) => [`${prefix}${field}`, message])),
  });
}
