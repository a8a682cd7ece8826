import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';

import { freePort } from './free-port.js';
import { ServerProcess } from './server-process.js';

interface Place {
  readonly name: string;
  readonly port: number;
  readonly clusterPort: number;
  readonly routes: readonly number[];
  /** Lines of its configuration on top. */
  readonly settings: string;
}

/** A nats-server of one's own with JetStream, on a free port and in a directory of its own. */
export class NatsServer extends ServerProcess {
  private constructor(private readonly place: Place) {
    super('nats-server');
  }

  /** @param settings lines of its configuration on top */
  static async start(settings = ''): Promise<NatsServer> {
    const place = { name: 'alone', port: await freePort(), clusterPort: 0, routes: [], settings };
    const server = new NatsServer(place);
    await server.restart();
    return server;
  }

  /** Three servers that keep their streams together. */
  static async cluster(): Promise<readonly NatsServer[]> {
    const names = ['a', 'b', 'c'];
    const routes: number[] = [];
    for (const _ of names) routes.push(await freePort());
    const servers: NatsServer[] = [];
    for (const [place, name] of names.entries()) {
      const clusterPort = routes[place] ?? 0;
      const port = await freePort();
      servers.push(new NatsServer({ name, port, clusterPort, routes, settings: '' }));
    }
    await Promise.all(servers.map((server) => server.restart()));
    return servers;
  }

  get name(): string {
    return this.place.name;
  }

  get port(): number {
    return this.place.port;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  override async restart(): Promise<void> {
    const { name, port, clusterPort, routes, settings } = this.place;
    const others = routes.filter((route) => route !== clusterPort);
    const cluster = `cluster { name: fleet, listen: "127.0.0.1:${clusterPort}", routes: [${others
      .map((route) => `"nats://127.0.0.1:${route}"`)
      .join(', ')}] }`;
    const config = [
      `server_name: ${name}`,
      `listen: "127.0.0.1:${port}"`,
      `jetstream { store_dir: "${this.dir}", max_mem: 64MB, max_file: 1GB }`,
      routes.length > 0 ? cluster : '',
      settings,
    ].join('\n');
    const path = join(this.dir, 'server.conf');
    writeFileSync(path, config);
    this.launch(['-c', path]);
    // One that asks for a password is up as well.
    await this.until(async () => {
      const answer = await this.asAdmin((streams) => streams.getAccountInfo()).catch(String);
      return typeof answer !== 'string' || /authorization/i.test(answer);
    });
  }

  #copy(): string {
    return join(this.dir, 'copy');
  }

  /** Keeps a copy of its data. For a server that is down. */
  backUp(): void {
    cpSync(join(this.dir, 'jetstream'), this.#copy(), { recursive: true });
  }

  /** Puts the copy in the place of its data. For a server that is down. */
  restore(): void {
    rmSync(join(this.dir, 'jetstream'), { recursive: true });
    cpSync(this.#copy(), join(this.dir, 'jetstream'), { recursive: true });
  }

  /** Does something over a connection of its own. */
  async use<T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> {
    const connection = await connect({ servers: this.url, reconnect: false, timeout: 1_000 });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }

  /** Does something with its streams, through the client's own JetStream. */
  asAdmin<T>(work: (streams: JetStreamManager) => Promise<T>): Promise<T> {
    return this.use(async (connection) =>
      work(await jetstreamManager(connection, { timeout: 2_000 })),
    );
  }
}
