/** A message that answers a request. */
export interface NatsReply {
  /** The status of its headers; 0 when there is none. */
  readonly code: number;
  /** The value of one of its headers; empty when it is not there. */
  header(name: string): string;
  readonly text: string;
}

/**
 * One connection to NATS. Adapt any client to it.
 *
 * It must not reconnect, queue while it is not connected, or retry: a broken connection is thrown away
 * and a new one made.
 */
export interface NatsConnection {
  /** Resolves with the first reply. Rejects when nobody listens, or when a right is missing. */
  request(subject: string, text: string): Promise<NatsReply>;
  /** Reports every message from now on, as long as the connection lives. */
  subscribe(
    subject: string,
    onMessage: (text: string) => void,
    onError: (error: unknown) => void,
  ): void;
  /** Ends the connection at once, whatever is under way. Never throws; may be called twice. */
  close(): void;
}

/**
 * Opens a new connection. Rejects when that fails. When the signal is aborted nobody waits any more: what
 * was opened so far is to be closed.
 */
export type NatsConnect = (signal: AbortSignal) => NatsConnection | Promise<NatsConnection>;
