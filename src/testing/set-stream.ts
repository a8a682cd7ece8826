import type { IncomingHttpHeaders } from 'node:http';
import { htmlAnswer, jsonAnswer, type Answer } from './answer.js';
import { decoded } from './compact-token.js';

/** A poll, as it arrived (RFC 8936 §2.2). */
export interface LoggedPoll {
  readonly headers: IncomingHttpHeaders;
  readonly maxEvents: number | undefined;
  readonly returnImmediately: boolean;
  readonly ack: readonly string[];
  readonly setErrs: Readonly<Record<string, SetError>>;
}

/** Why a recipient refused a SET (RFC 8935 §2.3). */
export interface SetError {
  readonly err: string;
  readonly description: string;
}

const LIMIT = 10_000;

/** The SETs that wait to be fetched, and what became of those that were. */
export class SetStream {
  readonly #waiting = new Map<string, unknown>();
  readonly #arrivals = new Set<() => void>();
  readonly acknowledged: string[] = [];
  readonly refused = new Map<string, SetError>();
  readonly polls: LoggedPoll[] = [];

  /** Waits to be fetched from now on, under its own `jti` unless another is given. */
  add(set: unknown, jti?: string): string {
    const own = typeof set === 'string' ? decoded(set)?.payload['jti'] : undefined;
    const name = jti ?? (typeof own === 'string' ? own : `unnamed-${this.#waiting.size}`);
    this.#waiting.set(name, set);
    for (const arrive of this.#arrivals) arrive();
    return name;
  }

  get waiting(): string[] {
    return [...this.#waiting.keys()];
  }

  /** Notes a poll and what it reports, waits for a SET if it may, and answers. */
  async answer(body: string, headers: IncomingHttpHeaders): Promise<Answer> {
    const poll = pollIn(body, headers);
    if (!poll) return htmlAnswer(400, 'This is no poll.');
    this.polls.push(poll);
    if (this.polls.length > LIMIT) this.polls.shift();
    this.#settle(poll);
    const { maxEvents = Infinity, returnImmediately } = poll;
    if (!returnImmediately && maxEvents > 0) await this.#arrival();
    const sets = [...this.#waiting].slice(0, maxEvents);
    const moreAvailable = this.#waiting.size > sets.length;
    return jsonAnswer({ sets: Object.fromEntries(sets), ...(moreAvailable && { moreAvailable }) });
  }

  /** Ends every wait. */
  release(): void {
    for (const arrive of this.#arrivals) arrive();
  }

  #settle({ ack, setErrs }: LoggedPoll): void {
    for (const jti of ack) if (this.#waiting.delete(jti)) this.acknowledged.push(jti);
    for (const [jti, error] of Object.entries(setErrs)) {
      if (this.#waiting.delete(jti)) this.refused.set(jti, error);
    }
  }

  async #arrival(): Promise<void> {
    if (this.#waiting.size > 0) return;
    await new Promise<void>((resolve) => {
      const arrive = (): void => {
        this.#arrivals.delete(arrive);
        resolve();
      };
      this.#arrivals.add(arrive);
    });
  }
}

function pollIn(body: string, headers: IncomingHttpHeaders): LoggedPoll | undefined {
  try {
    const { maxEvents, returnImmediately, ack, setErrs } = JSON.parse(body) as Partial<LoggedPoll>;
    return {
      headers,
      maxEvents,
      returnImmediately: returnImmediately ?? false,
      ack: ack ?? [],
      setErrs: setErrs ?? {},
    };
  } catch {
    return undefined;
  }
}
