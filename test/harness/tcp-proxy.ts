import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** `up` is from the client to the server, `down` from the server to the client. */
export type Direction = 'up' | 'down';

/** One connection through the proxy. */
interface Pipe {
  readonly client: Socket;
  readonly server: Socket;
}

/**
 * A line that can be broken, in front of a server. It keeps the promises of TCP: bytes arrive in order,
 * and none is lost while the connection lives.
 */
export class TcpProxy {
  readonly #pipes = new Set<Pipe>();
  readonly #sockets = new Set<Socket>();
  readonly #held = new Set<Direction>();
  readonly #mute = new WeakSet<Pipe>();
  #isSilent: ReadonlySet<Direction> = new Set();
  #refuses = false;
  #delayMs = 0;

  private constructor(
    private readonly listener: Server,
    private target: number,
  ) {
    listener.on('connection', (client) => this.#join(client));
  }

  static async start(target: number): Promise<TcpProxy> {
    const listener = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new TcpProxy(listener, target);
  }

  get port(): number {
    return (this.listener.address() as AddressInfo).port;
  }

  /** Bytes wait; `release` delivers them in order. */
  hold(...directions: Direction[]): void {
    for (const one of both(directions)) this.#held.add(one);
    this.#flow();
  }

  release(): void {
    this.#held.clear();
    this.#flow();
  }

  /** Every connection is dead from now on, without a word; new ones as well, until `accept`. */
  silence(...directions: Direction[]): void {
    this.#isSilent = new Set(both(directions));
    for (const pipe of this.#pipes) this.#mute.add(pipe);
    this.#flow();
  }

  /** New connections are refused until `accept`, and those there are broken. */
  refuse(): void {
    this.#refuses = true;
    this.reset();
  }

  /** New connections work again. Those that went silent stay so. */
  accept(): void {
    this.#refuses = false;
    for (const pipe of this.#pipes) if (this.#mute.has(pipe)) this.#stop(pipe);
    this.#isSilent = new Set();
  }

  /** Breaks every connection (RST). */
  reset(): void {
    for (const { client, server } of this.#pipes) {
      // One that is just being ended cannot be reset, and would keep its process for ever.
      if (client.writableEnded) client.destroy();
      else client.resetAndDestroy();
      server.destroy();
    }
  }

  /** Bytes of new connections arrive so much later, in order. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** New connections go there. */
  retarget(port: number): void {
    this.target = port;
  }

  async stop(): Promise<void> {
    this.reset();
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.listener, 'close');
    this.listener.close();
    await closed;
  }

  #join(client: Socket): void {
    if (this.#refuses) {
      client.resetAndDestroy();
      return;
    }
    const server = connect(this.target, '127.0.0.1');
    const pipe = { client, server };
    this.#pipes.add(pipe);
    if (this.#isSilent.size > 0) this.#mute.add(pipe);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (bytes: Buffer) => this.#pass(to, bytes));
      from.on('error', () => undefined);
      this.#sockets.add(from);
      from.on('close', () => {
        this.#sockets.delete(from);
        // A dead line carries no goodbye either.
        if (this.#mute.has(pipe) && from === server) return;
        this.#pipes.delete(pipe);
        to.destroy();
      });
    }
    this.#flow();
  }

  #pass(to: Socket, bytes: Buffer): void {
    if (this.#delayMs === 0) to.write(bytes);
    else setTimeout(() => to.destroyed || to.write(bytes), this.#delayMs);
  }

  /** Lets each direction of each connection run, or not. */
  #flow(): void {
    for (const pipe of this.#pipes) {
      run(pipe.client, !this.#isStopped(pipe, 'up'));
      run(pipe.server, !this.#isStopped(pipe, 'down'));
    }
  }

  #isStopped(pipe: Pipe, direction: Direction): boolean {
    return this.#held.has(direction) || (this.#mute.has(pipe) && this.#isSilent.has(direction));
  }

  /** What was silent is never heard again: its bytes stay where they are. */
  #stop({ client, server }: Pipe): void {
    client.removeAllListeners('data').pause();
    server.removeAllListeners('data').pause();
  }
}

function both(directions: readonly Direction[]): readonly Direction[] {
  return directions.length > 0 ? directions : ['up', 'down'];
}

function run(socket: Socket, flows: boolean): void {
  if (flows) socket.resume();
  else socket.pause();
}
