import type { Revocation, RevocationKind } from '../core/revocation.js';
import { DigestTable } from './digest-table.js';
import { KEY_WORDS, type Words } from './digest-words.js';

// What a watermark consists of beside its digest: numbers of 64 bits.
const REFUSED = 0;
const SETTLED = 1;
const ASKED = 2;
const KEPT = 3;
/** When it was last made or raised, and as which version (1 or more). */
const SINCE = 4;
const VERSION = 5;
/** A token that was presented here before this version is older than the cut. 0 when that is not known. */
const PRESENTED = 6;
const NUMBERS = 7;

/** GenAuth's word lets the token pass, if it was asked since the newest cut. */
export interface Open {
  readonly is: 'open';
  /** `Infinity` while GenAuth is still to be told of something: no word of it counts. */
  readonly askedSince: number;
  readonly version: number;
  readonly presentedBefore: number;
}

/**
 * The watermarks of one kind: at most one a target. What it refuses and asks about is only ever raised, so
 * the order and number of reports do not matter. How far GenAuth's word counts is said by the report that
 * asks furthest: a new cut that GenAuth is still to be told of also holds for what was settled before.
 */
export class WatermarkTable {
  // An even number of words, so that a record of 32-bit words is one of 64-bit numbers as well.
  readonly #table = new DigestTable(NUMBERS * 2);
  #numbers = new Float64Array(this.#table.words.buffer);
  #reachesTo = -Infinity;

  get size(): number {
    return this.#table.size;
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  /** No watermark that was ever here reaches a token that was issued later. */
  get reachesTo(): number {
    return this.#reachesTo;
  }

  has(key: Words): boolean {
    return this.#table.find(key) >= 0;
  }

  /** @returns whether an instant was raised; to be kept longer is no news */
  raise(key: Words, fact: Revocation, now: number, version: number): boolean {
    const before = this.size;
    const at = numbersOf(this.#table.add(key));
    this.#follow();
    if (this.size > before) this.#numbers.fill(-Infinity, at, at + KEPT + 1);
    this.#lift(at + KEPT, fact.keepUntilAt);
    const { refused, settled, asked } = instantsOf(fact);
    this.#reachesTo = Math.max(this.#reachesTo, asked);
    const isRefused = this.#lift(at + REFUSED, refused);
    if (asked > this.#number(at + ASKED)) this.#numbers[at + SETTLED] = -Infinity;
    const isAsked = this.#lift(at + ASKED, asked);
    const isSettled = asked === this.#number(at + ASKED) && this.#lift(at + SETTLED, settled);
    this.#lift(at + SETTLED, this.#number(at + REFUSED));
    if (!isRefused && !isAsked && !isSettled) return false;
    this.#numbers[at + SINCE] = now;
    this.#numbers[at + VERSION] = version;
    return true;
  }

  /** The cut was made here, `now`, as this version: whatever was presented or asked before is older. */
  dateNow(key: Words, now: number, version: number): void {
    const record = this.#table.find(key);
    if (record < 0) return;
    const at = numbersOf(record);
    this.#numbers[at + SINCE] = now;
    this.#numbers[at + VERSION] = version;
    this.#numbers[at + PRESENTED] = version;
  }

  /** The last instant at which a token of this target may have been issued that is asked about. */
  askedThrough(key: Words): number {
    const at = this.#table.find(key);
    return at < 0 ? -Infinity : this.#number(numbersOf(at) + ASKED);
  }

  /** What is held against a token of this target, issued then. Undefined: it is newer, or nothing is. */
  hold(key: Words, issuedAt: number): 'denied' | Open | undefined {
    const record = this.#table.find(key);
    if (record < 0) return undefined;
    const at = numbersOf(record);
    if (issuedAt > this.#number(at + ASKED)) return undefined;
    if (issuedAt <= this.#number(at + REFUSED)) return 'denied';
    const isSettled = issuedAt <= this.#number(at + SETTLED);
    return {
      is: 'open',
      askedSince: isSettled ? this.#number(at + SINCE) : Infinity,
      version: isSettled ? this.#number(at + VERSION) : Infinity,
      presentedBefore: this.#number(at + PRESENTED),
    };
  }

  /** Drops those that were to be kept no longer than until `instant`. */
  drop(instant: number): void {
    this.#table.retain((at) => this.#number(numbersOf(at) + KEPT) > instant);
    this.#follow();
  }

  /** What is there now. Tolerates changes meanwhile. */
  *held(kind: RevocationKind): Generator<Revocation, void, undefined> {
    for (const { key, words, at } of this.#table.records()) {
      const numbers = new Float64Array(words.buffer, numbersOf(at) * 8, NUMBERS);
      yield {
        kind,
        key,
        refusedThroughAt: numbers[REFUSED] as number,
        settledThroughAt: numbers[SETTLED] as number,
        askedThroughAt: numbers[ASKED] as number,
        keepUntilAt: numbers[KEPT] as number,
      };
    }
  }

  #number(at: number): number {
    return this.#numbers[at] as number;
  }

  /** @returns whether that was to raise it */
  #lift(at: number, instant: number): boolean {
    if (!(instant > this.#number(at))) return false;
    this.#numbers[at] = instant;
    return true;
  }

  /** The table may have moved. */
  #follow(): void {
    const { buffer } = this.#table.words;
    if (this.#numbers.buffer !== buffer) this.#numbers = new Float64Array(buffer);
  }
}

/** In order, whatever a fact says: what it refuses is settled, and what is settled is asked about. */
function instantsOf(fact: Revocation) {
  const { refusedThroughAt: refused = -Infinity, askedThroughAt = refused } = fact;
  // Written so that what is no number is as low as can be.
  const asked = askedThroughAt > refused ? askedThroughAt : refused;
  const { settledThroughAt = asked } = fact;
  return {
    refused,
    asked,
    settled: settledThroughAt > refused ? Math.min(settledThroughAt, asked) : refused,
  };
}

/** Where the numbers begin of the record of words that begins at `at`. */
function numbersOf(at: number): number {
  return (at + KEY_WORDS) / 2;
}
