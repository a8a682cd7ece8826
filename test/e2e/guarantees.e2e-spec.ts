import { afterEach, expect, it } from '@jest/globals';
import { createClient } from 'redis';

import { nodeRedis } from '../../src/redis.js';
import { Janitor } from '../../src/revocation/redis/janitor.js';
import { type RedisLogOptions, setUp } from '../../src/revocation/redis/log-setup.js';
import { RedisLink } from '../../src/revocation/redis/redis-link.js';
import { failureOf, eventually, statusOf } from '../harness/scene.js';
import { FleetScene, live, LOG, MAX_STALENESS, type Member, META } from '../harness/fleet-scene.js';
import { plainContext } from '../harness/plain-context.js';
import { describeWithRedis } from '../harness/with-servers.js';

const KEY = 'A'.repeat(22);

let scene: FleetScene;

afterEach(() => scene.close());

/**
 * When the latest request was sent that the application accepted, while it is asked until `until`: on a busy
 * machine the answer comes later than the decision.
 */
async function latestAcceptance(member: Member, token: string, until: number): Promise<number> {
  let latest = -Infinity;
  while (Date.now() < until) {
    const sentAt = Date.now();
    const { status } = await member.call('/me', token);
    if (status === 200) latest = sentAt;
  }
  return latest;
}

/** Two applications that have both accepted, and remember, one token. */
async function pair(): Promise<{ here: Member; there: Member; token: string }> {
  scene = await FleetScene.set();
  const here = await scene.join();
  const there = await scene.join();
  const token = scene.signIn();
  expect(await statusOf(here, token)).toBe(200);
  expect(await statusOf(there, token)).toBe(200);
  return { here, there, token };
}

describeWithRedis('What a fleet guarantees', () => {
  it('G1 bound: nobody accepts a token later than maxStaleness after its revocation was acknowledged', async () => {
    const { here, there, token } = await pair();
    const cutOff = await scene.join();
    expect(await statusOf(cutOff, token)).toBe(200);
    cutOff.line.silence();

    await here.tokens.revoke(token);
    const acknowledgedAt = Date.now();
    const until = acknowledgedAt + MAX_STALENESS + 500;
    for (const latest of await Promise.all([
      latestAcceptance(here, token, until),
      latestAcceptance(there, token, until),
      latestAcceptance(cutOff, token, until),
    ])) {
      expect(latest - acknowledgedAt).toBeLessThan(MAX_STALENESS);
    }
    expect(cutOff.tokens.freshness().state).toBe('stale');
    expect(await statusOf(there, token)).toBe(401);
  });

  it('G2 fallback: who asks GenAuth instead accepts it no later than maxStaleness after GenAuth confirmed', async () => {
    scene = await FleetScene.set();
    const here = await scene.join();
    const cutOff = await scene.join({ whenStale: 'introspect' });
    const [token, innocent] = [scene.signIn(), scene.signIn()];
    cutOff.line.silence();
    await eventually(() => cutOff.tokens.freshness().state === 'stale');
    expect(await statusOf(cutOff, token)).toBe(200);

    const { genauth } = await here.tokens.revoke(token);
    const confirmedAt = Date.now();
    expect(genauth).toBe('confirmed');
    const latest = await latestAcceptance(cutOff, token, confirmedAt + MAX_STALENESS + 500);
    expect(latest - confirmedAt).toBeLessThan(MAX_STALENESS);
    expect(await statusOf(cutOff, innocent)).toBe(200);
  });

  it('G3 read your writes: denied here from the call on, acknowledged or not', async () => {
    const { here, token } = await pair();
    scene.redis.freeze();
    const revoking = here.tokens.revoke(token);
    expect(await statusOf(here, token)).toBe(401);
    const { code, receipt } = await failureOf(revoking);
    expect(code).toBe('log_not_acknowledged');
    expect(receipt.success).toBe(false);
    expect(await statusOf(here, token)).toBe(401);
    scene.redis.thaw();
  });

  it('G4 no loss: holds after Redis was killed and every process replaced', async () => {
    scene = await FleetScene.set({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    const first = await scene.join();
    const [token, innocent] = [scene.signIn(), scene.signIn()];
    await first.tokens.revoke(token);
    await scene.end(first);
    await scene.redis.kill();
    await scene.redis.restart();

    const asked = scene.genauth.requests.count('introspection');
    const second = await scene.join();
    expect(await statusOf(second, token)).toBe(401);
    expect(await statusOf(second, innocent)).toBe(200);
    expect(scene.genauth.requests.count('introspection')).toBe(asked);
  });

  it('G5 monotone: what was denied once stays denied, whatever happens to Redis', async () => {
    const { here, there, token } = await pair();
    await here.tokens.revoke(token);
    await eventually(async () => (await statusOf(there, token)) === 401);
    for (const strike of [
      () => scene.redis.send('FLUSHALL'),
      () => scene.redis.kill().then(() => scene.redis.restart()),
      async () => scene.redis.freeze(),
      async () => scene.redis.thaw(),
    ]) {
      await strike();
      for (let round = 0; round < 20; round += 1) {
        expect(await statusOf(here, token)).toBe(401);
        expect(await statusOf(there, token)).toBe(401);
      }
    }
  });

  it('G6 start: accepts nothing before the log was read to its end', async () => {
    scene = await FleetScene.set();
    const first = await scene.join();
    const [token, innocent] = [scene.signIn(), scene.signIn()];
    await first.tokens.revoke(token);
    const late = await scene.join({ atOnce: true, before: (line) => line.hold() });
    expect(late.tokens.readiness()).toBe('not_ready');
    for (let round = 0; round < 20; round += 1) {
      expect(await statusOf(late, innocent)).toBe(503);
      expect(await statusOf(late, token)).toBe(503);
    }
    late.line.release();
    await late.tokens.ready();
    expect(late.tokens.readiness()).toBe('ready');
    expect(await statusOf(late, token)).toBe(401);
    expect(await statusOf(late, innocent)).toBe(200);
  });

  it('G7 coverage: a token older than the log is not accepted on its word', async () => {
    scene = await FleetScene.set({ begunMsAgo: 0 });
    const old = scene.signIn();
    const member = await scene.join({ whenStale: 'introspect' });
    const asked = scene.genauth.requests.count('introspection');
    expect(await statusOf(member, old)).toBe(200);
    expect(scene.genauth.requests.count('introspection')).toBe(asked + 1);
    expect(await statusOf(member, old)).toBe(200);
    expect(scene.genauth.requests.count('introspection')).toBe(asked + 1);
    const other = scene.signIn();
    await scene.genauth.goDown();
    expect(await statusOf(member, other)).toBe(503);
  });

  it('G8 order-free: read twice, in pieces or in another order, the log means the same', async () => {
    const { here, token } = await pair();
    await here.tokens.revokeSubject('somebody');
    await here.tokens.revoke(token);
    const rows = (await scene.redis.send('XRANGE', LOG, '-', '+')) as [string, string[]][];
    const facts = rows.map(([, fields]) => fields).filter((fields) => !fields.includes('g'));
    expect(facts.length).toBeGreaterThan(1);
    await scene.redis.send('DEL', LOG);
    await scene.beginLog(Date.now() - 3_600_000);
    for (const fields of [...facts.toReversed(), ...facts]) {
      await scene.redis.send('XADD', LOG, '*', ...fields);
    }
    const other = await scene.join();
    expect(await statusOf(other, token)).toBe(401);
    expect(await statusOf(other, scene.signIn())).toBe(200);
  });

  it('G9 bounded: what no token can need any more leaves the log, and nothing before its time', async () => {
    scene = await FleetScene.set({ begunMsAgo: 0 });
    const lifetimeMs = 3_600_000;
    const horizonAt = Date.now() - lifetimeMs - 600_000;
    const write = (at: number, key: string): Promise<unknown> =>
      scene.redis.send('XADD', LOG, `${at}-*`, 'v', '1', 'k', 'o', 'f', key, 'x', `${at + 1}`);
    await scene.redis.send('HSET', META, 'genesis', '1');
    for (let place = 0; place < 350; place += 1) await write(horizonAt - 2_000 + place, KEY);
    const needed = Array.from({ length: 250 }, (_, place) => horizonAt + 30_000 + place);
    for (const at of needed) await write(at, KEY);

    const connect = nodeRedis(createClient, { url: scene.redis.url });
    const options = { connect, prefix: 'genauth:rev', outboxKey: undefined } as RedisLogOptions;
    const setup = setUp(options, plainContext({ maxTokenLifetimeMs: lifetimeMs }));
    const link = new RedisLink(connect, setup.clock, 2_000);
    await new Janitor(link, setup).trim();
    link.close();

    const rows = (await scene.redis.send('XRANGE', LOG, '-', '+')) as [string][];
    const left = rows.map(([id]) => Number.parseInt(id));
    expect(left.filter((at) => at > horizonAt)).toEqual(needed);
    // Redis trims in blocks of a hundred, and the newest of the old entries stays.
    expect(left.length).toBeLessThan(needed.length + 102);
    expect(left.length).toBeGreaterThan(needed.length);
    // Whoever reads it now still relies on it for every token that can be alive.
    const member = await scene.join({ module: { maxTokenLifetime: lifetimeMs } });
    expect(member.tokens.freshness().coveredSince).toBeLessThan(Date.now() - lifetimeMs);
  });

  it('G10 race: a verification that was under way when the denial arrived is refused', async () => {
    scene = await FleetScene.set();
    const here = await scene.join();
    const there = await scene.join();
    const token = scene.signIn();
    // The keys are known here, and not there.
    expect(await statusOf(here, token)).toBe(200);
    const hold = scene.genauth.hold('jwks');
    const verifying = statusOf(there, token);
    await hold.arrived;
    const arrived = new Promise((resolve) => there.tokens.revocations$.subscribe(resolve));
    await here.tokens.revoke(token);
    await arrived;
    hold.release();
    expect(await verifying).toBe(401);
  });

  it('G11 hot path: a remembered token costs no command and no call', async () => {
    scene = await FleetScene.set();
    let sent = 0;
    const connect = nodeRedis(createClient, { url: scene.redis.url });
    const counting = async (signal: AbortSignal) => {
      const connection = await connect(signal);
      const send = (args: readonly string[]): Promise<unknown> => {
        if (args[0] !== 'XREAD') sent += 1;
        return connection.send(args);
      };
      return { send, close: () => connection.close() };
    };
    const log = { connect: counting, heartbeat: 30_000, janitor: false };
    const member = await scene.join({ log, maxStaleness: 60_000 });
    const token = scene.signIn();
    await member.tokens.verify(token);
    const before = sent;
    const asked = scene.genauth.requests.count();
    for (let round = 0; round < 1_000; round += 1) await member.tokens.verify(token);
    expect(sent).toBe(before);
    expect(scene.genauth.requests.count()).toBe(asked);
  });

  it('G12 forgery: revoking a forged token reaches no other', async () => {
    const { here, there, token } = await pair();
    const [, payload = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string };
    const forged = scene.genauth.token({ ...claims }, { key: scene.genauth.foreignKey('ES256') });
    await here.tokens.revoke(forged);
    const marker = scene.signIn();
    await here.tokens.revoke(marker);
    await eventually(async () => (await statusOf(there, marker)) === 401);
    expect(await statusOf(here, token)).toBe(200);
    expect(await statusOf(there, token)).toBe(200);
  });

  it('G13 spelling: every spelling of a revoked token is refused everywhere', async () => {
    const { here, there, token } = await pair();
    await here.tokens.revoke(token);
    await eventually(async () => (await statusOf(there, token)) === 401);
    for (const spelling of [scene.genauth.respell(token), scene.genauth.malleate(token)]) {
      expect(await statusOf(here, spelling)).toBe(401);
      expect(await statusOf(there, spelling)).toBe(401);
    }
  });

  it('G14 remote: what the log took over is told to GenAuth, by whoever is left', async () => {
    scene = await FleetScene.set();
    const outbox = { secret: 'a secret of at least thirty-two characters' };
    const first = await scene.join({ log: { outbox } });
    const second = await scene.join({ log: { outbox } });
    const token = scene.signIn();
    expect(await statusOf(second, token)).toBe(200);
    await scene.genauth.goDown();
    const receipt = await first.tokens.revoke(token, {
      whenUnreachable: 'queue',
      tokenTypeHint: 'access_token',
    });
    expect(receipt).toEqual({ success: true, log: 'acknowledged', genauth: 'queued' });
    await scene.end(first);
    await scene.genauth.comeBack();
    await eventually(() => scene.genauth.revoked(token), 20_000);
    await live(second);
    expect(await statusOf(second, token)).toBe(401);
  });
});
