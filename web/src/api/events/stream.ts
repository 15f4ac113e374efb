/** One live connection to /api/v1/events that resumes after the last event it saw. */

export type ConnectionState = 'connecting' | 'live' | 'reconnecting' | 'polling' | 'paused';

export interface ServerEvent {
  kind: string;
  subject: { type: string; id: string };
  host_id: string | null;
  data: Record<string, unknown>;
}

/** The kinds this UI reacts to. EventSource delivers a named event only to a listener of that name. */
export const KINDS = [
  'host.created',
  'host.updated',
  'host.deleted',
  'host.restored',
  'host.key_changed',
  'host.key_trusted',
  'group.created',
  'group.updated',
  'group.deleted',
  'group.hosts_changed',
  'import.created',
  'import.progress',
  'import.completed',
  'import.failed',
  'credential.created',
  'credential.updated',
  'credential.deleted',
  'scan.queued',
  'scan.started',
  'scan.progress',
  'scan.completed',
  'scan.failed',
  'scan.cancelled',
  'outcome.changed',
] as const;

const ADDRESS = '/api/v1/events';
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 30_000;
/** How long a broken stream may take to come back before the pages poll. */
const POLL_AFTER_MS = 8_000;
const POLL_EVERY_MS = 10_000;

export interface StreamCallbacks {
  onEvent: (event: ServerEvent) => void;
  onState: (state: ConnectionState) => void;
  /** The stream began without a place to resume from: what was read before may be stale. */
  onFresh: () => void;
  /** The stream is away: read again what is on the screen. */
  onPoll: () => void;
}

type Open = (address: string) => EventSource;

export class EventStream {
  private source: EventSource | null = null;
  private lastEventId: string | null = null;
  private retryMs = FIRST_RETRY_MS;
  private retryTimer: number | undefined;
  private fallbackTimer: number | undefined;
  private pollTimer: number | undefined;

  constructor(
    private readonly callbacks: StreamCallbacks,
    private readonly open: Open = (address) => new EventSource(address),
  ) {}

  start(): void {
    if (this.source) return;
    this.callbacks.onState('connecting');
    this.connect();
  }

  /** Gives the connection back, for a tab that nobody looks at; `start` resumes where it ended. */
  pause(): void {
    this.stop();
    this.callbacks.onState('paused');
  }

  stop(): void {
    window.clearTimeout(this.retryTimer);
    this.endFallback();
    this.source?.close();
    this.source = null;
  }

  private connect(): void {
    const resume = this.lastEventId;
    const query = resume === null ? '' : `?last_event_id=${encodeURIComponent(resume)}`;
    const source = this.open(ADDRESS + query);
    this.source = source;
    source.onopen = () => this.opened();
    source.onerror = () => this.broken(source);
    // The log no longer holds what was resumed from: what is shown may be wrong.
    source.addEventListener('stream.reset', (message: MessageEvent<string>) => {
      this.lastEventId = message.lastEventId;
      this.callbacks.onFresh();
    });
    for (const kind of KINDS) {
      source.addEventListener(kind, (message: MessageEvent<string>) => this.received(kind, message));
    }
  }

  private opened(): void {
    this.retryMs = FIRST_RETRY_MS;
    this.endFallback();
    this.callbacks.onState('live');
    if (this.lastEventId === null) this.callbacks.onFresh();
  }

  private broken(source: EventSource): void {
    if (source !== this.source) return;
    this.beginFallback();
    // CONNECTING: the browser tries again by itself and sends Last-Event-ID. CLOSED: the server refused.
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    this.retryTimer = window.setTimeout(() => this.connect(), this.retryMs);
    this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
  }

  private received(kind: string, message: MessageEvent<string>): void {
    if (message.lastEventId !== '') this.lastEventId = message.lastEventId;
    const event = parseEvent(kind, message.data);
    if (event) this.callbacks.onEvent(event);
  }

  private beginFallback(): void {
    if (this.fallbackTimer !== undefined) return;
    this.callbacks.onState('reconnecting');
    this.fallbackTimer = window.setTimeout(() => {
      this.callbacks.onState('polling');
      this.callbacks.onPoll();
      this.pollTimer = window.setInterval(() => this.callbacks.onPoll(), POLL_EVERY_MS);
    }, POLL_AFTER_MS);
  }

  private endFallback(): void {
    window.clearTimeout(this.fallbackTimer);
    window.clearInterval(this.pollTimer);
    this.fallbackTimer = undefined;
    this.pollTimer = undefined;
  }
}

/** The event of one frame, or null when it is not one. */
export function parseEvent(kind: string, text: string): ServerEvent | null {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof body !== 'object' || body === null) return null;
  const { subject, host_id, data } = body as Partial<Record<string, unknown>>;
  if (!isSubject(subject)) return null;
  return {
    kind,
    subject,
    host_id: typeof host_id === 'string' ? host_id : null,
    data: typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {},
  };
}

function isSubject(value: unknown): value is ServerEvent['subject'] {
  if (typeof value !== 'object' || value === null) return false;
  const { type, id } = value as { type?: unknown; id?: unknown };
  return typeof type === 'string' && typeof id === 'string';
}
