import { latestWall } from '../../core/clock.js';
import type { Revocation } from '../../core/revocation.js';
import { LogFault } from './log-fault.js';
import { Pause } from './pause.js';
import type { Command, RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { readInfo } from './server-state.js';
import { fieldsOf } from './wire.js';

/** Entries of one transaction. */
const MOST_AT_ONCE = 256;
/** Facts that wait to be written; beyond, the index alone keeps them until the log is healed. */
const MOST_WAITING = 100_000;

/** An errand as it is stored: nobody but this fleet can read it. */
export interface SealedErrand {
  readonly fields: readonly string[];
  readonly dueUntilAt: number;
}

/** Entries that are written together or not at all. */
interface Parcel {
  readonly facts: readonly Revocation[];
  readonly errand: SealedErrand | undefined;
  /** Nobody is served by it any more after this instant. */
  readonly dueUntilAt: number;
  readonly done: (errandId: string | undefined) => void;
  readonly failed: (error: Error) => void;
}

/** Parcels of one transaction, and what is known of it. */
interface Group {
  readonly parcels: readonly Parcel[];
  /** The ids of their entries, in order, once they were added. */
  ids: readonly unknown[] | undefined;
  /** Which connection added them, and under which master. */
  generation?: number;
  term: string;
  /** How often too few replicas have confirmed it. */
  misses: number;
}

const STOPPED = 'the log was stopped';
const REPLICATION: Command = ['INFO', 'replication'];

function termIn(reply: unknown): string {
  return readInfo(String(reply)).get('master_replid') ?? '';
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}

/** What an appender reports. */
export interface AppenderListener {
  /** These facts are durable now. */
  onWritten(facts: readonly Revocation[]): void;
  /** Some facts were given up; the log lacks them until it is healed. */
  onOverflow(): void;
  onFault(error: unknown): void;
}

/** Writes facts in groups: one transaction under way, whatever comes meanwhile goes into the next. */
export class Appender {
  readonly #waiting: Parcel[] = [];
  readonly #pause: Pause;
  #group: Group | undefined;
  #waitingFacts = 0;
  #writing = false;

  constructor(
    private readonly link: RedisLink,
    private readonly setup: LogSetup,
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
    this.link.close();
    for (const { failed } of this.#waiting.splice(0)) failed(new Error(STOPPED));
  }

  #enqueue(
    facts: readonly Revocation[],
    errand: SealedErrand | undefined,
    done: Parcel['done'],
    failed: Parcel['failed'],
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
    this.#waiting.push({ facts, errand, dueUntilAt, done, failed });
    void this.#write();
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    while (this.#waiting.length > 0 && !this.#pause.over) {
      const group = (this.#group ??= {
        parcels: this.#nextParcels(),
        ids: undefined,
        term: '',
        misses: 0,
      });
      try {
        await this.#makeDurable(group);
        this.#settle(group);
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

  #nextParcels(): readonly Parcel[] {
    let entries = 0;
    const end = this.#waiting.findIndex(({ facts, errand }, place) => {
      entries += facts.length + (errand ? 1 : 0);
      return place > 0 && entries > MOST_AT_ONCE;
    });
    return this.#waiting.slice(0, end < 0 ? this.#waiting.length : end);
  }

  /** What was added but not confirmed is not added again, unless that may be lost: a log must not grow by retrying. */
  async #makeDurable(group: Group): Promise<void> {
    if (group.ids === undefined || group.generation !== this.link.generation)
      await this.#add(group);
    const { replicas } = this.setup;
    if (replicas > 0) await this.#awaitReplicas(group, replicas);
  }

  async #add(group: Group): Promise<void> {
    const { log, outbox } = this.setup.keys;
    const commands = group.parcels.flatMap(({ facts, errand }): Command[] => [
      ...facts.map((fact) => ['XADD', log, '*', ...fieldsOf(fact)]),
      ...(errand ? [['XADD', outbox, '*', ...errand.fields]] : []),
    ]);
    const replies = await this.link.transact([...commands, REPLICATION]);
    for (const reply of replies) if (reply instanceof Error) throw reply;
    group.term = termIn(replies.pop());
    group.ids = replies;
    group.generation = this.link.generation;
  }

  /**
   * On the connection that wrote, since WAIT speaks of its writes only; and another term of the master may
   * not have begun, since its count of writes says nothing about those of the one before.
   */
  async #awaitReplicas(group: Group, replicas: number): Promise<void> {
    const { rpcTimeoutMs } = this.setup;
    const wait = ['WAIT', `${replicas}`, `${rpcTimeoutMs}`];
    const [reached, replication] = await this.link.run([wait, REPLICATION], rpcTimeoutMs);
    if (group.generation === this.link.generation && termIn(replication) === group.term) {
      if (Number(reached) >= replicas) return;
      group.misses += 1;
      // Perhaps this master was replaced without knowing; adding it again ever more seldom does no harm.
      if (isPowerOfTwo(group.misses)) this.link.drop();
      throw new LogFault(
        `durability.replicas asks for ${replicas}, and ${Number(reached)} confirmed`,
      );
    }
    group.ids = undefined;
    throw new Error('another master took over');
  }

  #settle({ parcels, ids = [] }: Group): void {
    this.#group = undefined;
    this.#waiting.splice(0, parcels.length);
    let place = 0;
    for (const { facts, errand, done } of parcels) {
      this.#waitingFacts -= facts.length;
      place += facts.length;
      this.listener.onWritten(facts);
      done(errand ? String(ids[place++]) : undefined);
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
