import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

import { ioredis, nodeRedis, type RedisConnect, type RedisConnection } from '../../src/redis.js';
import { RedisServer } from '../harness/redis-server.js';
import { eventually } from '../harness/scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

interface Login {
  readonly username?: string;
  readonly password?: string;
}

/** Every way a connection is made. */
const sides: readonly (readonly [string, (port: number, login?: Login) => RedisConnect])[] = [
  ['node-redis, RESP2', (port, login) => viaNodeRedis(2, port, login)],
  ['node-redis, RESP3', (port, login) => viaNodeRedis(3, port, login)],
  ['ioredis, RESP2', (port, login) => ioredis(Redis, { port, protocol: 2, ...login })],
  ['ioredis, RESP3', (port, login) => ioredis(Redis, { port, protocol: 3, ...login })],
];

function viaNodeRedis(RESP: 2 | 3, port: number, login: Login = {}): RedisConnect {
  return nodeRedis(createClient, { url: `redis://127.0.0.1:${port}`, RESP, ...login });
}

function open(connect: RedisConnect): Promise<RedisConnection> {
  return Promise.resolve(connect(new AbortController().signal));
}

/** The commands of a transaction, and what became of them. */
async function transact(
  connection: RedisConnection,
  ...commands: readonly (readonly string[])[]
): Promise<readonly unknown[]> {
  const all = [['MULTI'], ...commands, ['EXEC']].map((command) => connection.send(command));
  return (await Promise.all(all)).at(-1) as readonly unknown[];
}

describeWithRedis('A connection to Redis', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await RedisServer.start();
  });

  afterAll(() => server.stop());

  describe.each(sides)('through %s', (_, connectTo) => {
    async function use(work: (connection: RedisConnection) => Promise<void>): Promise<void> {
      await server.send('FLUSHALL');
      const connection = await open(connectTo(server.port));
      try {
        await work(connection);
      } finally {
        connection.close();
      }
    }

    it('gives raw replies: strings, numbers, null, and arrays of these', () =>
      use(async (connection) => {
        const send = (...args: string[]): Promise<unknown> => connection.send(args);
        expect(await send('TIME')).toEqual([
          expect.stringMatching(/^\d+$/),
          expect.stringMatching(/^\d+$/),
        ]);
        expect(await send('INFO', 'replication')).toMatch(/role:master\r\n/);
        expect(await send('HGET', 'h', 'f')).toBeNull();
        expect(await send('HSETNX', 'h', 'f', '1')).toBe(1);
        expect(await send('HSETNX', 'h', 'f', '2')).toBe(0);
        expect(await send('HGET', 'h', 'f')).toBe('1');
        expect(await send('XADD', 's', '1-1', 'a', 'b', 'c', 'd')).toBe('1-1');
        const row = ['1-1', ['a', 'b', 'c', 'd']];
        expect(await send('XRANGE', 's', '(0-0', '+', 'COUNT', '10')).toEqual([row]);
        expect(await send('XRANGE', 's', '(1-1', '+', 'COUNT', '10')).toEqual([]);
        expect(await send('XREVRANGE', 's', '+', '-', 'COUNT', '1')).toEqual([row]);
        expect(await send('WAIT', '0', '100')).toBe(0);
        expect(await send('XTRIM', 's', 'MINID', '~', '1-0', 'LIMIT', '10')).toBe(0);
      }));

    it('gives maps as names and values in turn', () =>
      use(async (connection) => {
        await connection.send(['XADD', 's', '1-1', 'a', 'b']);
        const state = (await connection.send(['XINFO', 'STREAM', 's'])) as unknown[];
        const at = (name: string): unknown => state[state.indexOf(name) + 1];
        expect(at('length')).toBe(1);
        expect(at('entries-added')).toBe(1);
        expect(at('last-generated-id')).toBe('1-1');
        expect(at('first-entry')).toEqual(['1-1', ['a', 'b']]);
      }));

    it('waits for news, and says null when there is none', () =>
      use(async (connection) => {
        const read = ['XREAD', 'COUNT', '1', 'BLOCK', '30', 'STREAMS', 's', '0-0'];
        expect(await connection.send(read)).toBeNull();
        const reading = connection.send(read.with(4, '10000'));
        await server.send('XADD', 's', '1-1', 'a', 'b');
        expect(JSON.stringify(await reading)).toContain('["1-1",["a","b"]]');
      }));

    it('keeps a group of consumers', () =>
      use(async (connection) => {
        const send = (...args: string[]): Promise<unknown> => connection.send(args);
        expect(await send('XGROUP', 'CREATE', 'o', 'g', '0', 'MKSTREAM')).toBe('OK');
        await expect(send('XGROUP', 'CREATE', 'o', 'g', '0')).rejects.toThrow('BUSYGROUP');
        await send('XADD', 'o', '1-1', 'a', 'b');
        const read = ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', 'o', '>'];
        expect(JSON.stringify(await connection.send(read))).toContain('["1-1",["a","b"]]');
        const claimed = await send('XAUTOCLAIM', 'o', 'g', 'c', '0', '0-0', 'COUNT', '8');
        expect(claimed).toEqual(['0-0', [['1-1', ['a', 'b']]], []]);
        expect(await send('XACK', 'o', 'g', '1-1')).toBe(1);
        expect(await send('XDEL', 'o', '1-1')).toBe(1);
      }));

    it('leaves the errors of a transaction in their places', () =>
      use(async (connection) => {
        await connection.send(['HSETNX', 'h', 'f', '1']);
        const replies = await transact(
          connection,
          ['XADD', 's', '1-1', 'a', 'b'],
          ['XADD', 'h', '*', 'a', 'b'],
          ['HGET', 'h', 'f'],
        );
        expect(replies).toEqual(['1-1', expect.any(Error), '1']);
        expect(String(replies[1])).toContain('WRONGTYPE');
      }));

    it('rejects with what Redis says', () =>
      use(async (connection) => {
        await connection.send(['HSETNX', 'h', 'f', '1']);
        await expect(connection.send(['XADD', 'h', '*', 'a', 'b'])).rejects.toThrow('WRONGTYPE');
        const sends = [['MULTI'], ['NOSUCHCOMMAND'], ['EXEC']].map((one) => connection.send(one));
        const [, , end] = await Promise.allSettled(sends);
        expect(end).toMatchObject({ status: 'rejected' });
        expect(await connection.send(['HGET', 'h', 'f'])).toBe('1');
      }));

    it('sends in the order of the calls, without waiting', () =>
      use(async (connection) => {
        const sends = Array.from({ length: 500 }, (_, place) =>
          connection.send(['XADD', 's', `1-${place + 1}`, 'a', `${place}`]),
        );
        const ids = await Promise.all(sends);
        expect(ids).toEqual(Array.from({ length: 500 }, (_, place) => `1-${place + 1}`));
      }));

    it('may be closed twice, and rejects what is under way and what comes later', async () => {
      const connection = await open(connectTo(server.port));
      const reading = connection.send(['XREAD', 'BLOCK', '0', 'STREAMS', 'nothing', '0-0']);
      connection.close();
      connection.close();
      await expect(reading).rejects.toThrow(/./);
      await expect(connection.send(['TIME'])).rejects.toThrow(/./);
    });

    it('is dead once it was lost, and is not made again', async () => {
      const other = await RedisServer.start();
      try {
        const connection = await open(connectTo(other.port));
        const reading = connection.send(['XREAD', 'BLOCK', '0', 'STREAMS', 'nothing', '0-0']);
        await Promise.all([expect(reading).rejects.toThrow(/./), other.kill()]);
        await other.restart();
        await expect(connection.send(['TIME'])).rejects.toThrow(/./);
        expect(await clientsOf(other)).toBe(1);
        connection.close();
      } finally {
        await other.stop();
      }
    });

    it('rejects when there is no server', async () => {
      const other = await RedisServer.start();
      await other.stop();
      await expect(open(connectTo(other.port))).rejects.toThrow(/./);
    });

    it('rejects when the password is wrong', async () => {
      const other = await RedisServer.start({ args: ['--requirepass', 'right'] });
      const connect = connectTo(other.port, { password: 'wrong' });
      try {
        await expect(open(connect).then((connection) => connection.send(['TIME']))).rejects.toThrow(
          /WRONGPASS|NOAUTH/,
        );
      } finally {
        await other.stop();
      }
    });

    it('leaves nothing behind when nobody waits for a server that says nothing', async () => {
      const sockets = new Set<Socket>();
      const mute = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
        socket.resume();
      }).listen(0, '127.0.0.1');
      await once(mute, 'listening');
      const abort = new AbortController();
      const connect = connectTo((mute.address() as AddressInfo).port);
      const connecting = Promise.resolve(connect(abort.signal)).catch(() => undefined);
      await eventually(() => sockets.size > 0);
      abort.abort();
      await eventually(() => sockets.size === 0);
      await connecting;
      mute.close();
    });
  });
});

/** Connections to the server, that of the question among them. */
async function clientsOf(server: RedisServer): Promise<number> {
  return String(await server.send('CLIENT', 'LIST'))
    .trim()
    .split('\n').length;
}
