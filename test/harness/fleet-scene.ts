import type { ModuleMetadata } from '@nestjs/common';
import { createClient } from 'redis';

import type { GenAuthModuleOptions } from '../../src/index.js';
import { nodeRedis, redisRevocationLog, type RedisRevocationLogOptions } from '../../src/redis.js';
import { FakeGenAuth } from '../../src/testing.js';
import { type GuardedApp, startGuardedApp } from './guarded-app.js';
import { RedisServer } from './redis-server.js';
import { eventually } from './scene.js';
import { ShiftedClock } from './shifted-clock.js';
import { TcpProxy } from './tcp-proxy.js';

/** Short enough to wait for, long enough for a machine that is busy. */
export const MAX_STALENESS = 2_000;
const PREFIX = 'genauth:rev';
export const LOG = `{${PREFIX}}:log`;
export const META = `{${PREFIX}}:meta`;

/** An application of the fleet, with a line to Redis and a clock of its own. */
export interface Member extends GuardedApp {
  readonly line: TcpProxy;
  readonly clock: ShiftedClock;
}

/** What may differ from one application to the next. */
export interface MemberOptions {
  readonly module?: Partial<GenAuthModuleOptions>;
  readonly log?: Partial<RedisRevocationLogOptions>;
  readonly maxStaleness?: number;
  readonly whenStale?: 'introspect' | 'refuse' | 'accept';
  readonly maxEntries?: number;
  /** Modules beside `GenAuthModule`. */
  readonly imports?: NonNullable<ModuleMetadata['imports']>;
  /** Do not wait until it is ready. */
  readonly atOnce?: boolean;
  /** Called with the line before the application starts. */
  readonly before?: (line: TcpProxy) => void;
}

/** One stand-in, one Redis, and applications that share their revocations: all real, on real clocks. */
export class FleetScene {
  readonly #members: Member[] = [];

  private constructor(
    readonly genauth: FakeGenAuth,
    readonly redis: RedisServer,
  ) {}

  /** @param begunMsAgo how old the log is; by default old enough to cover every token of a test */
  static async set({
    begunMsAgo = 3_600_000,
    args = [],
  }: { begunMsAgo?: number; args?: readonly string[] } = {}): Promise<FleetScene> {
    const genauth = await FakeGenAuth.start({ applications: [{ alg: 'ES256' }] });
    const redis = await RedisServer.start({ args });
    const scene = new FleetScene(genauth, redis);
    if (begunMsAgo > 0) await scene.beginLog(Date.now() - begunMsAgo);
    return scene;
  }

  /** As the first process to come did at that time. */
  async beginLog(at: number): Promise<void> {
    await this.redis.send('HSET', META, 'genesis', `${at}`);
    await this.redis.send('XADD', LOG, `${at}-0`, 'v', '1', 'k', 'g');
  }

  async join(options: MemberOptions = {}): Promise<Member> {
    const line = await TcpProxy.start(this.redis.port);
    options.before?.(line);
    const clock = new ShiftedClock();
    const app = await startGuardedApp(this.#settings(line, options), {
      clock,
      imports: options.imports ?? [],
    });
    const member = { ...app, line, clock };
    this.#members.push(member);
    if (!options.atOnce) await live(member);
    return member;
  }

  /** A token of a user of its own. */
  signIn(sub = `user-${Math.random().toString(36).slice(2)}`): string {
    return this.genauth.signIn({ sub, scope: 'openid' }).access_token;
  }

  /** Ends an application. */
  async end(member: Member): Promise<void> {
    this.#members.splice(this.#members.indexOf(member), 1);
    await member.close();
    await member.line.stop();
  }

  async close(): Promise<void> {
    while (this.#members[0]) await this.end(this.#members[0]);
    await Promise.all([this.genauth.stop(), this.redis.stop()]);
  }

  #settings(line: TcpProxy, options: MemberOptions): GenAuthModuleOptions {
    const { maxStaleness = MAX_STALENESS, whenStale = 'refuse', maxEntries } = options;
    const url = `redis://127.0.0.1:${line.port}`;
    const log = redisRevocationLog({
      connect: nodeRedis(createClient, { url }),
      heartbeat: 100,
      rpcTimeout: 500,
      ...options.log,
    });
    return {
      ...this.genauth.application.options(),
      algorithms: ['ES256'],
      timeout: 2_000,
      revocation: { log, maxStaleness, whenStale, ...(maxEntries && { maxEntries }) },
      ...options.module,
    } as GenAuthModuleOptions;
  }
}

/** Resolves when the application is current. */
export async function live({ tokens }: Member): Promise<void> {
  await eventually(() => tokens.freshness().state === 'live', 15_000);
}
