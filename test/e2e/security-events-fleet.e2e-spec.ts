import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { createClient } from 'redis';

import type { GenAuthModuleOptions } from '../../src/index.js';
import {
  type NewsMessage,
  SecurityEventsModule,
  type TransmitterOptions,
} from '../../src/doors.js';
import { nodeRedis, redisRevocationLog } from '../../src/redis.js';
import { FakeTransmitter } from '../../src/testing.js';
import { startDoorApp } from '../harness/door-app.js';
import { FleetScene, LOG, MAX_STALENESS } from '../harness/fleet-scene.js';
import { platforms } from '../harness/guarded-app.js';
import { eventually, type NestApp } from '../harness/nest-app.js';
import { statusOf } from '../harness/signals-scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

const PATH = '/security-events';

describeWithRedis('Security events in a fleet', () => {
  let scene: FleetScene;
  let transmitter: FakeTransmitter;
  const apps: NestApp[] = [];
  const news: NewsMessage[] = [];
  const note = (message: unknown): void => void news.push(message as NewsMessage);

  beforeAll(async () => {
    subscribe('genauth:news', note);
    scene = await FleetScene.set();
    transmitter = await FakeTransmitter.start();
    const poll = { endpoint: transmitter.pollEndpoint, interval: 100 };
    for (const more of [{ poll }, { poll }, {}]) apps.push(await join(more));
    await eventually('all are live', () =>
      apps.every(({ tokens }) => tokens.freshness().state === 'live'),
    );
  });
  afterAll(async () => {
    unsubscribe('genauth:news', note);
    await Promise.all(apps.map((app) => app.close()));
    await Promise.all([scene.close(), transmitter.stop()]);
  });

  const join = (more: Partial<TransmitterOptions>): Promise<NestApp> => {
    const connect = nodeRedis(createClient, { url: scene.redis.url });
    const log = redisRevocationLog({ connect, heartbeat: 100, rpcTimeout: 300, ackTimeout: 1_000 });
    const options = {
      ...scene.genauth.application.options(),
      algorithms: ['ES256'],
      revocation: { log, maxStaleness: MAX_STALENESS, whenStale: 'refuse' },
    } as GenAuthModuleOptions;
    const door = SecurityEventsModule.forRoot({ ...transmitter.options(), ...more });
    return startDoorApp(options, [door], { platform: platforms[apps.length % 2] ?? 'express' });
  };

  const statuses = (token: string) => Promise.all(apps.map((app) => statusOf(app, token)));
  const told = (sub: string) =>
    transmitter.set(
      { 'account-disabled': {} },
      { subject: { format: 'iss_sub', iss: scene.genauth.application.issuer, sub } },
    );
  /** A token that is older than the second of what happens next. */
  const olderToken = async (sub: string): Promise<string> => {
    const token = scene.genauth.signIn({ sub, scope: 'openid' }).access_token;
    const from = Date.now();
    await eventually('two seconds are over', () => Date.now() >= from + 2_100);
    return token;
  };

  it('that are pushed to one process are refused by all, within the bound', async () => {
    const token = await olderToken('ada');
    expect(await statuses(token)).toEqual([200, 200, 200]);
    const [pushed] = apps;
    expect((await transmitter.push(pushed?.url + PATH, told('ada'))).status).toBe(202);
    await eventually(
      'all refuse it',
      async () => (await statuses(token)).join() === '401,401,401',
      MAX_STALENESS,
    );
  });

  it('count once, whichever process they come to again', async () => {
    const set = told('bob');
    news.length = 0;
    for (const app of apps) {
      expect((await transmitter.push(app.url + PATH, set)).status).toBe(202);
      const length = String(await scene.redis.send('XLEN', LOG));
      await eventually('the others have read', async () => {
        const { status } = await transmitter.push(app.url + PATH, set);
        return status === 202 && String(await scene.redis.send('XLEN', LOG)) === length;
      });
      const from = Date.now();
      await eventually('two heartbeats are over', () => Date.now() > from + 250);
    }
    expect(news.filter(({ outcome }) => outcome === 'taken')).toHaveLength(1);
    expect(news.filter(({ outcome }) => outcome === 'repeated').length).toBeGreaterThanOrEqual(5);
  });

  it('are polled by several processes without harm: each is acknowledged, and all refuse', async () => {
    const users = ['eve', 'fay', 'gil', 'hal'];
    const tokens = await Promise.all(users.map(olderToken));
    const jtis = users.map((sub) => transmitter.queue(told(sub)));
    await eventually('all are acknowledged', () => transmitter.waiting.length === 0);
    expect(new Set(transmitter.acknowledged)).toEqual(new Set(jtis));
    await eventually(
      'all refuse them',
      async () =>
        (await Promise.all(tokens.map(statuses))).flat().every((status) => status === 401),
      MAX_STALENESS,
    );
  });

  it('are told again when Redis is away: 503, no acknowledgement, and nothing of them is lost', async () => {
    const [first, second] = await Promise.all(['ida', 'joe'].map(olderToken));
    scene.redis.freeze();
    const [app] = apps;
    const pushed = told('ida');
    const answer = await transmitter.push(app?.url + PATH, pushed);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
    const jti = transmitter.queue(told('joe'));
    const polls = transmitter.count('poll');
    await eventually('it was fetched', () => transmitter.count('poll') > polls + 2);
    expect(transmitter.waiting).toEqual([jti]);
    scene.redis.thaw();
    await eventually('it is acknowledged', () => transmitter.waiting.length === 0);
    await eventually(
      'the next push is taken',
      async () => (await transmitter.push(app?.url + PATH, pushed)).status === 202,
    );
    await eventually('all refuse them', async () => {
      const all = await Promise.all([first, second].map((token) => statuses(token ?? '')));
      return all.flat().every((status) => status === 401);
    });
  });

  it('leave nothing of themselves in Redis', async () => {
    const secret = 'zoe-the-secret-subject';
    const set = transmitter.set(
      { 'account-disabled': {} },
      {
        subject: { format: 'iss_sub', iss: scene.genauth.application.issuer, sub: secret },
        claims: { jti: `${secret}-jti` },
      },
    );
    const [app] = apps;
    expect((await transmitter.push(app?.url + PATH, set)).status).toBe(202);
    const entries = JSON.stringify(await scene.redis.send('XRANGE', LOG, '-', '+'));
    expect(entries.length).toBeGreaterThan(100);
    expect(entries).not.toContain('zoe');
    expect(entries).not.toContain('account-disabled');
  });
});
