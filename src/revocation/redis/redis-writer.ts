import type { Group, Writer } from '../fleet/appender.js';
import { LogFault } from '../fleet/log-fault.js';
import { fieldsOf } from '../fleet/wire.js';
import type { LogSetup } from './log-setup.js';
import type { Command, RedisLink } from './redis-link.js';
import { readInfo } from './server-state.js';

/** What is known of the group that is being written. */
interface Attempt {
  readonly group: Group;
  /** The ids of its entries, in order, once they were added. */
  ids: readonly unknown[] | undefined;
  /** Which connection added them, and under which master. */
  generation?: number;
  term: string;
  /** How often too few replicas have confirmed it. */
  misses: number;
}

const REPLICATION: Command = ['INFO', 'replication'];

function termIn(reply: unknown): string {
  return readInfo(String(reply)).get('master_replid') ?? '';
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}

/** Adds a group to the streams in one transaction, and waits for the replicas. */
export class RedisWriter implements Writer {
  #attempt: Attempt | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly setup: LogSetup,
  ) {}

  /** What was added but not confirmed is not added again, unless that may be lost. */
  async write(group: Group): Promise<readonly string[]> {
    if (this.#attempt?.group !== group) {
      this.#attempt = { group, ids: undefined, term: '', misses: 0 };
    }
    const attempt = this.#attempt;
    if (attempt.ids === undefined || attempt.generation !== this.link.generation)
      await this.#add(attempt);
    const { replicas } = this.setup;
    if (replicas > 0) await this.#awaitReplicas(attempt, replicas);
    return errandIdsIn(attempt);
  }

  close(): void {
    this.link.close();
  }

  async #add(attempt: Attempt): Promise<void> {
    const { log, outbox } = this.setup.keys;
    const commands = attempt.group.flatMap(({ facts, errand }): Command[] => [
      ...facts.map((fact) => ['XADD', log, '*', ...fieldsOf(fact)]),
      ...(errand ? [['XADD', outbox, '*', ...errand.fields]] : []),
    ]);
    const replies = await this.link.transact([...commands, REPLICATION]);
    for (const reply of replies) if (reply instanceof Error) throw reply;
    attempt.term = termIn(replies.pop());
    attempt.ids = replies;
    attempt.generation = this.link.generation;
  }

  /**
   * On the connection that wrote, since WAIT speaks of its writes only; and another term of the master may
   * not have begun, since its count of writes says nothing about those of the one before.
   */
  async #awaitReplicas(attempt: Attempt, replicas: number): Promise<void> {
    const { rpcTimeoutMs } = this.setup;
    const wait = ['WAIT', `${replicas}`, `${rpcTimeoutMs}`];
    const [reached, replication] = await this.link.run([wait, REPLICATION], rpcTimeoutMs);
    if (attempt.generation === this.link.generation && termIn(replication) === attempt.term) {
      if (Number(reached) >= replicas) return;
      attempt.misses += 1;
      // Perhaps this master was replaced without knowing; adding it again ever more seldom does no harm.
      if (isPowerOfTwo(attempt.misses)) this.link.drop();
      throw new LogFault(
        `durability.replicas asks for ${replicas}, and ${Number(reached)} confirmed`,
      );
    }
    attempt.ids = undefined;
    throw new Error('another master took over');
  }
}

/** An errand's entry stands behind those of its facts. */
function errandIdsIn({ group, ids = [] }: Attempt): readonly string[] {
  let place = 0;
  return group.flatMap(({ facts, errand }) => {
    place += facts.length;
    return errand ? [String(ids[place++])] : [];
  });
}
