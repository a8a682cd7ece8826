import { hash } from 'node:crypto';

import { GenAuthOptionsError } from './core/errors.js';
import { isJsonObject } from './core/json.js';
import type { RevocationLog } from './core/revocation-log.js';
import { OptionReader } from './option-reader.js';
import type { RedisConnect } from './revocation/redis/redis-connection.js';
import type { RedisLogOptions } from './revocation/redis/log-setup.js';
import { RedisRevocationLog } from './revocation/redis/redis-revocation-log.js';

export { ioredis } from './revocation/redis/ioredis.js';
export { nodeRedis } from './revocation/redis/node-redis.js';
export type { RedisConnect, RedisConnection } from './revocation/redis/redis-connection.js';

/** Options of `redisRevocationLog`. Durations are milliseconds; all but `connect` are the same for the whole fleet. */
export interface RedisRevocationLogOptions {
  /** Opens a connection to the master: `nodeRedis(createClient, …)`, `ioredis(Redis, …)`, or your own. */
  connect: RedisConnect;
  /** Begins every key, in braces, so that a cluster keeps them together. @default 'genauth:rev' */
  prefix?: string;
  /** How often to prove that everything was read, when nothing rings. @default 1_000 */
  heartbeat?: number;
  /** Limit of every exchange with Redis, connecting included. @default 800 */
  rpcTimeout?: number;
  /** Least time between two proofs; raise it to 100 above a hundred processes. @default 10 */
  minPollGap?: number;
  /** How far to read again after a failover: more than the clocks of the Redis servers differ. At most 600_000. @default 300_000 */
  overlap?: number;
  /** When `append` gives up waiting; it is still tried again. @default 2_000 */
  ackTimeout?: number;
  /** How safe an acknowledged revocation is. */
  durability?: {
    /** Replicas that must confirm (WAIT) and stay connected: 1 for a pair, all of them otherwise. @default 0 */
    replicas?: number;
  };
  /** A replica that was silent for longer does not count. Redis counts whole seconds. @default 2_000 */
  replicaLag?: number;
  /** Whether this process may trim the log (XTRIM). Some process must. @default true */
  janitor?: boolean;
  /** Keeps what GenAuth could not be told, encrypted, for `revoke(…, { whenUnreachable: 'queue' })`. @default none */
  outbox?: {
    /** At least 32 characters, the same for the whole fleet. */
    secret: string | undefined;
  };
}

/**
 * Revocations shared by a fleet: a `RevocationLog` on a Redis 7 stream.
 *
 * What it acknowledged holds in every process within `revocation.maxStaleness`, or the process knows that
 * it is stale and acts by `revocation.whenStale`. Serves one application; call it again for another.
 *
 * @example
 * GenAuthModule.forRoot({ appId, appSecret, appHost, revocation: {
 *   log: redisRevocationLog({ connect: nodeRedis(createClient, { url: process.env['REDIS_URL'] }) }),
 * } })
 * @throws {GenAuthOptionsError} with one sentence for each option at fault
 */
export function redisRevocationLog(options: RedisRevocationLogOptions): RevocationLog {
  return new RedisRevocationLog(resolveRedisOptions(options));
}

const MINUTE = 60_000;
const SHORTEST_SECRET = 32;

function resolveRedisOptions(options: RedisRevocationLogOptions): RedisLogOptions {
  const faults: string[] = [];
  if (!isJsonObject(options)) {
    throw new GenAuthOptionsError(['redisRevocationLog needs an object with at least connect']);
  }
  const read = new OptionReader(options, '', faults);
  const durability = read.group('durability');
  const resolved = {
    connect: read.callable<RedisConnect>(
      'connect',
      'nodeRedis(createClient, { url }), for example',
    ),
    prefix: read.text('prefix', 'genauth:rev'),
    heartbeatMs: read.integer('heartbeat', 1_000, 10, MINUTE),
    rpcTimeoutMs: read.integer('rpcTimeout', 800, 10, MINUTE),
    minPollGapMs: read.integer('minPollGap', 10, 0, MINUTE),
    overlapMs: read.integer('overlap', 5 * MINUTE, 1_000, 10 * MINUTE),
    ackTimeoutMs: read.integer('ackTimeout', 2_000, 10, 10 * MINUTE),
    replicas: durability.integer('replicas', 0, 0, 100),
    replicaLagMs: read.integer('replicaLag', 2_000, 1_000, MINUTE),
    janitor: read.boolean('janitor', true),
    outboxKey: outboxKey(read, faults),
  };
  durability.refuseUnknown();
  read.refuseUnknown();
  if (faults.length > 0) throw new GenAuthOptionsError(faults);
  return Object.freeze(resolved);
}

function outboxKey(read: OptionReader, faults: string[]): Uint8Array | undefined {
  if (!read.has('outbox')) return undefined;
  const outbox = read.group('outbox');
  const secret = outbox.text('secret');
  outbox.refuseUnknown();
  if (secret !== '' && secret.length < SHORTEST_SECRET) {
    faults.push(`outbox.secret must have at least ${SHORTEST_SECRET} characters`);
  }
  return hash('sha256', `outbox|${secret}`, 'buffer');
}
