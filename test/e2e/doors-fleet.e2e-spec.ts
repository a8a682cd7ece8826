import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createClient } from 'redis';

import { BackchannelLogoutModule, GenAuthWebhookModule } from '../../src/doors.js';
import type { GenAuthModuleOptions } from '../../src/index.js';
import { nodeRedis, redisRevocationLog } from '../../src/redis.js';
import type { Delivery } from '../../src/testing.js';
import { type DoorApp, startDoorApp } from '../harness/door-app.js';
import { FleetScene, LOG, MAX_STALENESS } from '../harness/fleet-scene.js';
import type { Platform } from '../harness/guarded-app.js';
import { eventually } from '../harness/scene.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { describeWithRedis } from '../harness/with-servers.js';

const SECRET = 'a-secret-of-32-characters-or-so.';
const MINUTE_S = 60;

let fleet: FleetScene;
let line: TcpProxy;
/** On Express and on Fastify; the first one reaches Redis through the line. */
let here: DoorApp;
let there: DoorApp;

async function join(platform: Platform, port: number): Promise<DoorApp> {
  const url = `redis://127.0.0.1:${port}`;
  const log = redisRevocationLog({
    connect: nodeRedis(createClient, { url }),
    heartbeat: 100,
    rpcTimeout: 500,
    ackTimeout: 1_000,
  });
  const options = {
    ...fleet.genauth.application.options(),
    algorithms: ['ES256'],
    revocation: { log, maxStaleness: MAX_STALENESS, whenStale: 'refuse' },
  } as GenAuthModuleOptions;
  const doors = [
    BackchannelLogoutModule.forRoot(),
    GenAuthWebhookModule.forRoot({ secret: SECRET }),
  ];
  const app = await startDoorApp(options, doors, { platform });
  await app.tokens.ready();
  return app;
}

/** A token that was issued a minute ago. */
function signIn(sub: string, sid?: string): string {
  const iat = Math.floor(Date.now() / 1_000) - MINUTE_S;
  return fleet.genauth.signIn({ sub, scope: 'openid', claims: { sid, iat } }).access_token;
}

const doors = {
  logout: (app: DoorApp, sub: string, sid: string): Promise<Delivery> =>
    fleet.genauth.sendLogoutToken(app.at('backchannel-logout'), { sub, sid, jti: `jti-${sub}` }),
  webhook: (app: DoorApp, sub: string): Promise<Delivery> =>
    fleet.genauth.sendWebhook(
      app.at('hooks/genauth'),
      'kick',
      { users: [sub] },
      { secret: SECRET },
    ),
};

describeWithRedis('News that arrive at one of two applications on one Redis', () => {
  beforeEach(async () => {
    fleet = await FleetScene.set();
    line = await TcpProxy.start(fleet.redis.port);
    here = await join('express', line.port);
    there = await join('fastify', fleet.redis.port);
  });

  afterEach(async () => {
    await Promise.all([here.close(), there.close()]);
    await line.stop();
    await fleet.close();
  });

  it.each(['logout', 'webhook'] as const)('by %s end the tokens at both', async (door) => {
    const [token, bystander] = [signIn('ada', 's1'), signIn('bob', 's2')];
    expect(await Promise.all([here, there].map((app) => app.statusOf(token)))).toEqual([200, 200]);
    expect((await doors[door](here, 'ada', 's1')).status).toBe(200);
    expect(await here.statusOf(token)).toBe(401);
    await eventually(async () => (await there.statusOf(token)) === 401, MAX_STALENESS);
    expect(await there.statusOf(bystander)).toBe(200);
  });

  it('by logout count once, whichever hears them again', async () => {
    const logoutToken = fleet.genauth.logoutToken({ sub: 'ada', sid: 's1' });
    const send = async (app: DoorApp) => {
      const body = new URLSearchParams({ logout_token: logoutToken });
      return (await fetch(app.at('backchannel-logout'), { method: 'POST', body })).status;
    };
    expect(await send(here)).toBe(200);
    await eventually(async () => (await send(there)) === 400, MAX_STALENESS);
    expect(await send(here)).toBe(400);
  });

  it.each(['logout', 'webhook'] as const)(
    'by %s while Redis is out of reach are to come again, and then end the tokens at both',
    async (door) => {
      const token = signIn('ada', 's1');
      expect(await there.statusOf(token)).toBe(200);
      line.silence();
      const answer = await doors[door](here, 'ada', 's1');
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await here.statusOf(token)).not.toBe(200);
      line.accept();
      await eventually(async () => (await doors[door](here, 'ada', 's1')).status === 200, 15_000);
      await eventually(async () => (await there.statusOf(token)) === 401, MAX_STALENESS);
      expect(await here.statusOf(token)).toBe(401);
    },
  );

  it('leave nothing of what they said in Redis', async () => {
    await doors.logout(here, 'sub-of-ada', 'sid-of-ada');
    await doors.webhook(here, 'id-of-ada');
    const log = JSON.stringify(await fleet.redis.send('XRANGE', LOG, '-', '+'));
    expect(log.match(/"k"/g)!.length).toBeGreaterThan(3);
    expect(log).not.toContain('of-ada');
  });
});
