import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { createClient } from 'redis';

import type { RevocationLog } from '../../src/index.js';
import { natsJs, natsRevocationLog } from '../../src/nats.js';
import { ioredis, nodeRedis, redisRevocationLog, type RedisConnect } from '../../src/redis.js';
import { NatsServer } from './nats-server.js';
import { RedisServer } from './redis-server.js';
import { describeWithNats, describeWithRedis } from './with-servers.js';

/** A server that holds a log. */
export interface LogServer {
  readonly port: number;
  restart(): Promise<void>;
  kill(): Promise<void>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** What differs from one kind of log to the next. */
export interface LogKind {
  readonly name: string;
  readonly describe: (name: string, cases: () => void) => void;
  /** Starts a server that keeps what it acknowledged. */
  start(): Promise<LogServer>;
  /** A log that connects to this port of the machine. */
  logAt(port: number): RevocationLog;
  /** Everything on the server is gone. */
  wipe(server: LogServer): Promise<unknown>;
  /** Writes what only a later version understands, and what nobody needs after that instant. */
  writeUnreadable(server: LogServer, untilAt: number): Promise<unknown>;
}

const SHORT = { heartbeat: 100, rpcTimeout: 500, ackTimeout: 1_500 };
const DURABLE = ['--appendonly', 'yes', '--appendfsync', 'always'];

function redisKind(name: string, connectTo: (port: number) => RedisConnect): LogKind {
  return {
    name,
    describe: describeWithRedis,
    start: () => RedisServer.start({ args: DURABLE }),
    logAt: (port) => redisRevocationLog({ connect: connectTo(port), ...SHORT }),
    wipe: (server) => (server as RedisServer).send('FLUSHALL'),
    writeUnreadable(server, untilAt) {
      const fields = ['v', '2', 'x', `${untilAt}`];
      return (server as RedisServer).send('XADD', '{genauth:rev}:log', '*', ...fields);
    },
  };
}

const nats: LogKind = {
  name: 'NATS JetStream',
  describe: describeWithNats,
  start: () => NatsServer.start(),
  logAt(port) {
    const options = { servers: `127.0.0.1:${port}` };
    return natsRevocationLog({ connect: natsJs(connect, options), ...SHORT });
  },
  wipe: (server) => (server as NatsServer).asAdmin(({ streams }) => streams.delete('genauth-rev')),
  writeUnreadable: (server, untilAt) =>
    (server as NatsServer).use((connection) =>
      connection.request('genauth-rev.log.later', `v 2 x ${untilAt}`),
    ),
};

/** Every log that a fleet can share. */
export const logKinds: readonly LogKind[] = [
  redisKind('Redis, through node-redis', (port) =>
    nodeRedis(createClient, { url: `redis://127.0.0.1:${port}` }),
  ),
  redisKind('Redis, through ioredis', (port) => ioredis(Redis, { port, host: '127.0.0.1' })),
  nats,
];
