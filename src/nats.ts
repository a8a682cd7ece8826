import { GenAuthOptionsError } from './core/errors.js';
import { isJsonObject } from './core/json.js';
import type { RevocationLog } from './core/revocation-log.js';
import { OptionReader } from './option-reader.js';
import type { NatsConnect } from './revocation/nats/nats-connection.js';
import type { NatsLogOptions } from './revocation/nats/log-setup.js';
import { NatsRevocationLog } from './revocation/nats/nats-revocation-log.js';

export { natsJs } from './revocation/nats/nats-js.js';
export type { NatsConnect, NatsConnection, NatsReply } from './revocation/nats/nats-connection.js';

/** Options of `natsRevocationLog`. Durations are milliseconds; all but `connect` are the same for the whole fleet. */
export interface NatsRevocationLogOptions {
  /** Opens a connection: `natsJs(connect, { servers })`, or your own. */
  connect: NatsConnect;
  /** Name of the stream, and first part of its subjects. @default 'genauth-rev' */
  stream?: string;
  /** Domain of JetStream, where it is not that of the server one connects to. @default none */
  domain?: string;
  /** Servers that keep the stream: 1, 3 or 5. A stream on fewer is refused. @default 1 */
  replicas?: number;
  /** How often to prove that everything was read. @default 2_000 */
  heartbeat?: number;
  /** Limit of every exchange with NATS, connecting included. @default 1_000 */
  rpcTimeout?: number;
  /** When `append` gives up waiting; it is still tried again. @default 2_000 */
  ackTimeout?: number;
}

/**
 * Revocations shared by a fleet: a `RevocationLog` on a stream of NATS JetStream 2.9 or newer.
 *
 * What it acknowledged holds in every process within `revocation.maxStaleness`, or the process knows that
 * it is stale and acts by `revocation.whenStale`. Serves one application; call it again for another. Keeps
 * no errands: `revoke` with `whenUnreachable: 'queue'` rejects.
 *
 * @example
 * GenAuthModule.forRoot({ appId, appSecret, appHost, revocation: {
 *   log: natsRevocationLog({ connect: natsJs(connect, { servers: process.env['NATS_URL'] }) }),
 * } })
 * @throws {GenAuthOptionsError} with one sentence for each option at fault
 */
export function natsRevocationLog(options: NatsRevocationLogOptions): RevocationLog {
  return new NatsRevocationLog(resolveNatsOptions(options));
}

const MINUTE = 60_000;

function resolveNatsOptions(options: NatsRevocationLogOptions): NatsLogOptions {
  const faults: string[] = [];
  if (!isJsonObject(options)) {
    throw new GenAuthOptionsError(['natsRevocationLog needs an object with at least connect']);
  }
  const read = new OptionReader(options, '', faults);
  const resolved = {
    connect: read.callable<NatsConnect>('connect', 'natsJs(connect, { servers }), for example'),
    stream: read.text('stream', 'genauth-rev'),
    domain: read.has('domain') ? read.text('domain') : '',
    replicas: read.integer('replicas', 1, 1, 5),
    heartbeatMs: read.integer('heartbeat', 2_000, 10, MINUTE),
    rpcTimeoutMs: read.integer('rpcTimeout', 1_000, 10, MINUTE),
    ackTimeoutMs: read.integer('ackTimeout', 2_000, 10, 10 * MINUTE),
  };
  for (const name of ['stream', 'domain'] as const) {
    if (!/^[\w-]*$/.test(resolved[name])) {
      faults.push(`${name} may hold letters, digits, '-' and '_' only`);
    }
  }
  read.refuseUnknown();
  if (faults.length > 0) throw new GenAuthOptionsError(faults);
  return Object.freeze(resolved);
}
