import { isJsonObject, type JsonObject, readJsonObject } from '../../core/json.js';
import { Pause } from '../../core/pause.js';
import { Link } from '../fleet/link.js';
import { LogFault } from '../fleet/log-fault.js';
import type { LogSetup } from './log-setup.js';
import type { NatsConnection, NatsReply } from './nats-connection.js';

/** A message of the stream. */
export interface StoredMessage {
  readonly sequence: number;
  readonly subject: string;
  /** When the server took it, exactly as the server writes it. */
  readonly stamp: string;
  readonly text: string;
}

/** JetStream has understood, and refused. */
export class JetStreamError extends Error {
  /** @param code `err_code` of JetStream */
  constructor(readonly code: number) {
    super(`JetStream refused with error ${code}`);
  }
}

const NOT_FOUND = 404;

/** How long a server that is behind is left alone. */
const BEHIND_MS = 5;

/** A link to the stream. */
export class JetStreamLink extends Link<NatsConnection> {
  readonly #pause: Pause;

  constructor(private readonly setup: LogSetup) {
    super(setup.connect, setup.clock, setup.rpcTimeoutMs, 'NATS');
    this.#pause = new Pause(setup.clock);
  }

  /** Asks JetStream itself. @throws {JetStreamError} it refused */
  async ask(call: string, body: object = {}): Promise<JsonObject> {
    const { api, stream } = this.setup;
    const subject = `${api}.${call}.${stream}`;
    return this.use(async (connection) =>
      bodyOf(await connection.request(subject, JSON.stringify(body))),
    );
  }

  /** Resolves with its sequence when a majority of the stream's servers have the message. */
  async publish(subject: string, text: string): Promise<number> {
    return this.use(async (connection) => {
      const { stream, seq } = bodyOf(await connection.request(subject, text));
      if (stream !== this.setup.stream || typeof seq !== 'number') {
        throw new LogFault(`another stream takes what is meant for '${this.setup.stream}'`);
      }
      return seq;
    });
  }

  /**
   * For each sequence the first message that is there at or after it.
   *
   * Any server of the stream may answer. It has taken in every message before the one it gives, but may not
   * have the newest yet.
   *
   * @throws {Error} for too long it had nothing so new
   */
  async next(sequences: readonly number[]): Promise<StoredMessage[]> {
    const { clock, rpcTimeoutMs } = this.setup;
    const deadline = clock.mono() + rpcTimeoutMs;
    for (;;) {
      const found = await this.#ask(sequences);
      const messages = found.filter((message) => message !== undefined);
      if (messages.length === sequences.length) return messages;
      if (clock.mono() > deadline || this.#pause.over) {
        throw new Error('a server of the stream is behind the others');
      }
      await this.#pause.rest(BEHIND_MS);
    }
  }

  override close(): void {
    this.#pause.end();
    super.close();
  }

  #ask(sequences: readonly number[]): Promise<(StoredMessage | undefined)[]> {
    const subject = `${this.setup.api}.DIRECT.GET.${this.setup.stream}`;
    return this.use((connection) =>
      Promise.all(
        sequences.map(async (seq) => {
          const reply = await connection.request(
            subject,
            JSON.stringify({ seq, next_by_subj: '>' }),
          );
          return reply.code === NOT_FOUND ? undefined : messageOf(reply);
        }),
      ),
    );
  }
}

function bodyOf({ text }: NatsReply): JsonObject {
  const body = readJsonObject(text);
  if (!isJsonObject(body)) throw new Error('JetStream gave an answer that is not understood');
  if (isJsonObject(body['error'])) throw new JetStreamError(Number(body['error']['err_code']));
  return body;
}

function messageOf(reply: NatsReply): StoredMessage {
  const sequence = Number(reply.header('Nats-Sequence'));
  if (reply.code !== 0 || !Number.isSafeInteger(sequence) || sequence < 1) {
    throw new Error('JetStream gave a message that is not understood');
  }
  const [subject, stamp] = [reply.header('Nats-Subject'), reply.header('Nats-Time-Stamp')];
  return { sequence, subject, stamp, text: reply.text };
}
