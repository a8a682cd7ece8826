import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** One port on the loopback address, which can be closed and opened again. */
export class Listener {
  /** Takes every request; set before the first one is expected. */
  receive: (request: IncomingMessage, response: ServerResponse) => void = () => undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((request, response) => this.receive(request, response));
  #port = 0;

  /** @param upgrade takes a connection that asks for another protocol, where one is spoken */
  constructor(upgrade?: (request: IncomingMessage, socket: Duplex) => void) {
    if (upgrade) this.#server.on('upgrade', upgrade);
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  /** Scheme, address and port, once it has listened. */
  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens: at first on a free port, later on the same port again. */
  async open(): Promise<this> {
    if (this.#server.listening) return this;
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.#port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  /** Resets every connection and stops listening; connections are refused from then on. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) cut(socket);
    await closed;
  }
}

/** Resets a connection. One that is just being ended cannot be reset, and would keep its process for ever. */
function cut(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
