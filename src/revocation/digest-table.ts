import type { Digest } from '../core/revocation.js';

const WORDS = 5;
const FIRST_SLOTS = 8;

/**
 * A grow-only set of 128-bit digests, each with the second until which it counts. Open addressing in
 * one typed array: about 40 bytes an entry, nothing for the garbage collector to walk.
 */
export class DigestTable {
  #slots = FIRST_SLOTS;
  #words = new Uint32Array(FIRST_SLOTS * WORDS);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Adds the digest, or extends the time it counts. @returns whether anything changed */
  add(key: Digest, untilSecond: number): boolean {
    const until = clampSecond(untilSecond);
    const at = this.#find(this.#words, readWords(key));
    const before = this.#words[at + 4] as number;
    if (before >= until) return false;
    this.#words.set(probe, at);
    this.#words[at + 4] = until;
    if (before === 0 && ++this.#size > this.#slots * 0.7) this.#rebuild(this.#slots * 2, 0);
    return true;
  }

  has(key: Digest): boolean {
    return this.#words[this.#find(this.#words, readWords(key)) + 4] !== 0;
  }

  /** Drops what no longer counts at `second`. */
  sweep(second: number): void {
    let alive = 0;
    for (let at = 4; at < this.#words.length; at += WORDS) {
      if ((this.#words[at] as number) > second) alive += 1;
    }
    if (alive === this.#size) return;
    let slots = FIRST_SLOTS;
    while (alive > slots * 0.7) slots *= 2;
    this.#rebuild(slots, second);
  }

  #rebuild(slots: number, afterSecond: number): void {
    const old = this.#words;
    const next = new Uint32Array(slots * WORDS);
    this.#slots = slots;
    this.#size = 0;
    for (let at = 0; at < old.length; at += WORDS) {
      if ((old[at + 4] as number) <= afterSecond) continue;
      const entry = old.subarray(at, at + WORDS);
      next.set(entry, this.#find(next, entry));
      this.#size += 1;
    }
    this.#words = next;
  }

  /** Where the digest stands or would stand. A slot is free while its last word is 0. */
  #find(words: Uint32Array, key: Uint32Array): number {
    const mask = this.#slots - 1;
    for (let slot = (key[0] as number) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * WORDS;
      if (words[at + 4] === 0) return at;
      if (
        words[at] === key[0] &&
        words[at + 1] === key[1] &&
        words[at + 2] === key[2] &&
        words[at + 3] === key[3]
      ) {
        return at;
      }
    }
  }
}

// One digest is read at a time, always synchronously, so one place to read it into is enough.
const bytes = Buffer.alloc(16);
const probe = new Uint32Array(4);

function readWords(key: Digest): Uint32Array {
  // What a short digest leaves unwritten is not what was read before it.
  bytes.fill(0, bytes.write(key, 'base64url'));
  for (let word = 0; word < 4; word += 1) probe[word] = bytes.readUInt32LE(word * 4);
  return probe;
}

function clampSecond(second: number): number {
  return Math.min(Math.max(Math.ceil(second), 1), 0xffff_ffff);
}
