import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createClient } from 'redis';

import type { AlarmMessage, RevocationLog } from '../../src/index.js';
import { nodeRedis, redisRevocationLog } from '../../src/redis.js';
import { plainContext, tombstone } from '../harness/plain-context.js';
import { RedisServer } from '../harness/redis-server.js';
import { eventually } from '../harness/scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

const OUTBOX = '{genauth:rev}:outbox';
const HOUR_MS = 3_600_000;

let server: RedisServer;
let log: RevocationLog;
let delivered: string[];
let alarms: string[];
/** What is to be said when an errand is run; it is tried again when that rejects. */
let deliver: (errand: string) => Promise<void>;
const listen = (message: unknown): void => void alarms.push((message as AlarmMessage).alarm);

async function start(
  secret = 'a secret of at least thirty-two characters',
): Promise<RevocationLog> {
  const started = redisRevocationLog({
    connect: nodeRedis(createClient, { url: server.url }),
    heartbeat: 20,
    outbox: { secret },
  });
  await started.start(plainContext({ deliver: (errand) => deliver(errand) }));
  return started;
}

beforeEach(async () => {
  delivered = [];
  alarms = [];
  deliver = async (errand) => void delivered.push(errand);
  subscribe('genauth:alarm', listen);
  server = await RedisServer.start();
  log = await start();
});

afterEach(async () => {
  unsubscribe('genauth:alarm', listen);
  await log.stop();
  await server.stop();
});

function leave(text: string, dueInMs = HOUR_MS): Promise<void> {
  return log.append([tombstone()], { text, dueUntilAt: Date.now() + dueInMs });
}

function left(): Promise<unknown> {
  return server.send('XLEN', OUTBOX);
}

describeWithRedis('An errand in the outbox on Redis', () => {
  it('is run once by one of the processes, and is gone', async () => {
    const other = await start();
    try {
      await leave('tell GenAuth');
      await eventually(() => delivered.length > 0);
      await eventually(async () => (await left()) === 0);
      expect(delivered).toEqual(['tell GenAuth']);
    } finally {
      await other.stop();
    }
  });

  it('is run although those before it fail again and again', async () => {
    deliver = (errand) =>
      errand === 'late'
        ? Promise.resolve(void delivered.push(errand))
        : Promise.reject(new Error());
    for (let place = 0; place < 12; place += 1) await leave(`early ${place}`);
    await leave('late');
    await eventually(() => delivered.length > 0, 20_000);
    expect(await left()).toBe(12);
  });

  it('that only another secret opens is left to whoever has that one, with an alarm', async () => {
    await log.stop();
    log = await start('another secret of thirty-two characters and more');
    await leave('for those who can read it');
    await log.stop();
    log = await start();
    await eventually(() => alarms.includes('errand_failed'));
    expect(await left()).toBe(1);
    expect(delivered).toEqual([]);
    const other = await start('another secret of thirty-two characters and more');
    try {
      await eventually(() => delivered.length > 0, 20_000);
    } finally {
      await other.stop();
    }
  });

  it('that nobody is served by any more is dropped', async () => {
    deliver = () => Promise.reject(new Error('down'));
    await leave('too late', -1);
    await eventually(async () => (await left()) === 0);
  });

  it('survives a wiped outbox: it begins anew', async () => {
    await leave('one');
    await eventually(() => delivered.length === 1);
    await server.send('DEL', OUTBOX);
    await leave('two');
    await eventually(() => delivered.length === 2, 20_000);
  });
});
