import type { Clock } from '../../core/clock.js';
import type { RedisConnect, RedisConnection } from './redis-connection.js';

/** One command: its name and arguments. */
export type Command = readonly string[];

/**
 * A connection that is replaced as soon as anything goes wrong with it. Every exchange has a deadline,
 * which also covers connecting: a connection that died without a word is noticed by nothing else.
 */
export class RedisLink {
  #connecting: Promise<RedisConnection> | undefined;
  #abort = new AbortController();
  readonly #inFlight = new Set<() => void>();
  #generation = 0;
  #closed = false;

  constructor(
    private readonly connect: RedisConnect,
    private readonly clock: Clock,
    private readonly deadlineMs: number,
  ) {}

  /** Goes up whenever the connection was lost. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Sends the commands in one go and resolves with their replies. Rejects with the first error; the
   * connection is then closed, and the next call makes a new one.
   *
   * @param extraMs how long the server may take by the nature of the commands
   */
  async run(commands: readonly Command[], extraMs = 0): Promise<unknown[]> {
    if (this.#closed) throw new Error('the connection was closed');
    const connecting = (this.#connecting ??= this.#open());
    try {
      return await this.#within(this.deadlineMs + extraMs, async () => {
        const connection = await connecting;
        if (this.#connecting !== connecting) throw new Error('the connection was replaced');
        // Also what is thrown at once must not leave the others without anybody to hear of them.
        return Promise.all(commands.map(async (command) => connection.send(command)));
      });
    } catch (error) {
      this.#drop(connecting);
      throw error;
    }
  }

  /**
   * As `run`, as one transaction; resolves with the replies of the commands. Errors among them are left in
   * their places: the transaction was executed nevertheless.
   */
  async transact(commands: readonly Command[]): Promise<unknown[]> {
    const replies = await this.run([['MULTI'], ...commands, ['EXEC']]);
    const results = replies.at(-1);
    if (Array.isArray(results) && results.length === commands.length) return results;
    throw new Error('the transaction was not executed');
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

  async #open(): Promise<RedisConnection> {
    this.#abort = new AbortController();
    return this.connect(this.#abort.signal);
  }

  #drop(connecting: Promise<RedisConnection>): void {
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
        reject(new Error('Redis did not answer in time'));
      };
      const cancel = this.clock.setTimeout(end, limitMs);
      this.#inFlight.add(end);
      exchanging().then(resolve, reject).finally(forget);
    });
  }
}
