import type { Digest } from '../core/revocation.js';
import { DigestTable } from './digest-table.js';
import { KEY_WORDS, type Words } from './digest-words.js';

const LAST_SECOND = 0xffff_ffff;

/** Digests, each with the second until which it counts. About 40 bytes a digest where there are many. */
export class DatedDigests {
  readonly #table = new DigestTable(1);

  get size(): number {
    return this.#table.size;
  }

  get bytes(): number {
    return this.#table.bytes;
  }

  has(key: Words): boolean {
    return this.#table.find(key) >= 0;
  }

  /** Adds the digest, or extends the time it counts. @returns whether it is new */
  add(key: Words, untilSecond: number): boolean {
    const before = this.#table.size;
    const time = this.#table.add(key) + KEY_WORDS;
    const { size, words } = this.#table;
    const until = Math.min(Math.max(Math.ceil(untilSecond), 1), LAST_SECOND);
    if (until > (words[time] as number)) words[time] = until;
    return size > before;
  }

  /** Drops what no longer counts at `second`. */
  sweep(second: number): void {
    const { words } = this.#table;
    this.#table.retain((at) => (words[at + KEY_WORDS] as number) > second);
  }

  /** What is there now, and until which second. Tolerates changes meanwhile. */
  *entries(): Generator<readonly [key: Digest, untilSecond: number], void, undefined> {
    for (const { key, words, at } of this.#table.records()) {
      yield [key, words[at + KEY_WORDS] as number];
    }
  }
}
