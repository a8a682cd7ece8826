import { LRUCache } from 'lru-cache';

import type { Digest, Revocation } from './core/revocation.js';

/** Causes that GenAuth may be yet to be told of at one time; the oldest is forgotten, and stays unsettled. */
const MOST_CAUSES = 10_000;

/** A cut that waits, and how far it will reach when it is settled. */
interface Waiting {
  readonly cut: Revocation;
  askedThroughAt: number;
}

/**
 * The cuts of this process whose cause GenAuth is yet to be told of. Until then its word must not count for
 * what they leave open, whoever else cuts or settles the same target here meanwhile.
 */
export class UnsettledCuts {
  readonly #byCause = new LRUCache<string, readonly Waiting[]>({
    max: MOST_CAUSES,
    dispose: (waiting) => waiting.forEach((one) => this.#leave(one)),
  });
  /** The same by target: each cut looks for others of its own, however many wait in all. */
  readonly #byTarget = new Map<Digest, Set<Waiting>>();

  /** @param askedThrough how far the cuts of a target reach that are known already */
  constructor(private readonly askedThrough: (cut: Revocation) => number) {}

  /**
   * The cuts as they are to be made: unsettled, until `settle` is called for the cause; without a cause, as
   * far as others leave it.
   */
  made(cuts: readonly Revocation[], cause: string | undefined): Revocation[] {
    if (cause === undefined) return cuts.map((cut) => this.#limited(cut));
    const waiting = new Map(this.#byCause.get(cause)?.map((one) => [one.cut.key, one]));
    for (const given of cuts) {
      const cut = this.#pending(given);
      const known = waiting.get(cut.key)?.askedThroughAt ?? -Infinity;
      waiting.set(cut.key, { cut, askedThroughAt: Math.max(known, reachOf(cut)) });
    }
    this.#byCause.set(cause, [...waiting.values()]);
    for (const one of waiting.values()) this.#join(one);
    return cuts.map(({ key }) => (waiting.get(key) as Waiting).cut);
  }

  /** GenAuth has been told. @returns the cuts, widened to `askedThroughAt` and settled as far as that goes */
  settle(cause: string, askedThroughAt: number): Revocation[] {
    const settled = this.#byCause.get(cause) ?? [];
    this.#byCause.delete(cause);
    return settled.map(({ cut, askedThroughAt: known }) => {
      const reach = Math.max(known, askedThroughAt);
      const keepUntilAt = cut.keepUntilAt + reach - reachOf(cut);
      return this.#limited({ ...cut, askedThroughAt: reach, settledThroughAt: reach, keepUntilAt });
    });
  }

  /** Who asks furthest says what is settled: a little further than anything that was settled before. */
  #pending(cut: Revocation): Revocation {
    const { refusedThroughAt: settledThroughAt = -Infinity } = cut;
    const askedThroughAt = Math.max(reachOf(cut), this.askedThrough(cut) + 1);
    return { ...cut, askedThroughAt, settledThroughAt };
  }

  /**
   * The cut, settled no further than others leave it. Those then reach as far as it does: whoever is
   * settled last settles for all.
   */
  #limited(cut: Revocation): Revocation {
    const { refusedThroughAt = -Infinity } = cut;
    const reach = reachOf(cut);
    // What the others left open may be refused by now.
    const others = this.#on(cut.key).filter((one) => reachOf(one.cut) > refusedThroughAt);
    if (others.length === 0) return cut;
    for (const other of others) other.askedThroughAt = Math.max(other.askedThroughAt, reach);
    const settled = others.map((one) => one.cut.settledThroughAt ?? -Infinity);
    const settledThroughAt = Math.min(cut.settledThroughAt ?? reach, ...settled);
    return { ...cut, settledThroughAt: Math.max(refusedThroughAt, settledThroughAt) };
  }

  #on(key: Digest): Waiting[] {
    return [...(this.#byTarget.get(key) ?? [])];
  }

  #join(one: Waiting): void {
    const others = this.#byTarget.get(one.cut.key);
    if (others) others.add(one);
    else this.#byTarget.set(one.cut.key, new Set([one]));
  }

  #leave(one: Waiting): void {
    const { key } = one.cut;
    const all = this.#byTarget.get(key);
    all?.delete(one);
    if (all?.size === 0) this.#byTarget.delete(key);
  }
}

function reachOf({ refusedThroughAt = -Infinity, askedThroughAt = refusedThroughAt }: Revocation) {
  return askedThroughAt;
}
