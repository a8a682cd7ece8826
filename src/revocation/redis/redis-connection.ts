/**
 * One connection to the master that holds the log. Adapt any client to it.
 *
 * It must not reconnect, queue while it is not connected, or retry: a broken connection is thrown away
 * and a new one made.
 */
export interface RedisConnection {
  /**
   * Sends one command and resolves with its raw reply: strings, numbers, `null`, and arrays of these.
   * Commands are sent in the order of the calls, without waiting for replies in between. An error that
   * Redis replies with rejects; inside an array it stands as an `Error`.
   */
  send(args: readonly string[]): Promise<unknown>;
  /** Ends the connection at once, whatever is under way. Never throws; may be called twice. */
  close(): void;
}

/**
 * Opens a new connection. Rejects when that fails. When the signal is aborted nobody waits any more: what
 * was opened so far is to be closed.
 */
export type RedisConnect = (signal: AbortSignal) => RedisConnection | Promise<RedisConnection>;
