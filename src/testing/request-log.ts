import type { IncomingHttpHeaders } from 'node:http';
import type { Protocol } from './application.js';

/** What a request was for, whichever protocol or path prefix it used; `unknown` has no route. */
export type Endpoint =
  | 'discovery'
  | 'jwks'
  | 'token'
  | 'introspection'
  | 'revocation'
  | 'userinfo'
  | 'endSession'
  | 'validateToken'
  | 'publicConfig'
  | 'poll'
  | 'unknown';

/** One request, as it arrived. */
export interface LoggedRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly endpoint: Endpoint;
  readonly protocol: Protocol;
  /** The application whose address was called. */
  readonly appId: string;
  readonly headers: IncomingHttpHeaders;
  /** The form's fields; empty for anything that is not a form. */
  readonly body: Readonly<Record<string, string>>;
  /** When it arrived, in epoch milliseconds of the stand-in's clock. */
  readonly at: number;
  /** Undefined until answered, and for good when the connection was cut instead. */
  status: number | undefined;
}

const LIMIT = 10_000;

/**
 * Every request that reached the stand-in, faulty answers included.
 *
 * The last 10 000 are kept; the counts go on.
 */
export class RequestLog implements Iterable<LoggedRequest> {
  readonly #entries: LoggedRequest[] = [];
  readonly #counts = new Map<Endpoint, number>();
  readonly #waiting = new Set<() => void>();

  /** The requests kept, oldest first. */
  get entries(): readonly LoggedRequest[] {
    return [...this.#entries];
  }

  [Symbol.iterator](): Iterator<LoggedRequest> {
    return this.entries[Symbol.iterator]();
  }

  /** How many requests came since the start or the last `clear()`: to one endpoint, or in all. */
  count(endpoint?: Endpoint): number {
    if (endpoint) return this.#counts.get(endpoint) ?? 0;
    return [...this.#counts.values()].reduce((sum, each) => sum + each, 0);
  }

  /** The kept requests to one endpoint, oldest first. */
  of(endpoint: Endpoint): LoggedRequest[] {
    return this.#entries.filter((each) => each.endpoint === endpoint);
  }

  /** The latest request, to one endpoint or at all. */
  last(endpoint?: Endpoint): LoggedRequest | undefined {
    return this.#entries.findLast((each) => !endpoint || each.endpoint === endpoint);
  }

  /** Resolves once `count(endpoint)` has reached the number; requests count as they arrive. */
  until(endpoint: Endpoint, count: number): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.count(endpoint) < count) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  /** Forgets every request and sets the counts to zero. */
  clear(): void {
    this.#entries.length = 0;
    this.#counts.clear();
  }

  /** Notes a request; the stand-in does this for each. */
  add(request: LoggedRequest): void {
    this.#entries.push(request);
    if (this.#entries.length > LIMIT) this.#entries.shift();
    this.#counts.set(request.endpoint, this.count(request.endpoint) + 1);
    for (const look of this.#waiting) look();
  }
}
