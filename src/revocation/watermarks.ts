import type { Principal } from '../core/principal.js';
import type { Finding, Revocation, RevocationKind, WatermarkKind } from '../core/revocation.js';
import { TARGET_KINDS, targetsOf, type Words, wordsIn, wordsOf } from './digest-words.js';
import { type Open, WatermarkTable } from './watermark-table.js';

/** What the watermarks say of a token. Undefined: nothing. */
export type Held = { readonly is: 'denied'; readonly by: RevocationKind } | Open | undefined;

/** "Everything of this target, issued up to then", for targets of every kind. */
export class Watermarks {
  readonly #tables = TARGET_KINDS.map(() => new WatermarkTable());
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#tables.reduce((bytes, table) => bytes + table.bytes, 0);
  }

  has(kind: RevocationKind, key: Words): boolean {
    return this.#tableOf(kind)?.has(key) === true;
  }

  /** @returns whether that may change a verdict */
  raise(fact: Revocation, key: Words, now: number, version: number): boolean {
    const table = this.#tableOf(fact.kind);
    if (!table) return false;
    const before = table.size;
    const raised = table.raise(key, fact, now, version);
    this.#size += table.size - before;
    return raised;
  }

  askedThrough({ kind, key }: Revocation): number {
    return this.#tableOf(kind)?.askedThrough(wordsOf(key)) ?? -Infinity;
  }

  /** The cuts were made here, `now`, as this version: whatever was presented or asked before is older. */
  dateNow(facts: readonly Revocation[], now: number, version: number): void {
    for (const { kind, key } of facts) this.#tableOf(kind)?.dateNow(wordsOf(key), now, version);
  }

  /** Every watermark on one of the principal's keys is held against it; each can deny it. */
  hold(principal: Principal, found: Finding): Held {
    const { issuedAt = -Infinity } = principal;
    let open: Open | undefined;
    for (const [kind, table] of this.#tables.entries()) {
      // Nearly every token is newer than the newest cut when it is first seen, and costs no digest then.
      if (table.size === 0 || issuedAt > table.reachesTo) continue;
      for (const key of wordsIn(targetsOf(principal, found), kind)) {
        const held = table.hold(key, issuedAt);
        if (held === 'denied') return { is: 'denied', by: TARGET_KINDS[kind] as RevocationKind };
        if (held) open = open ? strictest(open, held) : held;
      }
    }
    return open;
  }

  /** Drops those that were to be kept no longer than until `instant`. */
  drop(instant: number): void {
    for (const table of this.#tables) table.drop(instant);
    this.#size = this.#tables.reduce((size, table) => size + table.size, 0);
  }

  /** What is there now. Tolerates changes meanwhile. */
  *held(): Generator<Revocation, void, undefined> {
    for (const [kind, table] of this.#tables.entries())
      yield* table.held(TARGET_KINDS[kind] as RevocationKind);
  }

  #tableOf(kind: RevocationKind): WatermarkTable | undefined {
    return this.#tables[TARGET_KINDS.indexOf(kind as WatermarkKind)];
  }
}

function strictest(one: Open, other: Open): Open {
  return {
    is: 'open',
    askedSince: Math.max(one.askedSince, other.askedSince),
    version: Math.max(one.version, other.version),
    presentedBefore: Math.max(one.presentedBefore, other.presentedBefore),
  };
}
