import type { Clock } from '../../core/clock.js';

/** What can be thrown away. */
export interface Closable {
  /** Ends it at once, whatever is under way. Never throws; may be called twice. */
  close(): void;
}

/**
 * Opens a new connection. Rejects when that fails. When the signal is aborted nobody waits any more: what
 * was opened so far is to be closed.
 */
export type Connect<Connection> = (signal: AbortSignal) => Connection | Promise<Connection>;

/**
 * A connection that is replaced as soon as anything goes wrong with it. Every exchange has a deadline,
 * which also covers connecting: a connection that died without a word is noticed by nothing else.
 */
export class Link<Connection extends Closable> {
  #connecting: Promise<Connection> | undefined;
  #abort = new AbortController();
  readonly #inFlight = new Set<() => void>();
  #generation = 0;
  #closed = false;

  /** @param server its name, for whoever reads an error */
  constructor(
    private readonly connect: Connect<Connection>,
    private readonly clock: Clock,
    private readonly deadlineMs: number,
    private readonly server: string,
  ) {}

  /** Goes up whenever the connection was lost. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Resolves as the exchange does. When it rejects, or takes too long, the connection is closed, and the
   * next call makes a new one.
   *
   * @param extraMs how long the server may take by the nature of the exchange
   */
  async use<T>(exchange: (connection: Connection) => Promise<T>, extraMs = 0): Promise<T> {
    if (this.#closed) throw new Error('the connection was closed');
    const connecting = (this.#connecting ??= this.#open());
    try {
      return await this.#within(this.deadlineMs + extraMs, async () => {
        const connection = await connecting;
        if (this.#connecting !== connecting) throw new Error('the connection was replaced');
        return exchange(connection);
      });
    } catch (error) {
      this.#drop(connecting);
      throw error;
    }
  }

  /** Replaces the connection: it works, but not with the server that is wanted. */
  drop(): void {
    if (this.#connecting) this.#drop(this.#connecting);
  }

  /** Ends the connection and every exchange on it, for good. */
  close(): void {
    this.#closed = true;
    for (const end of this.#inFlight) end();
    if (this.#connecting) this.#drop(this.#connecting);
  }

  async #open(): Promise<Connection> {
    this.#abort = new AbortController();
    return this.connect(this.#abort.signal);
  }

  #drop(connecting: Promise<Connection>): void {
    if (this.#connecting === connecting) {
      this.#connecting = undefined;
      this.#generation += 1;
      this.#abort.abort();
    }
    connecting.then(
      (connection) => connection.close(),
      () => undefined,
    );
  }

  #within<T>(limitMs: number, exchanging: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const forget = (): void => {
        cancel();
        this.#inFlight.delete(end);
      };
      const end = (): void => {
        forget();
        reject(new Error(`${this.server} did not answer in time`));
      };
      const cancel = this.clock.setTimeout(end, limitMs);
      this.#inFlight.add(end);
      exchanging().then(resolve, reject).finally(forget);
    });
  }
}
