import { publishAlarm } from '../../core/channels.js';
import type { Revocation } from '../../core/revocation.js';
import type { Healer } from '../fleet/healer.js';
import { momentOf } from '../../core/clock.js';
import type { Lease } from '../fleet/lease.js';
import { LogFault } from '../fleet/log-fault.js';
import { markerOf, readEntry } from '../fleet/wire.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { readState, type ServerState } from './server-state.js';
import { instantOfId, isEarlier, type Row } from './stream-id.js';

/** The cursor of a reader that has read nothing. */
const BEGINNING = '0-0';
/** Entries of one look: more would keep the event loop too long. */
const PAGE = 1_000;

/**
 * Reads the log to its end, again and again, and renews the lease each time it has. It alone moves the
 * cursor, and it believes nothing but what one atomic look at a fit master shows.
 */
export class Prover {
  #cursor = BEGINNING;
  #genesis: string | undefined;
  #replicationId: string | undefined;
  #added = 0;
  /** When this process was last current. Monotonic. */
  #provenAt = -Infinity;
  /** When the log that is read was begun, by the server's clock; 0 before its marker was read. */
  #begunAt = 0;
  /** Under which master. */
  #begunTerm: string | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly lease: Lease,
    private readonly healer: Healer,
    private readonly setup: LogSetup,
    private readonly take: (facts: readonly Revocation[], isRecent: boolean) => void,
  ) {}

  /** What is after here was not read yet. For the bell. */
  get cursor(): string {
    return this.#cursor;
  }

  /** Reads to the end and renews the lease. @throws {Error} the server did not answer, or is not fit to prove anything */
  async prove(): Promise<void> {
    for (;;) {
      const sent = momentOf(this.setup.clock);
      const state = await this.#look();
      const aheadMs = this.setup.clock.wall() - state.now;
      this.#refuseUnfit(state);
      this.#takeIn(state.rows, aheadMs);
      if (this.#isReplaced(state)) this.#startOver();
      else if (this.#isRewound(state)) this.#rewind(state);
      else if (!this.#isBegun(state)) await this.#begin(state);
      else if (this.#advance(state)) {
        this.#provenAt = sent.mono;
        this.lease.renew(sent, this.#coveredSince(state) + aheadMs);
        return;
      }
    }
  }

  async #look(): Promise<ServerState> {
    const { log, meta } = this.setup.keys;
    const replies = await this.link.transact([
      ['TIME'],
      ['INFO', 'replication'],
      ['HGET', meta, 'genesis'],
      ['XINFO', 'STREAM', log],
      ['XRANGE', log, `(${this.#cursor}`, '+', 'COUNT', `${PAGE}`],
    ]);
    return readState(replies, this.setup.replicaLagMs / 1_000);
  }

  /** A master that is cut off from its replicas may have been replaced without knowing. */
  #refuseUnfit({ isMaster, replicas }: ServerState): void {
    const needed = this.setup.replicas;
    if (!isMaster) throw new LogFault('the server is a replica, and only the master can prove');
    if (replicas < needed) {
      throw new LogFault(`durability.replicas asks for ${needed}, and ${replicas} are connected`);
    }
  }

  #takeIn(rows: readonly Row[], aheadMs: number): void {
    const { maxTokenLifetimeMs, overlapMs } = this.setup;
    const facts: Revocation[] = [];
    for (const [id, fields] of rows) {
      const writtenAt = instantOfId(id) + aheadMs;
      const entry = readEntry(fields, writtenAt, maxTokenLifetimeMs);
      if (entry.is === 'fact') facts.push(entry.fact);
      else if (entry.is === 'marker') this.#noteBeginning(instantOfId(id), entry.fields.get('m'));
      else this.#distrust(entry.untilAt);
    }
    const last = rows.at(-1);
    if (!last) return;
    const isRecent = instantOfId(last[0]) + aheadMs > this.setup.clock.wall() - overlapMs;
    this.take(facts, isRecent);
  }

  #noteBeginning(at: number, term: string | undefined): void {
    if (at < this.#begunAt) return;
    this.#begunAt = at;
    this.#begunTerm = term;
  }

  #distrust(untilAt: number): void {
    this.lease.distrust(untilAt);
    publishAlarm({
      alarm: 'log_entry_unreadable',
      detail: 'the revocation log holds an entry that this version does not understand',
    });
  }

  /** Wiped, restored or deleted: what is there now is another log. */
  #isReplaced({ genesis, replicationId, stream }: ServerState): boolean {
    if (this.#genesis === undefined) return false;
    const shrunk = replicationId === this.#replicationId && stream.added < this.#added;
    return genesis !== this.#genesis || shrunk;
  }

  #startOver(): void {
    this.lease.revoke();
    this.#cursor = BEGINNING;
    this.#genesis = undefined;
    this.#replicationId = undefined;
    this.#added = 0;
    this.#begunAt = 0;
    this.#begunTerm = undefined;
    this.healer.schedule('all');
    publishAlarm({ alarm: 'log_replaced', detail: 'the revocation log was wiped or replaced' });
  }

  /** Another master may lack entries that were read from the one before, and hold others with lower ids. */
  #isRewound({ replicationId, stream }: ServerState): boolean {
    const other = this.#replicationId !== undefined && replicationId !== this.#replicationId;
    return other || isEarlier(stream.lastId, this.#cursor);
  }

  #rewind({ replicationId, stream }: ServerState): void {
    const { overlapMs, clock } = this.setup;
    const isFar = instantOfId(stream.lastId) < instantOfId(this.#cursor) - overlapMs;
    // What was read before a long outage is no longer among the facts of the last minutes.
    const isLate = clock.mono() - this.#provenAt > overlapMs / 2;
    const from = isEarlier(stream.lastId, this.#cursor) ? stream.lastId : this.#cursor;
    this.#cursor = `${Math.max(0, instantOfId(from) - overlapMs)}-0`;
    this.#replicationId = replicationId;
    this.#added = stream.added;
    this.healer.schedule(isFar || isLate ? 'all' : 'recent', this.#cursor);
    publishAlarm({ alarm: 'log_rewound', detail: 'another server took over the revocation log' });
  }

  /** A log tells by its first entry what it covers, unless that was trimmed long ago. */
  #isBegun({ genesis, stream, rows }: ServerState): boolean {
    const hasMarker = this.#begunAt > 0 || stream.added > stream.length || rows.length === PAGE;
    return genesis !== null && hasMarker;
  }

  async #begin({ now, replicationId }: ServerState): Promise<void> {
    const { log, meta } = this.setup.keys;
    const replies = await this.link.transact([
      ['HSETNX', meta, 'genesis', `${now}`],
      ['XADD', log, '*', ...markerOf('m', replicationId)],
    ]);
    for (const reply of replies) if (reply instanceof Error) throw reply;
  }

  /** @returns whether this was the end of the log */
  #advance({ genesis, replicationId, stream, rows }: ServerState): boolean {
    this.#genesis = genesis ?? undefined;
    this.#replicationId = replicationId;
    this.#added = stream.added;
    this.#cursor = rows.at(-1)?.[0] ?? this.#cursor;
    return rows.length < PAGE;
  }

  /**
   * By the server's clock. What was deleted before its time could have covered anything issued before; and
   * what was written under another master may be dated by a clock that differs from this one's.
   */
  #coveredSince({ now, replicationId, genesis, stream }: ServerState): number {
    const { overlapMs, maxTokenLifetimeMs } = this.setup;
    const { firstId = stream.lastId, length, added, newestDeletedId } = stream;
    const begun = Math.max(Number(genesis), this.#begunAt);
    const begunBy = replicationId === this.#begunTerm ? begun : begun + overlapMs;
    const trimmed = Math.max(
      instantOfId(newestDeletedId),
      added > length ? instantOfId(firstId) : 0,
    );
    const isForgotten = trimmed < now - maxTokenLifetimeMs - overlapMs;
    return Math.min(now, Math.max(begunBy, isForgotten ? 0 : trimmed + overlapMs));
  }
}
