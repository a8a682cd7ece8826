import type { RevocationLogContext } from '../../core/revocation-log.js';
import type { FleetSetup } from '../fleet/fleet-setup.js';
import type { NatsConnect } from './nats-connection.js';

/** The options of the log with every default filled in. */
export interface NatsLogOptions {
  readonly connect: NatsConnect;
  readonly stream: string;
  /** Of JetStream; empty for the one of the server. */
  readonly domain: string;
  readonly heartbeatMs: number;
  readonly rpcTimeoutMs: number;
  readonly ackTimeoutMs: number;
  readonly replicas: number;
}

/** The options, and what the application says when the log starts. */
export interface LogSetup extends FleetSetup, NatsLogOptions {
  /** Begins the subject of every call to JetStream itself. */
  readonly api: string;
  /** Every entry has a subject of its own below this one. */
  readonly entries: string;
  /** Holds one message, the newest. */
  readonly proofs: string;
}

export function setUp(
  options: NatsLogOptions,
  { clock, maxTokenLifetimeMs }: RevocationLogContext,
): LogSetup {
  const { stream, domain } = options;
  return {
    ...options,
    clock,
    maxTokenLifetimeMs,
    minPollGapMs: 0,
    api: domain === '' ? '$JS.API' : `$JS.${domain}.API`,
    entries: `${stream}.log`,
    proofs: `${stream}.proof`,
  };
}
