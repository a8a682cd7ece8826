import type { Digest } from '../core/revocation.js';
import { digestIn, KEY_WORDS, type Words } from './digest-words.js';

// Bound once, because they are called a few times for every digest.
const { floor, imul } = Math;

const FIRST_SLOTS = 4;
const MOST_LOAD = 0.7;
const LEAST_LOAD = 0.5;

/** A record of a table, where it stood when it was given out. */
export interface TableRecord {
  readonly key: Digest;
  readonly words: Uint32Array;
  readonly at: number;
}

/**
 * Digests in one typed array, by open addressing, and beside each as many words of its own as the table
 * was made for. At most 32 bytes a digest, and 8 more for each such word; nothing for the garbage
 * collector to walk.
 *
 * `at` is where in `words` a record begins: four words of the digest, then its own. It holds until the
 * next `add` or `retain`.
 */
export class DigestTable {
  readonly #stride: number;
  // Each table has an order of its own. To fill one in the order of another would make its runs endless.
  readonly #first = oddNumber();
  readonly #second = oddNumber();
  #slots = FIRST_SLOTS;
  #words: Uint32Array;
  #size = 0;

  constructor(ownWords = 0) {
    this.#stride = KEY_WORDS + ownWords;
    this.#words = this.#room(FIRST_SLOTS);
  }

  get size(): number {
    return this.#size;
  }

  get words(): Uint32Array {
    return this.#words;
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  /** Where the record of the digest begins; -1 when there is none. */
  find(key: Words): number {
    const at = this.#placeOf(key, 0, this.#words, this.#slots);
    return isTaken(this.#words, at) ? at : -1;
  }

  /** Where the record of the digest begins, made if there was none: `size` tells. Its own words are 0 then. */
  add(key: Words): number {
    const at = this.#placeOf(key, 0, this.#words, this.#slots);
    if (isTaken(this.#words, at)) return at;
    if (this.#size + 1 > this.#slots * MOST_LOAD) {
      this.#rebuild(slotsFor(this.#size + 1));
      return this.add(key);
    }
    this.#size += 1;
    this.#words.set(key, at);
    if (!isTaken(this.#words, at)) this.#words[at] = 1;
    return at;
  }

  /** Drops every record that is not to be kept. */
  retain(isKept: (at: number) => boolean): void {
    let kept = 0;
    for (let at = 0; at < this.#words.length; at += this.#stride) {
      if (isTaken(this.#words, at) && isKept(at)) kept += 1;
    }
    if (kept < this.#size) this.#rebuild(slotsFor(kept), isKept);
  }

  /** Every record that is there now. What is added or dropped meanwhile may be among them. */
  *records(): Generator<TableRecord, void, undefined> {
    // Nothing ever moves within one array: to rebuild means to leave it behind as it is.
    const words = this.#words;
    const zero = words.length - this.#stride;
    for (let at = 0; at < words.length; at += this.#stride) {
      if (isTaken(words, at)) yield { key: at === zero ? ZERO : digestIn(words, at), words, at };
    }
  }

  #rebuild(slots: number, isKept: (at: number) => boolean = () => true): void {
    const old = this.#words;
    const next = this.#room(slots);
    const [oldZero, zero] = [old.length - this.#stride, next.length - this.#stride];
    this.#size = 0;
    for (let from = 0; from < old.length; from += this.#stride) {
      if (!isTaken(old, from) || !isKept(from)) continue;
      const to = from === oldZero ? zero : this.#placeOf(old, from, next, slots);
      for (let word = 0; word < this.#stride; word += 1) {
        next[to + word] = old[from + word] as number;
      }
      this.#size += 1;
    }
    this.#words = next;
    this.#slots = slots;
  }

  /** The slots, and one record more: a slot of zeros is free, so the digest of zeros has a place of its own. */
  #room(slots: number): Uint32Array {
    return new Uint32Array((slots + 1) * this.#stride);
  }

  /** Where the digest that begins at `from` stands or would stand in `words`. */
  #placeOf(key: Words, from: number, words: Uint32Array, slots: number): number {
    const a = key[from] as number;
    const b = key[from + 1] as number;
    const c = key[from + 2] as number;
    const d = key[from + 3] as number;
    if ((a | b | c | d) === 0) return slots * this.#stride;
    const mixed = (imul(a, this.#first) + imul(b, this.#second)) >>> 0;
    let at = floor((mixed * slots) / 0x1_0000_0000) * this.#stride;
    // The first word alone tells most others from this one, and from a free place.
    while (words[at] !== a || words[at + 1] !== b || words[at + 2] !== c || words[at + 3] !== d) {
      if (words[at] === 0 && !isTaken(words, at)) break;
      at += this.#stride;
      if (at === slots * this.#stride) at = 0;
    }
    return at;
  }
}

const ZERO = digestIn(new Uint32Array(KEY_WORDS));

function isTaken(words: Uint32Array, at: number): boolean {
  return (
    ((words[at] as number) |
      (words[at + 1] as number) |
      (words[at + 2] as number) |
      (words[at + 3] as number)) !==
    0
  );
}

function slotsFor(size: number): number {
  return Math.max(FIRST_SLOTS, Math.ceil(size / LEAST_LOAD));
}

function oddNumber(): number {
  return (Math.random() * 0x1_0000_0000) | 1;
}
