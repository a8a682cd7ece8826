import type { Revocation } from '../../core/revocation.js';
import { RevocationIndex } from '../revocation-index.js';
import type { RecentFacts } from './recent-facts.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { readEntry, type Row } from './wire.js';

const PAGE = 1_000;

/** What may be missing: the facts of the last minutes, or anything at all. */
export type Scope = 'recent' | 'all';

/**
 * Gives a log back what it has lost. Every process that holds the facts does so, after a while of its own
 * choosing, and only what the others have not brought back by then.
 */
export class Healer {
  #scheduled: { readonly scope: Scope; readonly from: string } | undefined;
  #running = false;

  constructor(
    private readonly link: RedisLink,
    private readonly recent: RecentFacts,
    private readonly setup: LogSetup,
    private readonly held: () => Iterable<Revocation>,
    private readonly append: (facts: readonly Revocation[]) => Promise<void>,
  ) {}

  /** @param from the log is complete up to here */
  schedule(scope: Scope, from: string): void {
    const isAll = scope === 'all' || this.#scheduled?.scope === 'all' || !this.recent.complete;
    this.#scheduled = isAll ? { scope: 'all', from: '0-0' } : { scope, from };
  }

  /** Brings back what is missing, if that was asked for. Rejects when that failed; it is then still asked for. */
  async heal(pause: (ms: number) => Promise<void>): Promise<void> {
    const task = this.#scheduled;
    if (!task || this.#running) return;
    this.#running = true;
    try {
      await pause(Math.random() * 3 * this.setup.heartbeatMs);
      const present = await this.#read(task.from);
      await this.#bringBack(task.scope, present, pause);
      if (this.#scheduled === task) this.#scheduled = undefined;
    } finally {
      this.#running = false;
    }
  }

  /** Everything the log holds, in an index of its own. */
  async #read(from: string): Promise<RevocationIndex> {
    const { maxTokenLifetimeMs } = this.setup;
    const present = new RevocationIndex(this.setup.clock, maxTokenLifetimeMs, 0, Infinity);
    for (let cursor = from; ;) {
      const command = ['XRANGE', this.setup.keys.log, `(${cursor}`, '+', 'COUNT', `${PAGE}`];
      const [reply] = await this.link.run([command]);
      const rows = reply as readonly Row[];
      present.apply(
        rows.flatMap((row) => factsIn(row, this.setup.clock.wall(), maxTokenLifetimeMs)),
      );
      if (rows.length < PAGE) return present;
      cursor = (rows.at(-1) as Row)[0];
    }
  }

  async #bringBack(
    scope: Scope,
    present: RevocationIndex,
    pause: (ms: number) => Promise<void>,
  ): Promise<void> {
    let page: Revocation[] = [];
    const flush = async (): Promise<void> => {
      const lacking = page.filter((fact) => present.apply([fact]).length > 0);
      page = [];
      // One page at a time: whoever revokes meanwhile waits behind no more than that.
      if (lacking.length > 0) await this.append(lacking);
      await pause(0);
    };
    for (const fact of scope === 'all' ? this.held() : this.recent.facts()) {
      page.push(fact);
      if (page.length === PAGE) await flush();
    }
    await flush();
  }
}

function factsIn(row: Row, now: number, retainMs: number): readonly Revocation[] {
  const entry = readEntry(row, now, retainMs);
  return entry.is === 'fact' ? [entry.fact] : [];
}
