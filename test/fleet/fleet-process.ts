import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

import { TcpProxy } from '../harness/tcp-proxy.js';
import type { InstanceSettings, RevokeReply } from './messages.js';

/** An answer to a request, or none, since the process is away. */
export interface Reply {
  readonly status: number | undefined;
  readonly body: string;
}

const AWAY: Reply = { status: undefined, body: '' };
const LONGEST_MS = 10_000;

/** One Nest process of a fleet, with a line to Redis of its own that can be cut. */
export class FleetProcess {
  // More at once overflow the queue of connections, and wait for seconds.
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });
  #child: ChildProcess | undefined;
  #url = '';

  private constructor(
    readonly name: string,
    readonly line: TcpProxy,
    private readonly settings: Omit<InstanceSettings, 'redisUrl'>,
  ) {}

  static async start(
    name: string,
    redisPort: number,
    settings: Omit<InstanceSettings, 'redisUrl'>,
  ): Promise<FleetProcess> {
    const one = new FleetProcess(name, await TcpProxy.start(redisPort), settings);
    await one.start();
    return one;
  }

  /** Resolves when the process listens; it may not be ready yet. */
  async start(): Promise<void> {
    const redisUrl = `redis://127.0.0.1:${this.line.port}`;
    const child = fork(new URL('instance.js', import.meta.url), {
      env: {
        ...process.env,
        INSTANCE: JSON.stringify({ ...this.settings, redisUrl }),
        PORT: new URL(this.#url || 'http://x:0').port || '0',
      },
    });
    this.#child = child;
    const died = once(child, 'exit').then(() => [undefined]);
    const [message] = (await Promise.race([once(child, 'message'), died])) as [{ url: string }?];
    if (!message) throw new Error(`${this.name} did not start`);
    this.#url = message.url;
  }

  async untilReady(): Promise<void> {
    const deadline = Date.now() + LONGEST_MS;
    while ((await this.send('GET', '/ready')).body !== '{"readiness":"ready"}') {
      if (Date.now() > deadline) throw new Error(`${this.name} did not become ready`);
      await sleep(20);
    }
  }

  /** SIGKILL: no goodbye to anybody. */
  async kill(): Promise<void> {
    if (this.#child?.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<void> {
    await this.kill();
    this.#agent.destroy();
    await this.line.stop();
  }

  me(token: string): Promise<Reply> {
    return this.send('GET', '/me', { authorization: `Bearer ${token}` });
  }

  async revoke(token: string): Promise<RevokeReply> {
    const headers = { 'content-type': 'application/json' };
    const { body } = await this.send('POST', '/revoke', headers, JSON.stringify({ token }));
    return body === '' ? { failure: 'no answer' } : (JSON.parse(body) as RevokeReply);
  }

  send(method: string, path: string, headers = {}, body?: string): Promise<Reply> {
    return new Promise((resolve) => {
      const sent = request(
        this.#url + path,
        { method, headers, agent: this.#agent },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (part: string) => (text += part));
          response.on('end', () => resolve({ status: response.statusCode, body: text }));
          response.on('error', () => resolve(AWAY));
        },
      );
      sent.setTimeout(LONGEST_MS, () => sent.destroy());
      sent.on('error', () => resolve(AWAY));
      sent.end(body);
    });
  }
}
