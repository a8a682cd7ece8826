import { latestWall } from '../../core/clock.js';
import { Pause } from '../../core/pause.js';
import type { Revocation } from '../../core/revocation.js';
import type { FleetSetup } from './fleet-setup.js';

/** Entries that are written at once: a server takes no message of any size, nor any number in time. */
const MOST_AT_ONCE = 256;
/** Facts that wait to be written; beyond, the index alone keeps them until the log is healed. */
const MOST_WAITING = 100_000;

/** An errand as it is stored: nobody but this fleet can read it. */
export interface SealedErrand {
  readonly fields: readonly string[];
  readonly dueUntilAt: number;
}

/** Entries that are written together or not at all. */
export interface Parcel {
  readonly facts: readonly Revocation[];
  readonly errand: SealedErrand | undefined;
}

/** Parcels that are written at once. The same object as long as it is the same attempt that is repeated. */
export type Group = readonly Parcel[];

/** Writes to the log. */
export interface Writer {
  /**
   * Resolves when all of the group is as durable as configured, with the ids of its errands in order. What
   * was rejected is tried again, with the same object: a log must not grow by retrying.
   */
  write(group: Group): Promise<readonly string[]>;
  /** Ends its connection. */
  close(): void;
}

/** A parcel, and who waits for it. */
interface Consignment extends Parcel {
  /** Nobody is served by it any more after this instant. */
  readonly dueUntilAt: number;
  readonly done: (errandId: string | undefined) => void;
  readonly failed: (error: Error) => void;
}

const STOPPED = 'the log was stopped';
/** Of a part that nobody waits for. */
const UNATTENDED = { done: () => {}, failed: () => {} } as const;

/** What an appender reports. */
export interface AppenderListener {
  /** These facts are durable now. */
  onWritten(facts: readonly Revocation[]): void;
  /** Some facts were given up; the log lacks them until it is healed. */
  onOverflow(): void;
  onFault(error: unknown): void;
}

/** Writes facts in groups: one under way, whatever comes meanwhile goes into the next. */
export class Appender {
  readonly #waiting: Consignment[] = [];
  readonly #pause: Pause;
  #group: readonly Consignment[] | undefined;
  #waitingFacts = 0;
  #writing = false;

  constructor(
    private readonly writer: Writer,
    private readonly setup: FleetSetup,
    private readonly listener: AppenderListener,
  ) {
    this.#pause = new Pause(setup.clock);
  }

  /**
   * Resolves when the facts are as durable as configured, with the id of the errand's entry. Rejects when
   * that takes too long; they are then still written as soon as possible.
   */
  append(facts: readonly Revocation[], errand?: SealedErrand): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const cancel = this.setup.clock.setTimeout(
        () => reject(new Error('the revocation log did not acknowledge in time')),
        this.setup.ackTimeoutMs,
      );
      const failed = (error: Error): void => {
        cancel();
        reject(error);
      };
      const done = (errandId: string | undefined): void => {
        cancel();
        resolve(errandId);
      };
      this.#enqueue(facts, errand, done, failed);
    });
  }

  /** As `append`, however long it takes. Resolves also when the facts are given up. */
  appendLater(facts: readonly Revocation[]): Promise<void> {
    return new Promise((resolve) =>
      this.#enqueue(
        facts,
        undefined,
        () => resolve(),
        () => resolve(),
      ),
    );
  }

  /** Ends everything; what waits is rejected. */
  stop(): void {
    this.#pause.end();
    this.writer.close();
    for (const { failed } of this.#waiting.splice(0)) failed(new Error(STOPPED));
  }

  #enqueue(
    facts: readonly Revocation[],
    errand: SealedErrand | undefined,
    done: Consignment['done'],
    failed: Consignment['failed'],
  ): void {
    if (this.#pause.over) {
      failed(new Error(STOPPED));
      return;
    }
    if (this.#waitingFacts + facts.length > MOST_WAITING) {
      this.listener.onOverflow();
      failed(new Error('too many facts wait for the revocation log'));
      return;
    }
    this.#waitingFacts += facts.length;
    const lives = facts.map(({ keepUntilAt }) => keepUntilAt);
    const dueUntilAt = lives.reduce((most, one) => Math.max(most, one), errand?.dueUntilAt ?? 0);
    // What was put in before is written before, so the last part speaks for all of them.
    const end = Math.max(0, Math.ceil(facts.length / MOST_AT_ONCE) - 1) * MOST_AT_ONCE;
    for (let at = 0; at < end; at += MOST_AT_ONCE) {
      const part = facts.slice(at, at + MOST_AT_ONCE);
      this.#waiting.push({ facts: part, errand: undefined, dueUntilAt, ...UNATTENDED });
    }
    this.#waiting.push({ facts: facts.slice(end), errand, dueUntilAt, done, failed });
    void this.#write();
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0 && !this.#pause.over) {
      const group = (this.#group ??= this.#nextGroup());
      try {
        this.#settle(group, await this.writer.write(group));
      } catch (error) {
        if (this.#pause.over) return;
        this.listener.onFault(error);
        const { heartbeatMs, ackTimeoutMs } = this.setup;
        await this.#pause.rest(Math.min(heartbeatMs, ackTimeoutMs) * (0.25 + Math.random() / 4));
        this.#giveUpOverdue();
      }
    }
    this.#writing = false;
  }

  #nextGroup(): readonly Consignment[] {
    let entries = 0;
    const end = this.#waiting.findIndex(({ facts, errand }, place) => {
      entries += facts.length + (errand ? 1 : 0);
      return place > 0 && entries > MOST_AT_ONCE;
    });
    return this.#waiting.slice(0, end < 0 ? this.#waiting.length : end);
  }

  #settle(group: readonly Consignment[], errandIds: readonly string[]): void {
    this.#group = undefined;
    this.#waiting.splice(0, group.length);
    let place = 0;
    for (const { facts, errand, done } of group) {
      this.#waitingFacts -= facts.length;
      this.listener.onWritten(facts);
      done(errand && errandIds[place++]);
    }
  }

  #giveUpOverdue(): void {
    const now = latestWall(this.setup.clock);
    const overdue = this.#waiting.filter(({ dueUntilAt }) => dueUntilAt < now);
    if (overdue.length === 0) return;
    const due = this.#waiting.filter(({ dueUntilAt }) => dueUntilAt >= now);
    this.#group = undefined;
    this.#waiting.splice(0, this.#waiting.length, ...due);
    this.#waitingFacts = due.reduce((sum, { facts }) => sum + facts.length, 0);
    for (const { failed } of overdue) failed(new Error('nobody is served by it any more'));
  }
}
