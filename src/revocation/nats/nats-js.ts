import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import type { NatsConnect, NatsReply } from './nats-connection.js';

/** What is used of a message. */
export interface NatsJsMessage {
  readonly headers?: { readonly code: number; get(name: string): string };
  string(): string;
}

/** What is used of a connection of nats.js. */
export interface NatsJsConnection {
  request(subject: string, text: string, options: { timeout: number }): Promise<NatsJsMessage>;
  subscribe(
    subject: string,
    options: { callback: (error: Error | null, message: NatsJsMessage) => void },
  ): unknown;
  close(): Promise<void>;
}

/** The log has its own, shorter limits; the client insists on one. */
const LONGEST_REQUEST_MS = 600_000;
/** Of several servers, one that says nothing is passed over while there is still time for another. */
const DIAL_MS = 400;

/**
 * Connects through `connect` of `@nats-io/transport-node` 3. Reconnecting is turned off; everything else is
 * as the options say.
 *
 * @example
 * natsRevocationLog({ connect: natsJs(connect, { servers: process.env['NATS_URL'] }) })
 */
export function natsJs<Options extends object>(
  connect: (options: Options) => Promise<NatsJsConnection>,
  options?: NoInfer<Options>,
): NatsConnect {
  return async (signal) => {
    const forced = { reconnect: false, waitOnFirstConnect: false, noAsyncTraces: true };
    const dialled = new Dialled();
    signal.addEventListener('abort', () => dialled.destroyAll(), { once: true });
    const all = { timeout: DIAL_MS, ...(options as Options), ...forced };
    const client = await dialled.during(() => connect(all));
    dialled.destroyLosers();
    return {
      request: (subject, text) =>
        client.request(subject, text, { timeout: LONGEST_REQUEST_MS }).then(replyOf),
      subscribe(subject, onMessage, onError) {
        const callback = (error: Error | null, message: NatsJsMessage): void =>
          error ? onError(error) : onMessage(message.string());
        client.subscribe(subject, { callback });
      },
      close() {
        client.close().catch(() => undefined);
      },
    };
  };
}

function replyOf(message: NatsJsMessage): NatsReply {
  return {
    code: message.headers?.code ?? 0,
    header: (name) => message.headers?.get(name) ?? '',
    text: message.string(),
  };
}

/** Where node tells of every socket that is made to connect. */
const SOCKETS = 'net.client.socket';

const dialling = new AsyncLocalStorage<Dialled>();

/**
 * The sockets of one attempt to connect. The client forgets those of servers that take the call and say
 * nothing: they would stay open for as long as the server is silent.
 */
class Dialled {
  readonly #sockets: { destroy(): unknown }[] = [];

  async during<T>(connecting: () => Promise<T>): Promise<T> {
    const note = (message: unknown): void => {
      if (dialling.getStore() !== this) return;
      this.#sockets.push((message as { socket: { destroy(): unknown } }).socket);
    };
    subscribe(SOCKETS, note);
    try {
      return await dialling.run(this, connecting);
    } catch (error) {
      this.destroyAll();
      throw error;
    } finally {
      unsubscribe(SOCKETS, note);
    }
  }

  /** Servers are tried one after another, so the last one has answered. */
  destroyLosers(): void {
    for (const socket of this.#sockets.splice(0, this.#sockets.length - 1)) socket.destroy();
  }

  destroyAll(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }
}
