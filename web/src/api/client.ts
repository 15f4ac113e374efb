import createClient, { type Middleware } from 'openapi-fetch';
import { ApiError } from './problem';
import type { paths } from './schema.gen';

const READ_ONLY = new Set(['GET', 'HEAD', 'OPTIONS']);

let csrfToken: string | null = null;
let onSessionLost: (() => void) | null = null;

/** The token of the session's answer; sent with every request that changes something. */
export function setCsrfToken(token: string | null): void {
  csrfToken = token;
}

/** Called when a request that needs a session is answered 401. */
export function setSessionLostHandler(handler: (() => void) | null): void {
  onSessionLost = handler;
}

const csrf: Middleware = {
  onRequest({ request }) {
    if (csrfToken !== null && !READ_ONLY.has(request.method)) {
      request.headers.set('X-CSRF-Token', csrfToken);
    }
    return request;
  },
};

export const api = createClient<paths>({
  baseUrl: typeof window === 'undefined' ? '' : window.location.origin,
  credentials: 'same-origin',
  fetch: (request) => globalThis.fetch(request),
});
api.use(csrf);

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

interface CallOptions {
  /** The session query itself asks whether there is a session, so a 401 is its answer. */
  expectSignedOut?: boolean;
}

/** The body of a successful answer; everything else is thrown as an ApiError. */
export async function call<T>(pending: Promise<Answer<T>>, options: CallOptions = {}): Promise<T> {
  const answer = await settle(pending);
  if (answer.response.ok) return answer.data as T;
  const error = ApiError.fromResponse(answer.response, answer.error);
  if (error.code === 'auth.required' && !options.expectSignedOut) onSessionLost?.();
  throw error;
}

async function settle<T>(pending: Promise<Answer<T>>): Promise<Answer<T>> {
  try {
    return await pending;
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw ApiError.unreachable();
  }
}

/** The header that makes a change fail when somebody else changed the row first (RFC 9110, 13.1.1). */
export function ifMatch(version: number): { 'if-match': string } {
  return { 'if-match': `"${version}"` };
}

/** One key per intent: a retried request with the same key starts the work once. */
export function idempotencyKey(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
