import type { Row } from './stream-id.js';

/** What one atomic look at the server shows. */
export interface ServerState {
  /** Its clock, epoch milliseconds. */
  readonly now: number;
  readonly isMaster: boolean;
  readonly replicationId: string;
  /** Replicas that are connected and have answered lately. */
  readonly replicas: number;
  /** When the log was begun; null on a server that knows nothing of it. */
  readonly genesis: string | null;
  readonly stream: StreamState;
  /** The entries after the cursor. */
  readonly rows: readonly Row[];
}

/** The log's stream; without entries, and as if nothing was ever added, when there is none. */
export interface StreamState {
  readonly lastId: string;
  readonly firstId: string | undefined;
  readonly length: number;
  /** Entries ever added, also those that are gone. */
  readonly added: number;
  readonly newestDeletedId: string;
}

const NO_STREAM: StreamState = {
  lastId: '0-0',
  firstId: undefined,
  length: 0,
  added: 0,
  newestDeletedId: '0-0',
};

/**
 * Reads the replies to TIME, INFO replication, HGET genesis, XINFO STREAM and XRANGE.
 *
 * @throws {Error} any of them is an error: a transaction resolves although its commands failed
 */
export function readState(replies: readonly unknown[], mostLagSeconds: number): ServerState {
  const [time, info, genesis, stream, rows] = replies;
  for (const reply of [time, info, genesis, rows]) {
    if (reply instanceof Error) throw reply;
  }
  const replication = readInfo(String(info));
  return {
    now: instantOfTime(time),
    isMaster: replication.get('role') === 'master',
    replicationId: replication.get('master_replid') ?? '',
    replicas: replicasIn(replication, mostLagSeconds),
    genesis: typeof genesis === 'string' ? genesis : null,
    stream: readStream(stream),
    rows: rows as readonly Row[],
  };
}

/** The reply to TIME, in milliseconds; rounded down. */
export function instantOfTime(reply: unknown): number {
  const [seconds, micros] = reply as readonly [string, string];
  return Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
}

/** The reply to INFO: lines of `name:value`. */
export function readInfo(text: string): ReadonlyMap<string, string> {
  const lines = text.split('\r\n').map((line) => line.split(/:(.*)/s));
  return new Map(lines.map(([name = '', value = '']) => [name, value]));
}

function replicasIn(replication: ReadonlyMap<string, string>, mostLagSeconds: number): number {
  return [...replication].filter(([name, value]) => {
    if (!/^slave\d+$/.test(name) || !value.includes('state=online')) return false;
    const lag = /lag=(\d+)/.exec(value);
    return lag !== null && Number(lag[1]) <= mostLagSeconds;
  }).length;
}

/** The reply to XINFO STREAM. */
export function readStream(reply: unknown): StreamState {
  if (reply instanceof Error) {
    if (/no such key/i.test(reply.message)) return NO_STREAM;
    throw reply;
  }
  const list = reply as readonly unknown[];
  const fields = new Map<unknown, unknown>();
  for (let at = 0; at + 1 < list.length; at += 2) fields.set(list[at], list[at + 1]);
  const added = fields.get('entries-added');
  if (added === undefined) throw new Error('the log needs Redis 7 or newer');
  const first = fields.get('first-entry') as Row | null;
  return {
    lastId: String(fields.get('last-generated-id')),
    firstId: first?.[0],
    length: Number(fields.get('length')),
    added: Number(added),
    newestDeletedId: String(fields.get('max-deleted-entry-id')),
  };
}
