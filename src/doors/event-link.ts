import { WebSocket } from 'ws';

import type { Clock } from '../core/clock.js';
import { type Pauses, pauseAfter } from './back-off.js';

/** Larger messages end the connection (RFC 6455 §7.4.1, 1009), and count as a gap. */
const MOST_BYTES = 1024 * 1024;

/** Where a link leads, and with which header. */
export interface LinkAddress {
  readonly url: string;
  readonly authorization: string;
}

/** How a link is kept up. */
export interface LinkSettings extends Pauses {
  readonly heartbeatMs: number;
  readonly timeoutMs: number;
}

/** What a link tells. */
export interface LinkListener {
  /** Connected, and subscribed. */
  up(): void;
  /** Not connected, or no longer. */
  down(why: string): void;
  /** A text frame, or a binary one, which has no text. */
  message(text: string | undefined): void;
}

/**
 * One WebSocket that is kept up from `open` to `close`. Whatever ends it, it is tried again after a pause;
 * a connection that dies without a word is noticed by its heartbeat.
 *
 * Redirects are not followed, compression is not offered, certificates are verified. What the other side
 * or the network says about a failure is not passed on: it may quote what was sent.
 */
export class EventLink {
  #socket: WebSocket | undefined;
  #failures = 0;
  #isClosed = false;
  /** Ends the one timer there is: of the pause, or of the heartbeat. */
  #cancel: () => void = () => undefined;

  constructor(
    private readonly address: LinkAddress,
    private readonly settings: LinkSettings,
    private readonly clock: Clock,
    private readonly listener: LinkListener,
  ) {}

  /** Begins to connect, and returns at once. */
  open(): void {
    const { url, authorization } = this.address;
    const socket = new WebSocket(url, {
      headers: { authorization },
      followRedirects: false,
      maxPayload: MOST_BYTES,
      perMessageDeflate: false,
      rejectUnauthorized: true,
    });
    this.#socket = socket;
    let why: string | undefined;
    let upMono: number | undefined;
    const end = (reason: string): void => {
      why ??= reason;
      socket.terminate();
    };
    // The limit of a single call is the machine's own timer.
    const deadline = setTimeout(() => end('no answer in time'), this.settings.timeoutMs).unref();
    socket.on('unexpected-response', (_, { statusCode = 0 }) => end(refusal(statusCode)));
    // Without this, a connection that broke the protocol could linger in its closing handshake.
    socket.on('error', (error) => end(reasonOf(error)));
    socket.on('open', () => {
      clearTimeout(deadline);
      upMono = this.clock.mono();
      this.#beat(socket, end);
      this.listener.up();
    });
    socket.on('message', (data, isBinary) => {
      // A message comes in one buffer unless `binaryType` says otherwise.
      const text = isBinary ? undefined : (data as Buffer).toString();
      if (!this.#isClosed) this.listener.message(text);
    });
    socket.on('close', () => {
      clearTimeout(deadline);
      this.#ended(why ?? 'closed by the hub', upMono);
    });
  }

  /** Ends timer and socket; resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    const socket = this.#socket;
    if (!socket || socket.readyState === WebSocket.CLOSED) return;
    // Not events.once(): a handshake that is broken off is an error as well.
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.terminate();
    await closed;
  }

  /** Asks whether the connection lives, again and again; every frame is a sign that it does. */
  #beat(socket: WebSocket, end: (why: string) => void): void {
    const { heartbeatMs, timeoutMs } = this.settings;
    const wait = (): void => {
      this.#cancel();
      this.#cancel = this.clock.setTimeout(ask, heartbeatMs);
    };
    const ask = (): void => {
      if (socket.readyState !== WebSocket.OPEN) return end('closed by the hub');
      this.#cancel = this.clock.setTimeout(() => end('the connection died'), timeoutMs);
      socket.ping();
    };
    const live = (): void => {
      if (socket.readyState === WebSocket.OPEN) wait();
    };
    for (const sign of ['message', 'ping', 'pong']) socket.on(sign, live);
    wait();
  }

  #ended(why: string, upMono: number | undefined): void {
    this.#cancel();
    if (this.#isClosed) return;
    const { maxPauseMs } = this.settings;
    const hasHeld = upMono !== undefined && this.clock.mono() - upMono >= maxPauseMs;
    const failures = hasHeld ? 0 : this.#failures;
    this.#failures = failures + 1;
    this.#cancel = this.clock.setTimeout(() => this.open(), pauseAfter(failures, this.settings));
    this.listener.down(why);
  }
}

function refusal(status: number): string {
  const advice = 'check accessKeyId, accessKeySecret, authorizationScheme and the event code';
  return `refused with status ${status}${status >= 400 && status < 500 ? `: ${advice}` : ''}`;
}

function reasonOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[A-Z_0-9]+$/.test(code) ? `failed with ${code}` : 'failed';
}
