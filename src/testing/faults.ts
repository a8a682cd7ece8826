import type { Endpoint } from './request-log.js';

/**
 * What goes wrong instead of a good answer.
 *
 * - `'down'`: the connection is reset before any answer, and the request has no effect
 * - `'slow'`: no answer ever; `{ slow: ms }`: the good answer after that long, in real time
 * - `'reset'`: the connection is cut in the middle of the good answer's body
 * - `'html'`: 502 with an HTML page
 * - `'garbage'`: 200 with a body that is no JSON
 * - `'endless'`: 200 with a body that never ends
 * - `'bomb'`: 200 with a gzip body of 256 KiB that unfolds to 256 MiB
 * - `{ status }`: that status with an OAuth error, and `Retry-After` when given
 * - `{ redirect }`: 302 to that address
 * - `{ body }`: that body as JSON; a string or bytes are sent as they are
 *
 * Behind `'slow'`, `{ slow }` and `'reset'` the request has had its effect on the server: only the
 * answer is late or lost. All others stand in front of the server, which never sees the request.
 */
export type Fault =
  | 'down'
  | 'slow'
  | 'reset'
  | 'html'
  | 'garbage'
  | 'endless'
  | 'bomb'
  | { readonly slow: number }
  | { readonly status: number; readonly retryAfter?: number | string }
  | { readonly redirect: string }
  | {
      readonly body: unknown;
      readonly status?: number;
      readonly headers?: Readonly<Record<string, string>>;
    };

interface Plan {
  readonly limited: Fault[];
  standing: Fault | undefined;
}

/** The faults to come, per endpoint. */
export class FaultPlan {
  readonly #plans = new Map<Endpoint | '*', Plan>();

  /** Queues the fault for so many requests; without a number it stands until recovery. */
  add(endpoint: Endpoint | '*', fault: Fault, times?: number): void {
    const plan = this.#plans.get(endpoint) ?? { limited: [], standing: undefined };
    this.#plans.set(endpoint, plan);
    if (times === undefined) plan.standing = fault;
    else plan.limited.push(...Array.from({ length: times }, () => fault));
  }

  /** Removes the faults of one endpoint, or all. */
  recover(endpoint?: Endpoint | '*'): void {
    if (endpoint) this.#plans.delete(endpoint);
    else this.#plans.clear();
  }

  /** The fault of the next request: queued ones first, and the endpoint's own before those of `*`. */
  take(endpoint: Endpoint): Fault | undefined {
    return this.#takeOf(endpoint) ?? this.#takeOf('*');
  }

  #takeOf(endpoint: Endpoint | '*'): Fault | undefined {
    const plan = this.#plans.get(endpoint);
    return plan?.limited.shift() ?? plan?.standing;
  }
}

/** Whether the server does its work behind the fault. */
export function reachesServer(fault: Fault): boolean {
  return fault === 'slow' || fault === 'reset' || (typeof fault === 'object' && 'slow' in fault);
}
