import { publishAlarm } from '../../core/channels.js';
import type { Revocation } from '../../core/revocation.js';
import type { Healer } from '../fleet/healer.js';
import { momentOf } from '../../core/clock.js';
import type { Lease } from '../fleet/lease.js';
import { entriesIn, MARK } from './entries.js';
import type { JetStreamLink, StoredMessage } from './jetstream-link.js';
import type { LogSetup } from './log-setup.js';
import { newEntry } from './nats-writer.js';
import { messagesThrough } from './stream-reading.js';
import type { StreamCheck } from './stream-check.js';

/** The clocks of the servers of one stream differ by less. */
const CLOCKS_APART_MS = 300_000;
/** Of so many entries in a row not every attempt is repeated. */
const MOST_ANCHORS = 8;
/** With so many proofs after the last entry a mark is added: what lies between has to be passed each time. */
const MOST_BETWEEN = 10_000;

/**
 * Reads the log to its end, again and again, and renews the lease each time it has.
 *
 * Any read may be answered by a server that is behind, or was replaced without knowing. A message that a
 * majority has taken can not: so it publishes one, and everything acknowledged before stands before it.
 */
export class Prover {
  /** The last entries that were read. While one is in its place, the log is the one that was read up to there. */
  #anchors: StoredMessage[] = [];
  #createdAt: string | undefined;
  /** From 1 to 2, so that one process adds a mark and the others find it. */
  readonly #patience = 1 + Math.random();

  constructor(
    private readonly link: JetStreamLink,
    private readonly lease: Lease,
    private readonly healer: Healer,
    private readonly check: StreamCheck,
    private readonly setup: LogSetup,
    private readonly take: (facts: readonly Revocation[]) => void,
  ) {}

  /** Reads to the end and renews the lease. @throws {Error} no majority answered, or the stream is not fit */
  async prove(): Promise<void> {
    const { clock, proofs, heartbeatMs } = this.setup;
    for (;;) {
      const sent = momentOf(clock);
      const end = await this.link.publish(proofs, '');
      const aheadMs = await this.#findAnchor(end);
      if (aheadMs === undefined) {
        await this.#startOver();
        continue;
      }
      await this.#readThrough(end, aheadMs);
      if (this.#isMarkWanted(end, aheadMs)) await this.link.publish(newEntry(this.setup), MARK);
      if (this.#anchors.length === 0 || !(await this.#isCreationKnown())) continue;
      this.lease.renew(sent, this.#coveredSince(aheadMs));
      // Reading took long, so there is more by now.
      if (clock.mono() - sent.mono < heartbeatMs) return;
    }
  }

  /**
   * Goes back to the last entry that is still in its place. One may be gone because its writer has repeated
   * an attempt; when none is left, this is another log: made anew, restored or rolled back.
   *
   * @returns how far our clock is ahead of the server's, at most; nothing when it is another log
   */
  async #findAnchor(end: number): Promise<number | undefined> {
    for (;;) {
      const anchor = this.#anchors.at(-1);
      const sequences = anchor && anchor.sequence < end ? [end, anchor.sequence] : [end];
      const [newest, found] = await this.link.next(sequences);
      if (!anchor || isSame(anchor, found)) return this.setup.clock.wall() - instantOf(newest);
      this.#anchors.pop();
      if (this.#anchors.length === 0) return undefined;
      this.healer.schedule('all');
      const detail =
        'an entry that was read is gone: an attempt was repeated, or the log rolled back';
      publishAlarm({ alarm: 'log_rewound', detail });
    }
  }

  async #startOver(): Promise<void> {
    this.lease.revoke();
    this.#anchors = [];
    this.#createdAt = undefined;
    this.healer.schedule('all');
    publishAlarm({ alarm: 'log_replaced', detail: 'the revocation log was deleted or replaced' });
    await this.check.look();
  }

  /**
   * From the anchor, and not from the last message seen: proofs leave no trace, and a log that was rolled
   * back to somewhere in between would hide what was added instead.
   */
  async #readThrough(end: number, aheadMs: number): Promise<void> {
    for await (const messages of messagesThrough(this.link, end, this.#anchors.at(-1)?.sequence)) {
      const facts = messages.flatMap((message) => this.#factsIn(message, aheadMs));
      if (facts.length > 0) this.take(facts);
    }
  }

  #factsIn(message: StoredMessage, aheadMs: number): readonly Revocation[] {
    if (message.subject === this.setup.proofs) return [];
    this.#anchors.push(message);
    if (this.#anchors.length > MOST_ANCHORS) this.#anchors.shift();
    const facts: Revocation[] = [];
    const writtenAt = instantOf(message) + aheadMs;
    for (const entry of entriesIn(message.text, writtenAt, this.setup.maxTokenLifetimeMs)) {
      if (entry.is === 'fact') facts.push(entry.fact);
      else if (entry.is === 'unreadable') this.#distrust(entry.untilAt);
    }
    return facts;
  }

  #distrust(untilAt: number): void {
    this.lease.distrust(untilAt);
    publishAlarm({
      alarm: 'log_entry_unreadable',
      detail: 'the revocation log holds an entry that this version does not understand',
    });
  }

  /** An anchor has to be there, not too far from the end, and long before its time to leave the stream. */
  #isMarkWanted(end: number, aheadMs: number): boolean {
    const anchor = this.#anchors.at(-1);
    if (!anchor) return true;
    const ageMs = this.setup.clock.wall() - aheadMs - instantOf(anchor);
    const isOld = ageMs > (this.setup.maxTokenLifetimeMs / 4) * this.#patience;
    return isOld || end - anchor.sequence > MOST_BETWEEN * this.#patience;
  }

  /** A stream that was made while it was read for the first time may have been read in part. */
  async #isCreationKnown(): Promise<boolean> {
    if (this.#createdAt !== undefined) return true;
    const before = this.check.createdAt;
    await this.check.look();
    if (before === this.check.createdAt) this.#createdAt = before;
    else await this.#startOver();
    return this.#createdAt !== undefined;
  }

  /** The stream forgets nothing before its time, so it knows of everything since it was made. */
  #coveredSince(aheadMs: number): number {
    const apartMs = this.check.replicas > 1 ? CLOCKS_APART_MS : 0;
    const madeAt = Date.parse(this.#createdAt ?? '');
    return Math.min(this.setup.clock.wall(), madeAt + apartMs + aheadMs);
  }
}

function isSame(one: StoredMessage, other: StoredMessage | undefined): boolean {
  return other?.sequence === one.sequence && other.stamp === one.stamp;
}

function instantOf(message: StoredMessage | undefined): number {
  return Date.parse(message?.stamp ?? '');
}
