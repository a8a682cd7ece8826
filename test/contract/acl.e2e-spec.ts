import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

import type { Revocation, RevocationLog } from '../../src/index.js';
import {
  ioredis,
  nodeRedis,
  redisRevocationLog,
  type RedisConnect,
  type RedisRevocationLogOptions,
} from '../../src/redis.js';
import { Janitor } from '../../src/revocation/redis/janitor.js';
import { setUp } from '../../src/revocation/redis/log-setup.js';
import { RedisLink } from '../../src/revocation/redis/redis-link.js';
import { plainContext, tombstone } from '../harness/plain-context.js';
import { RedisServer } from '../harness/redis-server.js';
import { eventually } from '../harness/scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

/** The rights that the documents ask for. */
const CONNECTING = ['auth', 'hello', 'ping'];
const LOG = 'multi exec info time xadd xrange xrevrange xread xinfo|stream hget hsetnx wait';
const JANITOR = 'xtrim';
const OUTBOX = 'xreadgroup xack xautoclaim xgroup xdel';
const KEYS = '~{genauth:rev}:*';
const SECRET = 'a secret of at least 32 characters';

const login = { username: 'app', password: 'right' };
const clients: readonly (readonly [string, (port: number) => RedisConnect])[] = [
  [
    'node-redis',
    (port) => nodeRedis(createClient, { url: `redis://127.0.0.1:${port}`, RESP: 3, ...login }),
  ],
  ['ioredis', (port) => ioredis(Redis, { port, protocol: 3, ...login })],
];

let server: RedisServer;
let lines: string[];
let logs: RevocationLog[];

const listen = (message: unknown): void => {
  const { alarm, detail } = message as { alarm: string; detail: string };
  lines.push(`${alarm}: ${detail}`);
};

async function grant(...rights: readonly string[]): Promise<void> {
  const allowed = [...CONNECTING, ...rights].map((right) => `+${right}`);
  await server.send('ACL', 'SETUSER', 'app', 'reset', 'on', '>right', KEYS, '-@all', ...allowed);
}

const rightsIn = (...lists: readonly string[]): string[] =>
  lists.flatMap((list) => list.split(' '));

function logWith(
  connect: RedisConnect,
  options: Partial<RedisRevocationLogOptions> = {},
): RevocationLog {
  const log = redisRevocationLog({ connect, heartbeat: 50, janitor: false, ...options });
  logs.push(log);
  return log;
}

function setupWith(connect: RedisConnect) {
  const options = { connect, prefix: 'genauth:rev', rpcTimeoutMs: 1_000, outboxKey: undefined };
  return setUp(options as Parameters<typeof setUp>[0], plainContext());
}

describeWithRedis('The rights that a user of Redis needs', () => {
  beforeAll(async () => {
    server = await RedisServer.start();
  });

  beforeEach(async () => {
    lines = [];
    logs = [];
    subscribe('genauth:alarm', listen);
    await server.send('FLUSHALL');
  });

  afterEach(async () => {
    unsubscribe('genauth:alarm', listen);
    await Promise.all(logs.map((log) => log.stop()));
  });

  afterAll(() => server.stop());

  describe.each(clients)('through %s', (_, connectTo) => {
    it('suffice to write and to read', async () => {
      await grant(...rightsIn(LOG));
      const [writer, reader] = [logWith(connectTo(server.port)), logWith(connectTo(server.port))];
      const seen: Revocation[] = [];
      await writer.start(plainContext());
      await reader.start(plainContext({ apply: (facts) => seen.push(...facts) }));
      const fact = tombstone();
      await writer.append([fact]);
      await eventually(() => seen.some(({ key }) => key === fact.key));
      expect(lines.filter((line) => line.includes('ACL'))).toEqual([]);
    });

    it('suffice for the outbox', async () => {
      await grant(...rightsIn(LOG, OUTBOX));
      const delivered: string[] = [];
      const log = logWith(connectTo(server.port), { outbox: { secret: SECRET } });
      const deliver = (text: string): Promise<void> => {
        delivered.push(text);
        return Promise.resolve();
      };
      await log.start(plainContext({ deliver }));
      const fact = tombstone();
      await log.append([fact], { text: 'an errand', dueUntilAt: fact.keepUntilAt });
      await eventually(() => delivered.includes('an errand'));
      await eventually(async () => (await server.send('XLEN', '{genauth:rev}:outbox')) === 0);
      expect(lines.filter((line) => line.includes('ACL'))).toEqual([]);
    });

    it('suffice for the janitor', async () => {
      await grant(...rightsIn(LOG, JANITOR));
      const setup = setupWith(connectTo(server.port));
      const link = new RedisLink(setup.connect, setup.clock, 1_000);
      for (let at = 1; at <= 300; at += 1) {
        await link.run([['XADD', setup.keys.log, `${at}-0`, 'v', '1']]);
      }
      await new Janitor(link, setup).trim();
      expect(await server.send('XLEN', setup.keys.log)).toBeLessThan(300);
      link.close();
    });

    it.each(rightsIn(LOG, OUTBOX).filter((right) => !['xrevrange', 'ping'].includes(right)))(
      'are missed with one line that names it: %s',
      async (missing) => {
        await grant(...rightsIn(LOG, OUTBOX).filter((right) => right !== missing));
        const durability = { replicas: missing === 'wait' ? 1 : 0 };
        const outbox = { secret: SECRET };
        const log = logWith(connectTo(server.port), { durability, outbox });
        const fact = tombstone();
        log.start(plainContext()).catch(() => undefined);
        log
          .append([fact], { text: 'an errand', dueUntilAt: fact.keepUntilAt })
          .catch(() => undefined);
        const [name = ''] = missing.split('|');
        const line = `log_misconfigured: the ACL of the Redis user lacks a right: grant +${name}`;
        await eventually(() => lines.some((one) => one.startsWith(line)));
      },
    );

    it('are missed with one line when the keys are others', async () => {
      await grant(...rightsIn(LOG));
      const log = logWith(connectTo(server.port), { prefix: 'other' });
      log.start(plainContext()).catch(() => undefined);
      await eventually(() => lines.some((line) => line.includes('one of its commands or keys')));
    });
  });
});
