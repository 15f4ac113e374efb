/** What the API says when it refuses (RFC 9457), and what the browser says when there is no answer. */
export interface FieldProblem {
  field: string;
  message: string;
}

interface ProblemBody {
  title?: unknown;
  code?: unknown;
  detail?: unknown;
  fix?: unknown;
  request_id?: unknown;
  errors?: unknown;
}

export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fix: string | null,
    readonly requestId: string | null,
    readonly fields: readonly FieldProblem[] = [],
    readonly retryAfterSeconds: number | null = null,
    /** Members beyond RFC 9457, such as `active_scan_id`. */
    readonly extra: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }

  static unreachable(): ApiError {
    return new ApiError(
      0,
      'network.unreachable',
      'OpenWatch does not answer.',
      'Check the network and that OpenWatch is running, then try again.',
      null,
    );
  }

  static fromResponse(response: Response, body: unknown): ApiError {
    const requestId = response.headers.get('X-Request-Id');
    if (!isProblem(body)) {
      return new ApiError(
        response.status,
        `http.${response.status}`,
        `The server answered ${response.status} without saying why.`,
        'Try again. If it stays, look for the request id in the server log.',
        requestId,
      );
    }
    return new ApiError(
      response.status,
      text(body.code) ?? `http.${response.status}`,
      text(body.detail) ?? text(body.title) ?? `The server answered ${response.status}.`,
      text(body.fix),
      text(body.request_id) ?? requestId,
      fieldProblems(body.errors),
      retryAfter(response),
      body as Record<string, unknown>,
    );
  }

  get retryable(): boolean {
    return this.status === 0 || this.status >= 500;
  }

  /** A member beyond RFC 9457, when it is text. */
  extraText(name: string): string | null {
    return text(this.extra[name]);
  }

  fieldMessage(field: string): string | undefined {
    return this.fields.find((problem) => problem.field === field)?.message;
  }
}

/** Any thrown value as an ApiError, so that one component can show it. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ApiError(0, 'ui.failed', `This page failed: ${reason}`, 'Reload the page.', null);
}

function isProblem(body: unknown): body is ProblemBody {
  return typeof body === 'object' && body !== null && ('code' in body || 'detail' in body);
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function fieldProblems(value: unknown): FieldProblem[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null) return [];
    const { field, message } = entry as { field?: unknown; message?: unknown };
    return typeof field === 'string' && typeof message === 'string' ? [{ field, message }] : [];
  });
}

function retryAfter(response: Response): number | null {
  const seconds = Number(response.headers.get('Retry-After') ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds : null;
}
