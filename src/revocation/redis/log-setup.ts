import type { RevocationLogContext } from '../../core/revocation-log.js';
import type { FleetSetup } from '../fleet/fleet-setup.js';
import type { RedisConnect } from './redis-connection.js';

/** The options of the log with every default filled in. */
export interface RedisLogOptions {
  readonly connect: RedisConnect;
  readonly prefix: string;
  readonly heartbeatMs: number;
  readonly rpcTimeoutMs: number;
  readonly minPollGapMs: number;
  readonly overlapMs: number;
  readonly ackTimeoutMs: number;
  readonly replicas: number;
  readonly replicaLagMs: number;
  readonly janitor: boolean;
  /** 32 bytes; without it no errands are kept. */
  readonly outboxKey: Uint8Array | undefined;
}

/** The options, and what the application says when the log starts. */
export interface LogSetup extends FleetSetup, RedisLogOptions {
  readonly keys: LogKeys;
}

/** The keys in Redis. The braces keep them in one slot of a cluster. */
export interface LogKeys {
  readonly log: string;
  readonly meta: string;
  readonly outbox: string;
}

export function setUp(
  options: RedisLogOptions,
  { clock, maxTokenLifetimeMs }: RevocationLogContext,
): LogSetup {
  const key = (name: string): string => `{${options.prefix}}:${name}`;
  const keys = { log: key('log'), meta: key('meta'), outbox: key('outbox') };
  return { ...options, clock, maxTokenLifetimeMs, keys };
}
