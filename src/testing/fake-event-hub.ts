import { createHmac } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import { hexId } from './application.js';
import { Listener } from './listener.js';
import { acceptOf, FrameReader, frameOf, OPCODES } from './websocket-frames.js';

/** What a test may fix about a hub; everything left out is made up. */
export interface FakeEventHubOptions {
  accessKeyId?: string;
  accessKeySecret?: string;
  /** @default 'GenAuth' */
  authorizationScheme?: string;
}

/** The hub's settings under the option names of the library. */
export interface FakeEventHubSettings {
  accessKeyId: string;
  accessKeySecret: string;
  socketUri: string;
  authorizationScheme?: string;
}

/**
 * What goes wrong with a handshake.
 *
 * - `'slow'`: no answer ever
 * - `'down'`: the connection is reset
 * - `'garbage'`: an answer that is no HTTP
 * - `'accept'`: upgraded with a wrong `Sec-WebSocket-Accept`
 * - `{ status }`: that status instead of 101, with `location` when given
 */
export type HandshakeFault =
  'slow' | 'down' | 'garbage' | 'accept' | { readonly status: number; readonly location?: string };

/** One attempt to subscribe, good or bad. */
export interface Handshake {
  /** Path and query, as they were sent. */
  readonly url: string;
  readonly authorization: string | undefined;
  /** 101 when it became a subscription; undefined when no answer was given. */
  readonly status: number | undefined;
}

interface Subscriber {
  readonly code: string;
  readonly socket: Duplex;
  isSilent: boolean;
}

const PATH = '/events/v1/management/sub';

/**
 * GenAuth's event hub for tests: real WebSockets on a free loopback port, in this process.
 *
 * It lets in who signs with its key pair, one event code a socket, sends what a test publishes, answers
 * pings, and fails on demand. It writes its own frames, so that it can also send what no server should.
 *
 * @example
 * const hub = await FakeEventHub.start();
 * // EventHubModule.forRoot({ ...hub.options() })
 * hub.publish('authing.user.logout', { userId: 'ada' });
 * await hub.stop();
 */
export class FakeEventHub {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly authorizationScheme: string;
  /** Every attempt to subscribe, oldest first. */
  readonly handshakes: Handshake[] = [];
  /** How many pings were answered. */
  pings = 0;
  readonly #listener = new Listener((request, socket) => this.#admit(request, socket));
  readonly #subscribers = new Set<Subscriber>();
  readonly #waiting = new Set<Duplex>();
  readonly #limited: HandshakeFault[] = [];
  #standing: HandshakeFault | undefined;

  private constructor(options: FakeEventHubOptions) {
    this.accessKeyId = options.accessKeyId ?? hexId(24);
    this.accessKeySecret = options.accessKeySecret ?? hexId(32);
    this.authorizationScheme = options.authorizationScheme ?? 'GenAuth';
  }

  /** Starts a hub, which listens once the promise resolves. */
  static async start(options: FakeEventHubOptions = {}): Promise<FakeEventHub> {
    const hub = new FakeEventHub(options);
    await hub.comeBack();
    return hub;
  }

  /** Settings to spread into the library's options; what equals the library's default is left out. */
  options(): FakeEventHubSettings {
    const { accessKeyId, accessKeySecret, authorizationScheme } = this;
    return {
      accessKeyId,
      accessKeySecret,
      socketUri: this.#listener.origin.replace('http', 'ws'),
      ...(authorizationScheme !== 'GenAuth' && { authorizationScheme }),
    };
  }

  /** How many sockets are subscribed: to an event, or at all. Silent ones are not. */
  subscribers(code?: string): number {
    return this.#of(code).filter(({ isSilent }) => !isSilent).length;
  }

  /**
   * Sends a message to everyone who is subscribed to the event: a string as it is, bytes as a binary frame,
   * anything else as JSON.
   *
   * @returns to how many
   */
  publish(code: string, message: unknown): number {
    if (Buffer.isBuffer(message)) return this.send(code, frameOf(OPCODES.binary, message));
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    return this.send(code, frameOf(OPCODES.text, Buffer.from(text)));
  }

  /** Sends bytes as they are, frame or not, to everyone who is subscribed. @returns to how many */
  send(code: string, bytes: Buffer): number {
    const reached = this.#of(code).filter(({ isSilent }) => !isSilent);
    for (const { socket } of reached) socket.write(bytes);
    return reached.length;
  }

  /** Ends the subscriptions to an event, or all: with a close frame (1001), or with a cut line. */
  disconnect(code?: string, how: 'close' | 'cut' = 'cut'): void {
    for (const { socket } of this.#of(code)) {
      if (how === 'close') socket.end(frameOf(OPCODES.close, Buffer.from([0x03, 0xe9])));
      else socket.destroy();
    }
  }

  /** The subscriptions to an event, or all, die without a word: no pong, no message, no end of the line. */
  silence(code?: string): void {
    for (const subscriber of this.#of(code)) subscriber.isSilent = true;
  }

  /** Makes handshakes fail: the next `times`, or all until `recover()`. */
  refuse(fault: HandshakeFault, times?: number): void {
    if (times === undefined) this.#standing = fault;
    else this.#limited.push(...Array.from({ length: times }, () => fault));
  }

  /** Handshakes succeed again. */
  recover(): void {
    this.#standing = undefined;
    this.#limited.length = 0;
  }

  /** Cuts every connection and stops listening. */
  goDown(): Promise<void> {
    return this.#listener.close();
  }

  /** Listens again, on the same port. */
  async comeBack(): Promise<void> {
    await this.#listener.open();
  }

  /** Ends every socket. */
  async stop(): Promise<void> {
    for (const socket of this.#waiting) socket.destroy();
    await this.goDown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #of(code: string | undefined): Subscriber[] {
    return [...this.#subscribers].filter((one) => code === undefined || one.code === code);
  }

  #admit(request: IncomingMessage, socket: Duplex): void {
    socket.on('error', () => undefined);
    const { url = '', headers } = request;
    const { pathname, searchParams } = new URL(url, 'ws://hub');
    const code = searchParams.get('code');
    const fault = this.#limited.shift() ?? this.#standing;
    const status = statusOf(fault) ?? this.#judge(pathname, code, headers.authorization);
    this.handshakes.push({ url, authorization: headers.authorization, status });
    if (fault !== undefined) this.#spoil(fault, socket);
    else if (status === 101) this.#subscribe(code ?? '', headers, socket);
    else socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\n\r\n`);
  }

  #judge(path: string, code: string | null, authorization: string | undefined): number {
    if (path !== PATH) return 404;
    const { accessKeyId, accessKeySecret, authorizationScheme } = this;
    const signature = createHmac('sha1', accessKeySecret).update('websocket\n').digest('base64');
    const expected = `${authorizationScheme} ${accessKeyId}:${signature}`;
    if (authorization !== expected) return 401;
    return code ? 101 : 400;
  }

  #spoil(fault: HandshakeFault, socket: Duplex): void {
    if (fault === 'down') socket.destroy();
    else if (fault === 'garbage') socket.end('%%% what is this?\r\n\r\n');
    else if (fault === 'accept') socket.write(upgraded('bm90IHRoZSBrZXk='));
    else if (fault === 'slow') {
      this.#waiting.add(socket);
      socket.on('close', () => this.#waiting.delete(socket));
    } else {
      const { status, location } = fault;
      const place = location === undefined ? '' : `Location: ${location}\r\n`;
      socket.end(`HTTP/1.1 ${status} Refused\r\n${place}Connection: close\r\n\r\n`);
    }
  }

  #subscribe(code: string, headers: IncomingMessage['headers'], socket: Duplex): void {
    const subscriber: Subscriber = { code, socket, isSilent: false };
    const reader = new FrameReader();
    this.#subscribers.add(subscriber);
    socket.on('close', () => this.#subscribers.delete(subscriber));
    socket.on('data', (bytes: Buffer) => {
      for (const { opcode, payload } of reader.read(bytes)) {
        if (subscriber.isSilent) continue;
        if (opcode === OPCODES.ping) {
          this.pings += 1;
          socket.write(frameOf(OPCODES.pong, payload));
        }
        if (opcode === OPCODES.close) socket.end();
      }
    });
    socket.on('end', () => subscriber.isSilent || socket.end());
    socket.write(upgraded(acceptOf(headers['sec-websocket-key'] ?? '')));
  }
}

function statusOf(fault: HandshakeFault | undefined): number | undefined {
  return typeof fault === 'object' ? fault.status : undefined;
}

function upgraded(accept: string): string {
  return (
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`
  );
}
