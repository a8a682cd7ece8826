import type { Revocation } from '../../core/revocation.js';
import { RevocationIndex } from '../revocation-index.js';
import type { FleetSetup } from './fleet-setup.js';
import type { RecentFacts } from './recent-facts.js';

/** Facts that are compared at a time. */
const PAGE = 1_000;

/** What a healer compares and brings back. */
export interface HealerSources {
  /** The facts in the log, after a place or all of them, page by page. */
  inLog(from: string | undefined): AsyncIterable<readonly Revocation[]>;
  /** Every fact that this process knows. */
  held(): Iterable<Revocation>;
  /** Those of the last minutes. Without them everything is compared. */
  readonly recent?: RecentFacts;
}

/** What may be missing: the facts of the last minutes, or anything at all. */
export type Scope = 'recent' | 'all';

/**
 * Gives a log back what it has lost. Every process that holds the facts does so, after a while of its own
 * choosing, and only what the others have not brought back by then.
 */
export class Healer {
  #scheduled: { readonly scope: Scope; readonly from: string | undefined } | undefined;
  #running = false;

  constructor(
    private readonly sources: HealerSources,
    private readonly setup: FleetSetup,
    private readonly append: (facts: readonly Revocation[]) => Promise<void>,
  ) {}

  /** @param from the log is complete up to here */
  schedule(scope: Scope, from?: string): void {
    const isComplete = this.sources.recent?.complete ?? false;
    const isAll = scope === 'all' || this.#scheduled?.scope === 'all' || !isComplete;
    this.#scheduled = isAll ? { scope: 'all', from: undefined } : { scope, from };
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
  async #read(from: string | undefined): Promise<RevocationIndex> {
    const { clock, maxTokenLifetimeMs } = this.setup;
    const present = new RevocationIndex(clock, maxTokenLifetimeMs, 0, Infinity);
    for await (const facts of this.sources.inLog(from)) present.apply(facts);
    return present;
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
    const { recent } = this.sources;
    for (const fact of scope === 'recent' && recent ? recent.facts() : this.sources.held()) {
      page.push(fact);
      if (page.length === PAGE) await flush();
    }
    await flush();
  }
}
