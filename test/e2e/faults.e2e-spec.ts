import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createClient } from 'redis';

import { type AlarmMessage, TokenError } from '../../src/index.js';
import { signedKey } from '../../src/core/revocation.js';
import { nodeRedis } from '../../src/redis.js';
import { FleetScene, live, LOG, MAX_STALENESS, type Member, META } from '../harness/fleet-scene.js';
import { RedisServer } from '../harness/redis-server.js';
import { eventually, failureOf, statusOf } from '../harness/scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

const DURABLE = { args: ['--appendonly', 'yes', '--appendfsync', 'always'] };

let scene: FleetScene;
let alarms: AlarmMessage[];
const listen = (message: unknown): void => void alarms.push(message as AlarmMessage);

beforeEach(() => {
  alarms = [];
  subscribe('genauth:alarm', listen);
});

afterEach(async () => {
  unsubscribe('genauth:alarm', listen);
  await scene.close();
});

function alarmed(alarm: AlarmMessage['alarm']): boolean {
  return alarms.some((message) => message.alarm === alarm);
}

/** Whether the application refuses the token for good, on the log's word. */
async function isDenied(member: Member, token: string): Promise<boolean> {
  return (await statusOf(member, token)) === 401;
}

async function state(member: Member, expected: string): Promise<void> {
  await eventually(() => member.tokens.freshness().state === expected, 15_000);
}

/** Writes an entry as some other process would. */
function write(...fields: string[]): Promise<unknown> {
  return scene.redis.send('XADD', LOG, '*', ...fields);
}

describeWithRedis('What happens when', () => {
  it('the doorbell is lost: the next heartbeat brings the news', async () => {
    scene = await FleetScene.set();
    const here = await scene.join();
    const connect = nodeRedis(createClient, { url: scene.redis.url });
    const deaf = async (signal: AbortSignal) => {
      const connection = await connect(signal);
      const send = (args: readonly string[]): Promise<unknown> =>
        args[0] === 'XREAD' ? new Promise(() => undefined) : connection.send(args);
      return { send, close: () => connection.close() };
    };
    const there = await scene.join({ log: { connect: deaf } });
    const token = scene.signIn();
    expect(await statusOf(there, token)).toBe(200);
    await here.tokens.revoke(token);
    await eventually(() => isDenied(there, token));
  });

  it('a connection dies without a word: it is replaced within its deadline', async () => {
    scene = await FleetScene.set();
    const here = await scene.join();
    const there = await scene.join();
    const token = scene.signIn();
    there.line.silence();
    there.line.accept();
    await here.tokens.revoke(token);
    await eventually(() => isDenied(there, token));
    expect(there.tokens.freshness().state).toBe('live');
  });

  it.each(['up', 'down'] as const)(
    'packets pass one way only (%s are lost): stale at maxStaleness, and current again on return',
    async (direction) => {
      scene = await FleetScene.set();
      const here = await scene.join();
      const there = await scene.join();
      const [before, after] = [scene.signIn(), scene.signIn()];
      await here.tokens.revoke(before);
      await eventually(() => isDenied(there, before));
      there.line.silence(direction);
      await here.tokens.revoke(after);
      await state(there, 'stale');
      expect(there.tokens.readiness()).toBe('degraded');
      expect(await statusOf(there, before)).toBe(401);
      expect(await statusOf(there, after)).toBe(503);
      there.line.accept();
      there.line.reset();
      await eventually(() => isDenied(there, after));
      await live(there);
    },
  );

  it('a process restarts: it is not ready until it knows every unexpired entry', async () => {
    scene = await FleetScene.set();
    const first = await scene.join();
    const token = scene.signIn();
    await first.tokens.revoke(token);
    await first.tokens.revokeSubject('ada');
    await scene.end(first);
    const second = await scene.join({ atOnce: true, before: (line) => line.refuse() });
    expect(second.tokens.readiness()).toBe('not_ready');
    second.line.accept();
    await live(second);
    expect(second.tokens.readiness()).toBe('ready');
    expect(await statusOf(second, token)).toBe(401);
  });

  it('GenAuth is down: the fleet denies, and the caller is told what is missing', async () => {
    scene = await FleetScene.set();
    const here = await scene.join();
    const there = await scene.join();
    const token = scene.signIn();
    expect(await statusOf(there, token)).toBe(200);
    await scene.genauth.goDown();
    const failure = await failureOf(here.tokens.revoke(token, { tokenTypeHint: 'access_token' }));
    expect(failure.code).toBe('genauth_unreachable');
    expect(failure.receipt).toMatchObject({ log: 'acknowledged', genauth: 'unreachable' });
    await eventually(() => isDenied(there, token));
  });

  it('Redis is down for a while: nothing is visible, but revoke rejects and is repeated', async () => {
    scene = await FleetScene.set(DURABLE);
    const here = await scene.join({ maxStaleness: 20_000, log: { ackTimeout: 300 } });
    const there = await scene.join({ maxStaleness: 20_000 });
    const [token, innocent] = [scene.signIn(), scene.signIn()];
    expect(await statusOf(there, token)).toBe(200);
    await scene.redis.kill();
    const { code } = await failureOf(here.tokens.revoke(token));
    expect(code).toBe('log_not_acknowledged');
    expect(await statusOf(here, token)).toBe(401);
    expect(await statusOf(there, innocent)).toBe(200);
    expect(here.tokens.freshness().state).toBe('live');
    await scene.redis.restart();
    await eventually(() => isDenied(there, token));
    expect(alarmed('log_unreachable')).toBe(true);
  });

  it('Redis is down for longer: nobody accepts anything on the word of the log', async () => {
    scene = await FleetScene.set(DURABLE);
    const member = await scene.join();
    const token = scene.signIn();
    expect(await statusOf(member, token)).toBe(200);
    await scene.redis.kill();
    await state(member, 'stale');
    expect(await statusOf(member, token)).toBe(503);
    await scene.redis.restart();
    await eventually(async () => (await statusOf(member, token)) === 200);
  });

  it('Redis answers late: an answer counts from when it was asked for', async () => {
    scene = await FleetScene.set();
    const here = await scene.join();
    const there = await scene.join();
    const token = scene.signIn();
    expect(await statusOf(there, token)).toBe(200);
    there.line.hold();
    await here.tokens.revoke(token);
    await state(there, 'stale');
    there.line.release();
    await eventually(() => isDenied(there, token));
    await live(there);
  });

  it('an old master is isolated but readable: it proves nothing', async () => {
    scene = await FleetScene.set();
    const replica = await RedisServer.start();
    try {
      await replica.replicaOf(scene.redis);
      const log = { durability: { replicas: 1 }, replicaLag: 1_000 };
      const member = await scene.join({ log });
      const token = scene.signIn();
      expect(await statusOf(member, token)).toBe(200);
      replica.freeze();
      await state(member, 'stale');
      expect(await statusOf(member, token)).toBe(503);
      expect(
        alarms.some(
          ({ alarm, detail }) =>
            alarm === 'log_misconfigured' && detail.includes('durability.replicas'),
        ),
      ).toBe(true);
      replica.thaw();
      await live(member);
    } finally {
      await replica.stop();
    }
  });

  it('a failover loses entries: those who read them bring them back', async () => {
    scene = await FleetScene.set();
    const replica = await RedisServer.start();
    try {
      await replica.replicaOf(scene.redis);
      const here = await scene.join();
      const there = await scene.join();
      const token = scene.signIn();
      await replica.promote();
      await here.tokens.revoke(token);
      await eventually(() => isDenied(there, token));
      await scene.redis.kill();
      for (const { line } of [here, there]) {
        line.retarget(replica.port);
        line.reset();
      }
      await eventually(async () => isIn(replica, token), 15_000);
      expect(alarmed('log_rewound')).toBe(true);
      await live(here);
      expect(await statusOf(here, token)).toBe(401);
    } finally {
      await replica.stop();
    }
  });

  it('the clock of a new master is behind: no entry is skipped', async () => {
    scene = await FleetScene.set();
    const replica = await RedisServer.start();
    try {
      await replica.replicaOf(scene.redis);
      const here = await scene.join();
      const token = scene.signIn();
      await replica.promote();
      // Read here, and never by the next master: the cursor is ahead of it.
      await here.tokens.revoke(scene.signIn());
      await scene.redis.kill();
      const fields = tombstoneOf(token);
      await replica.send('XADD', LOG, `${Date.now() - 60_000}-0`, ...fields);
      here.line.retarget(replica.port);
      here.line.reset();
      await eventually(() => isDenied(here, token), 15_000);
    } finally {
      await replica.stop();
    }
  });

  it.each([
    ['is wiped', () => scene.redis.send('FLUSHALL')],
    ['is deleted', () => scene.redis.send('DEL', LOG)],
    ['is evicted whole', () => scene.redis.send('DEL', LOG, META)],
  ])(
    'the log %s: it is begun anew, what is known is brought back, and older tokens are asked about',
    async (_, strike) => {
      scene = await FleetScene.set();
      const survivor = await scene.join();
      const [token, innocent] = [scene.signIn(), scene.signIn()];
      await survivor.tokens.revoke(token);
      const marker = survivor.tokens.freshness().coveredSince;
      await strike();
      await eventually(() => survivor.tokens.freshness().coveredSince > marker + 60_000, 15_000);
      expect(alarmed('log_replaced')).toBe(true);
      await live(survivor);
      expect(await statusOf(survivor, token)).toBe(401);
      await eventually(async () => isIn(scene.redis, token), 15_000);
      const asked = scene.genauth.requests.count('introspection');
      const fresh = await scene.join({ whenStale: 'introspect' });
      expect(await statusOf(fresh, token)).toBe(401);
      expect(scene.genauth.requests.count('introspection')).toBe(asked);
      expect(await statusOf(fresh, innocent)).toBe(200);
      expect(scene.genauth.requests.count('introspection')).toBe(asked + 1);
    },
  );

  it('the log is trimmed too far: older tokens are asked about', async () => {
    scene = await FleetScene.set();
    const first = await scene.join();
    await first.tokens.revoke(scene.signIn());
    await first.tokens.revoke(scene.signIn());
    const token = scene.signIn();
    await scene.redis.send('XTRIM', LOG, 'MAXLEN', '1');
    const asked = scene.genauth.requests.count('introspection');
    const second = await scene.join({ whenStale: 'introspect' });
    expect(await statusOf(second, token)).toBe(200);
    expect(scene.genauth.requests.count('introspection')).toBe(asked + 1);
  });

  it('the wall clock is set back: nothing revoked comes back to life', async () => {
    scene = await FleetScene.set();
    const member = await scene.join();
    const token = scene.signIn();
    await member.tokens.revoke(token);
    member.clock.wallShiftMs = -240_000;
    expect(await statusOf(member, token)).toBe(401);
    await live(member);
    expect(await statusOf(member, token)).toBe(401);
  });

  it('the wall clock is set forward: stale until the next proof', async () => {
    scene = await FleetScene.set();
    const member = await scene.join();
    scene.redis.freeze();
    member.clock.wallShiftMs = MAX_STALENESS + 1;
    expect(member.tokens.freshness().state).toBe('stale');
    scene.redis.thaw();
    await live(member);
  });

  it('the machine sleeps: catching up until the next proof', async () => {
    scene = await FleetScene.set();
    const member = await scene.join();
    scene.redis.freeze();
    member.clock.wallShiftMs = 90_000;
    expect(member.tokens.freshness().state).toBe('catching-up');
    expect(member.tokens.readiness()).toBe('not_ready');
    scene.redis.thaw();
    await live(member);
  });

  it('the event loop is blocked: the right to accept ends by itself', async () => {
    scene = await FleetScene.set();
    const member = await scene.join();
    const token = scene.signIn();
    const who = await member.tokens.verify(token);
    const end = Date.now() + MAX_STALENESS + 1;
    while (Date.now() < end);
    expect(() => member.tokens.check(who)).toThrow('stale');
    expect(member.tokens.freshness().state).toBe('stale');
    await live(member);
    member.tokens.check(who);
  });

  it.each([
    ['of an unknown kind', ['v', '1', 'k', 'z', 'f', 'A'.repeat(22)]],
    ['of an unknown version', ['v', '2', 'k', 't', 'f', 'A'.repeat(22)]],
    ['without a digest', ['v', '1', 'k', 't']],
  ])('an entry %s is read: stale until it has expired, and an alarm', async (_, fields) => {
    scene = await FleetScene.set();
    const member = await scene.join();
    const token = scene.signIn();
    expect(await statusOf(member, token)).toBe(200);
    await write(...fields, 'x', `${Date.now() + 3_000}`);
    await state(member, 'stale');
    expect(await statusOf(member, token)).toBe(503);
    expect(alarmed('log_entry_unreadable')).toBe(true);
    await live(member);
    expect(await statusOf(member, token)).toBe(200);
  });

  it('an entry comes twice: nothing changes', async () => {
    scene = await FleetScene.set();
    const member = await scene.join();
    const token = scene.signIn();
    const fields = tombstoneOf(token);
    let events = 0;
    member.tokens.revocations$.subscribe(() => (events += 1));
    await write(...fields);
    await write(...fields);
    await eventually(() => isDenied(member, token));
    await write(...tombstoneOf(scene.signIn()));
    await eventually(() => events > 1);
    expect(events).toBe(2);
  });

  it('the index is full: stale, an alarm, and nothing dropped', async () => {
    scene = await FleetScene.set();
    const member = await scene.join({ maxEntries: 2 });
    const tokens = [scene.signIn(), scene.signIn(), scene.signIn()];
    for (const token of tokens) await write(...tombstoneOf(token));
    await state(member, 'stale');
    expect(await statusOf(member, tokens[0] ?? '')).toBe(401);
    expect(await statusOf(member, tokens[1] ?? '')).toBe(401);
    expect(await statusOf(member, tokens[2] ?? '')).toBe(503);
  });

  it('another maxTokenLifetime is configured: it refuses to start, in one line', async () => {
    scene = await FleetScene.set();
    await scene.join();
    const module = { maxTokenLifetime: 3_600_000 };
    const other = await scene.join({ module, atOnce: true });
    await expect(other.tokens.ready()).rejects.toThrow('maxTokenLifetime');
    expect(other.tokens.readiness()).toBe('not_ready');
    expect(await statusOf(other, scene.signIn())).toBe(503);
  });

  it('the server may evict: an alarm names the setting', async () => {
    scene = await FleetScene.set({
      args: ['--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru'],
    });
    await scene.join();
    expect(alarms.some(({ detail }) => detail.includes('maxmemory-policy allkeys-lru'))).toBe(true);
  });

  it('the application ends: no socket to Redis is left', async () => {
    scene = await FleetScene.set();
    const member = await scene.join();
    const clients = async (): Promise<number> =>
      String(await scene.redis.send('CLIENT', 'LIST')).split('\n').length;
    const before = await clients();
    await scene.end(member);
    await eventually(async () => (await clients()) < before);
    expect(member.tokens.freshness().state).toBe('stopped');
    expect(member.tokens.readiness()).toBe('not_ready');
    await expect(member.tokens.verify(scene.signIn())).rejects.not.toBeInstanceOf(TokenError);
  });
});

/** Whether the log on this server holds the revocation of the token. */
async function isIn(server: RedisServer, token: string): Promise<boolean> {
  const [, , , , , key = ''] = tombstoneOf(token);
  const rows = (await server.send('XRANGE', LOG, '-', '+')) as [string, string[]][];
  return rows.some(([, fields]) => fields.includes(key));
}

/** The entry that another process would write for the token. */
function tombstoneOf(token: string): string[] {
  const [header = '', payload = ''] = token.split('.');
  const { exp } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { exp: number };
  const key = signedKey(`${header}.${payload}`);
  return ['v', '1', 'k', 't', 'f', key, 'x', `${exp * 1_000}`];
}
