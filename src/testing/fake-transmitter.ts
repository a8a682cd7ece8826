import type { IncomingMessage, ServerResponse } from 'node:http';
import { htmlAnswer, jsonAnswer, type Answer } from './answer.js';
import { writeAnswer, writeFault } from './answer-writer.js';
import { FaultPlan, reachesServer, type Fault } from './faults.js';
import { Listener } from './listener.js';
import {
  buildSet,
  EVENT_TYPES,
  type EventName,
  type Events,
  type SetOptions,
} from './security-event-token.js';
import { SetStream, type LoggedPoll, type SetError } from './set-stream.js';
import { SigningKeys, type SigningAlgorithm } from './signing-keys.js';

/** What a test may fix when it starts a transmitter. */
export interface FakeTransmitterOptions {
  /** @default the address that it listens at */
  issuer?: string;
  /** What its SETs say in `aud`. @default 'https://receiver.example.com' */
  audience?: string;
  /** @default 'ES256' */
  alg?: SigningAlgorithm;
  /** Sent as `Authorization` with each push. */
  pushAuthorization?: string;
  /** What a poll must show as `Authorization`. */
  pollAuthorization?: string;
  /** Stamps SETs. @default the real time */
  clock?: { now(): number };
}

/** How a push departs from a good one. */
export interface PushOptions {
  /** @default 'POST' */
  method?: string;
  /** @default 'application/secevent+jwt'; `null` leaves it out */
  contentType?: string | null;
  /** In place of `pushAuthorization`; `null` leaves it out. */
  authorization?: string | null;
}

/** How a recipient answered a push (RFC 8935 §2.2, §2.3). */
export interface PushAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** The error in the body, if there is one. */
  readonly error: SetError | undefined;
}

/**
 * A transmitter of Shared Signals for tests: it signs security event tokens, publishes its keys, pushes, and
 * answers polls, over real HTTP on a loopback port. What a poll was given waits until it is acknowledged.
 *
 * @example
 * const transmitter = await FakeTransmitter.start({ audience: 'https://api.example.com' });
 * // SecurityEventsModule.forRoot({ ...transmitter.options() })
 * await transmitter.push(`${url}/security-events`, transmitter.set(
 *   { 'account-disabled': {} },
 *   { subject: { format: 'iss_sub', iss: genauth.application.issuer, sub: 'ada' } },
 * ));
 * await transmitter.stop();
 */
export class FakeTransmitter {
  /** The URIs of the event types that have a short name. */
  static readonly eventTypes: Readonly<Record<EventName, string>> = EVENT_TYPES;

  readonly keys: SigningKeys;
  readonly #stream = new SetStream();
  readonly #faults = new FaultPlan();
  readonly #served = { jwks: 0, poll: 0 };

  private constructor(
    private readonly listener: Listener,
    private readonly given: FakeTransmitterOptions,
  ) {
    this.keys = new SigningKeys(given.alg ?? 'ES256');
    listener.receive = (request, response) => void this.#receive(request, response);
  }

  /** Starts a transmitter, which listens once the promise resolves. */
  static async start(options: FakeTransmitterOptions = {}): Promise<FakeTransmitter> {
    return new FakeTransmitter(await new Listener().open(), options);
  }

  get issuer(): string {
    return this.given.issuer ?? this.listener.origin;
  }

  get audience(): string {
    return this.given.audience ?? 'https://receiver.example.com';
  }

  get jwksUri(): string {
    return `${this.listener.origin}/jwks.json`;
  }

  get pollEndpoint(): string {
    return `${this.listener.origin}/poll`;
  }

  /** What a receiver needs to know of it. */
  options(): { issuer: string; jwksUri: string; audience: string; algorithms: SigningAlgorithm[] } {
    const { issuer, jwksUri, audience } = this;
    return { issuer, jwksUri, audience, algorithms: [this.keys.current.alg] };
  }

  /** A SET with these events, signed. */
  set(events: Events, options: SetOptions = {}): string {
    const { issuer, audience, keys, given } = this;
    return buildSet(
      { issuer, audience, keys, now: given.clock?.now() ?? Date.now() },
      events,
      options,
    );
  }

  /** Pushes a SET, or whatever else is given (RFC 8935 §2.1). */
  async push(
    url: string,
    set: string,
    { method = 'POST', contentType, authorization }: PushOptions = {},
  ): Promise<PushAnswer> {
    const headers = new Headers();
    const type = contentType === undefined ? 'application/secevent+jwt' : contentType;
    const shown = authorization === undefined ? this.given.pushAuthorization : authorization;
    if (type !== null) headers.set('content-type', type);
    if (typeof shown === 'string') headers.set('authorization', shown);
    const body = method === 'GET' ? null : new Blob([set]);
    const response = await fetch(url, { method, headers, body });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text,
      error: errorIn(text),
    };
  }

  /** Lets a SET, or anything, be fetched by the next poll; it is listed under its `jti` unless told otherwise. */
  queue(set: unknown, jti?: string): string {
    return this.#stream.add(set, jti);
  }

  /** The `jti` of every SET that waits: not fetched, or neither acknowledged nor refused. */
  get waiting(): string[] {
    return this.#stream.waiting;
  }

  /** The `jti` of every SET that was acknowledged, in that order. */
  get acknowledged(): readonly string[] {
    return [...this.#stream.acknowledged];
  }

  /** What recipients said of SETs that they refused, by `jti`. */
  get refused(): ReadonlyMap<string, SetError> {
    return this.#stream.refused;
  }

  /** The last 10 000 polls, oldest first; those that met a fault in front of the server are not among them. */
  get polls(): readonly LoggedPoll[] {
    return [...this.#stream.polls];
  }

  /** How many requests came to an endpoint, those that met a fault among them. */
  count(endpoint: 'jwks' | 'poll'): number {
    return this.#served[endpoint];
  }

  /** Makes requests to an endpoint fail: the next `times`, or all until `recover()`. */
  fault(endpoint: 'jwks' | 'poll', fault: Fault, times?: number): void {
    this.#faults.add(endpoint, fault, times);
  }

  recover(endpoint?: 'jwks' | 'poll'): void {
    this.#faults.recover(endpoint);
  }

  /** Cuts every connection and stops listening. */
  async goDown(): Promise<void> {
    await this.listener.close();
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    await this.listener.open();
  }

  /** Ends every socket and wait. */
  async stop(): Promise<void> {
    this.#stream.release();
    await this.goDown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request).catch(() => undefined);
    const endpoint = request.url === '/jwks.json' ? 'jwks' : 'poll';
    if (body === undefined) return;
    this.#served[endpoint] += 1;
    const fault = this.#faults.take(endpoint);
    const answer =
      fault && !reachesServer(fault) ? undefined : await this.#answer(request, endpoint, body);
    if (response.destroyed) return;
    if (fault) writeFault(response, fault, answer);
    else if (answer) writeAnswer(response, answer);
  }

  #answer(
    { method, url, headers }: IncomingMessage,
    endpoint: 'jwks' | 'poll',
    body: string,
  ): Answer | Promise<Answer> {
    if (endpoint === 'jwks') return jsonAnswer(this.keys.jwks());
    if (url !== '/poll' || method !== 'POST') return htmlAnswer(404, 'There is nothing here.');
    const { pollAuthorization } = this.given;
    if (pollAuthorization !== undefined && headers.authorization !== pollAuthorization) {
      return jsonAnswer({ err: 'authentication_failed' }, 401, { 'WWW-Authenticate': 'Bearer' });
    }
    return this.#stream.answer(body, headers);
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function errorIn(text: string): SetError | undefined {
  try {
    const { err, description } = JSON.parse(text) as Partial<SetError>;
    return err === undefined ? undefined : { err, description: description ?? '' };
  } catch {
    return undefined;
  }
}
