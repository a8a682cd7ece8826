import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { createClient } from 'redis';

import { freePort } from './free-port.js';

const LONGEST_MS = 15_000;

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A redis-server of one's own, on a free port and in a directory of its own. */
export class RedisServer {
  readonly #dir = mkdtempSync(join(tmpdir(), 'redis-'));
  #child: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly args: readonly string[],
  ) {}

  /** @param args settings on top: nothing is saved unless they say so */
  static async start({ args = [] }: { args?: readonly string[] } = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), args);
    await server.restart();
    return server;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it again, with the data that was saved. Resolves when it answers. */
  async restart(): Promise<void> {
    const own = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.#dir, '--save', ''];
    const child = spawn('redis-server', [...own, ...this.args], { stdio: 'ignore' });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    // One that asks for a password is up as well.
    await this.#until(async () =>
      /PONG|NOAUTH/.test(String(await this.send('PING').catch((error: unknown) => error))),
    );
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Resolves when the link is up and this server has all the data. */
  async replicaOf(master: RedisServer): Promise<void> {
    await this.send('REPLICAOF', '127.0.0.1', `${master.port}`);
    await this.#until(async () =>
      String(await this.send('INFO')).includes('master_link_status:up'),
    );
    await this.#until(async () => String(await master.send('INFO')).includes('state=online'));
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

  async #until(holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + LONGEST_MS;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > deadline) throw new Error('redis-server did not get there in time');
      await sleep(10);
    }
  }
}
