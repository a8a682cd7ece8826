import { createClient } from 'redis';

import { freePort } from './free-port.js';
import { ServerProcess } from './server-process.js';

/** A redis-server of one's own, on a free port and in a directory of its own. */
export class RedisServer extends ServerProcess {
  private constructor(
    readonly port: number,
    private readonly args: readonly string[],
  ) {
    super('redis-server');
  }

  /** @param args settings on top: nothing is saved unless they say so */
  static async start({ args = [] }: { args?: readonly string[] } = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), args);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  override async restart(): Promise<void> {
    const own = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.dir, '--save', ''];
    this.launch([...own, ...this.args]);
    // One that asks for a password is up as well.
    await this.until(async () =>
      /PONG|NOAUTH/.test(String(await this.send('PING').catch((error: unknown) => error))),
    );
  }

  /** Resolves when the link is up and this server has all the data. */
  async replicaOf(master: RedisServer): Promise<void> {
    await this.send('REPLICAOF', '127.0.0.1', `${master.port}`);
    await this.until(async () => String(await this.send('INFO')).includes('master_link_status:up'));
    await this.until(async () => String(await master.send('INFO')).includes('state=online'));
  }

  async promote(): Promise<void> {
    await this.send('REPLICAOF', 'NO', 'ONE');
  }

  /** One command over a connection of its own. */
  async send(...args: readonly string[]): Promise<unknown> {
    const client = createClient({
      url: this.url,
      RESP: 2,
      socket: { reconnectStrategy: false, connectTimeout: 1_000 },
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.sendCommand([...args]);
    } finally {
      client.destroy();
    }
  }
}
