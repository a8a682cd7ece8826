import { publishAlarm } from '../../core/channels.js';
import type { Revocation } from '../../core/revocation.js';
import type { Healer } from '../fleet/healer.js';
import { type Lease, momentOf } from '../fleet/lease.js';
import { entriesIn, MARK } from './entries.js';
import type { JetStreamLink, StoredMessage } from './jetstream-link.js';
import type { LogSetup } from './log-setup.js';
import { newEntry } from './nats-writer.js';
import { messagesThrough } from './stream-reading.js';
import type { StreamCheck } from './stream-check.js';

/** The clocks of the servers of one stream differ by less. */
const CLOCKS_APART_MS = 300_000;
/** With so many proofs after the last entry a mark is added: what lies between has to be passed each time. */
const MOST_BETWEEN = 10_000;

/**
 * Reads the log to its end, again and again, and renews the lease each time it has.
 *
 * Any read may be answered by a server that is behind, or was replaced without knowing. A message that a
 * majority has taken can not: so it publishes one, and everything acknowledged before stands before it.
 */
export class Prover {
  /** The last entry that was read. While it is there, the log is the one that was read. */
  #anchor: StoredMessage | undefined;
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
      const { isReplaced, aheadMs } = await this.#look(end);
      if (isReplaced) {
        await this.#startOver();
        continue;
      }
      await this.#readThrough(end, aheadMs);
      if (this.#isMarkWanted(end, aheadMs)) await this.link.publish(newEntry(this.setup), MARK);
      if (!this.#anchor || !(await this.#isCreationKnown())) continue;
      this.lease.renew(sent, this.#coveredSince(aheadMs));
      // Reading took long, so there is more by now.
      if (clock.mono() - sent.mono < heartbeatMs) return;
    }
  }

  /**
   * Whether the anchor is gone: what is there now is another log, made anew, restored or rolled back. And
   * how far our clock is ahead of the server's, at most.
   */
  async #look(end: number): Promise<{ readonly isReplaced: boolean; readonly aheadMs: number }> {
    const { sequence = end, stamp } = this.#anchor ?? {};
    const [newest, found] = await this.link.next(sequence < end ? [end, sequence] : [end]);
    const aheadMs = this.setup.clock.wall() - instantOf(newest);
    const isThere = found?.sequence === sequence && found.stamp === stamp;
    return { isReplaced: this.#anchor !== undefined && !isThere, aheadMs };
  }

  async #startOver(): Promise<void> {
    this.lease.revoke();
    this.#anchor = undefined;
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
    for await (const messages of messagesThrough(this.link, end, this.#anchor?.sequence)) {
      const facts = messages.flatMap((message) => this.#factsIn(message, aheadMs));
      if (facts.length > 0) this.take(facts);
    }
  }

  #factsIn(message: StoredMessage, aheadMs: number): readonly Revocation[] {
    if (message.subject === this.setup.proofs) return [];
    this.#anchor = message;
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
    if (!this.#anchor) return true;
    const ageMs = this.setup.clock.wall() - aheadMs - instantOf(this.#anchor);
    const isOld = ageMs > (this.setup.maxTokenLifetimeMs / 4) * this.#patience;
    return isOld || end - this.#anchor.sequence > MOST_BETWEEN * this.#patience;
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

function instantOf(message: StoredMessage | undefined): number {
  return Date.parse(message?.stamp ?? '');
}
