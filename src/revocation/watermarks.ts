import type { Digest, Revocation, RevocationKind, TargetKeys } from '../core/revocation.js';

const KINDS = ['session', 'subject', 'client', 'issuer'] as const;

interface Watermark {
  refusedThroughAt: number;
  askedThroughAt: number;
  /** When the newest cut was taken in, and as which version (1 or more): GenAuth's word counts if asked later. */
  askedSince: number;
  version: number;
  /** A token that was presented here before this version is older than the cut. 0 when that is not known. */
  presentedBefore: number;
  keepUntilAt: number;
  /** Tokens whose revocation GenAuth has not confirmed: until then its word settles nothing. */
  readonly unsettled: Set<Digest>;
}

/** What the watermarks say of a token. What is open needs GenAuth's word, asked after the newest cut. */
export type Held =
  | { readonly is: 'denied'; readonly by: RevocationKind }
  | { readonly is: 'free' }
  | ({ readonly is: 'open' } & Pick<Watermark, 'askedSince' | 'version' | 'presentedBefore'>);

const FREE: Held = { is: 'free' };

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
  raise(fact: Revocation, now: number, version: number): boolean {
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
    mark.version = version;
    return true;
  }

  /** The cuts were made here and now: whatever was presented before `version` is older. */
  datePresented(facts: readonly Revocation[], version: number): void {
    for (const { key } of facts) {
      const mark = this.#marks.get(key);
      if (mark) mark.presentedBefore = version;
    }
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
  settle(cause: Digest, askedThroughAt: number, now: number, version: number): Revocation[] {
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
      mark.version = version;
    }
    return facts;
  }

  /** Every watermark on one of the keys is held against the token; each can deny it. */
  hold(keys: TargetKeys, issuedAt: number): Held {
    const open = { is: 'open' as const, askedSince: -Infinity, version: 0, presentedBefore: 0 };
    for (const kind of KINDS) {
      for (const key of keys[kind] ?? []) {
        const mark = this.#marks.get(key);
        if (!mark || issuedAt > Math.max(mark.askedThroughAt, mark.refusedThroughAt)) continue;
        if (issuedAt <= mark.refusedThroughAt) return { is: 'denied', by: kind };
        const settled = mark.unsettled.size === 0;
        open.askedSince = Math.max(open.askedSince, settled ? mark.askedSince : Infinity);
        open.version = Math.max(open.version, settled ? mark.version : Infinity);
        open.presentedBefore = Math.max(open.presentedBefore, mark.presentedBefore);
      }
    }
    return open.version === 0 ? FREE : open;
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
    version: 0,
    presentedBefore: 0,
    keepUntilAt: -Infinity,
    unsettled: new Set(),
  };
}
