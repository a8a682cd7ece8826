import type { Digest, Revocation, RevocationKind, TargetKeys } from '../core/revocation.js';

const KINDS = ['session', 'subject', 'client', 'issuer'] as const;

interface Watermark {
  refusedThroughAt: number;
  askedThroughAt: number;
  /** When the newest cut was taken in: GenAuth's word counts if asked then or later. */
  askedSince: number;
  keepUntilAt: number;
  /** Tokens whose revocation GenAuth has not confirmed: until then its word settles nothing. */
  readonly unsettled: Set<Digest>;
}

/** What the watermarks say of a token. `askedSince`: GenAuth must have been asked since then. */
export type Held =
  | { readonly is: 'denied'; readonly by: RevocationKind }
  | { readonly is: 'open'; readonly askedSince: number };

/** "Everything of this target, issued up to then": at most one a target, and only ever raised. */
export class Watermarks {
  readonly #marks = new Map<Digest, Watermark>();
  /** The facts whose boundaries wait for GenAuth to be told of a token. */
  readonly #waiting = new Map<Digest, readonly Revocation[]>();

  get size(): number {
    return this.#marks.size;
  }

  has(key: Digest): boolean {
    return this.#marks.has(key);
  }

  /** @returns whether anything changed */
  raise(fact: Revocation, now: number): boolean {
    const mark = this.#marks.get(fact.key) ?? lowest();
    this.#marks.set(fact.key, mark);
    mark.keepUntilAt = Math.max(mark.keepUntilAt, fact.keepUntilAt);
    const { refusedThroughAt = -Infinity, askedThroughAt = refusedThroughAt } = fact;
    if (refusedThroughAt <= mark.refusedThroughAt && askedThroughAt <= mark.askedThroughAt) {
      return false;
    }
    mark.refusedThroughAt = Math.max(mark.refusedThroughAt, refusedThroughAt);
    mark.askedThroughAt = Math.max(mark.askedThroughAt, askedThroughAt);
    mark.askedSince = now;
    return true;
  }

  /** From now on what the facts leave open stays open, until `settle` is called for `cause`. */
  unsettle(facts: readonly Revocation[], cause: Digest): void {
    const known = facts.filter(({ key }) => this.#marks.has(key));
    if (known.length > 0) this.#waiting.set(cause, known);
    for (const { key } of known) this.#marks.get(key)?.unsettled.add(cause);
  }

  /**
   * What was left open because of `cause` can be settled by whoever is asked from `now` on.
   *
   * @param askedThroughAt the facts are widened to here: what came about meanwhile is open as well
   * @returns the facts as they are now
   */
  settle(cause: Digest, askedThroughAt: number, now: number): Revocation[] {
    const facts = (this.#waiting.get(cause) ?? []).map((fact) => ({
      ...fact,
      askedThroughAt: Math.max(fact.askedThroughAt ?? -Infinity, askedThroughAt),
    }));
    this.#waiting.delete(cause);
    for (const fact of facts) {
      const mark = this.#marks.get(fact.key);
      if (!mark?.unsettled.delete(cause)) continue;
      mark.askedThroughAt = Math.max(mark.askedThroughAt, askedThroughAt);
      mark.askedSince = now;
    }
    return facts;
  }

  /** Every watermark on one of the keys is held against the token; each can deny it. */
  hold(keys: TargetKeys, issuedAt: number): Held {
    let askedSince = -Infinity;
    for (const kind of KINDS) {
      for (const key of keys[kind] ?? []) {
        const mark = this.#marks.get(key);
        if (!mark || issuedAt > Math.max(mark.askedThroughAt, mark.refusedThroughAt)) continue;
        if (issuedAt <= mark.refusedThroughAt) return { is: 'denied', by: kind };
        askedSince = Math.max(askedSince, mark.unsettled.size > 0 ? Infinity : mark.askedSince);
      }
    }
    return { is: 'open', askedSince };
  }

  /** Drops those that were to be kept no longer than until `instant`. */
  drop(instant: number): void {
    for (const [key, { keepUntilAt, unsettled }] of this.#marks) {
      if (keepUntilAt > instant) continue;
      this.#marks.delete(key);
      for (const cause of unsettled) this.#waiting.delete(cause);
    }
  }
}

function lowest(): Watermark {
  return {
    refusedThroughAt: -Infinity,
    askedThroughAt: -Infinity,
    askedSince: -Infinity,
    keepUntilAt: -Infinity,
    unsettled: new Set(),
  };
}
