import type { Principal } from '../core/principal.js';
import { jtiKey, type Revocation } from '../core/revocation.js';
import { DatedDigests } from './dated-digests.js';
import { DigestTable } from './digest-table.js';
import { type Words, wordsOf } from './digest-words.js';

const MINUTE_MS = 60_000;

/** Single tokens that are dead, and single messages that were taken, in about 35 bytes each where there are many. */
export class Tombstones {
  /** One table a minute of `exp`, so that a dead minute is dropped whole. */
  readonly #minutes = new Map<number, DigestTable>();
  /** By the key alone: tokens without a known `exp`, or with one beyond the horizon. */
  readonly #loose = new DatedDigests();
  readonly #jtis = new DatedDigests();
  readonly #messages = new DatedDigests();
  #dated = 0;

  /** @param outliveMs how long they are kept after what they deny is dead */
  constructor(private readonly outliveMs: number) {}

  get size(): number {
    return this.#dated + this.#loose.size + this.#jtis.size + this.#messages.size;
  }

  get bytes(): number {
    let bytes = this.#loose.bytes + this.#jtis.bytes + this.#messages.bytes;
    for (const table of this.#minutes.values()) bytes += table.bytes;
    return bytes;
  }

  /** @param expiresAt the token's own; NaN when it is not known */
  has(id: Words, expiresAt: number): boolean {
    const minute = this.#minutes.get(minuteOf(expiresAt));
    if (minute && minute.find(id) >= 0) return true;
    return this.#loose.size > 0 && this.#loose.has(id);
  }

  /** Whether the principal's token was revoked. Its digest is not read before there is something to look in. */
  hasIdOf(principal: Principal): boolean {
    const minute = this.#minutes.get(minuteOf(principal.expiresAt));
    if (minute && minute.find(wordsOf(principal.id)) >= 0) return true;
    return this.#loose.size > 0 && this.#loose.has(wordsOf(principal.id));
  }

  hasJti(key: Words): boolean {
    return this.#jtis.has(key);
  }

  hasMessage(key: Words): boolean {
    return this.#messages.has(key);
  }

  /** Whether the principal's `jti` was revoked. */
  hasJtiOf(principal: Principal): boolean {
    if (this.#jtis.size === 0 || principal.tokenId === undefined) return false;
    return this.#jtis.has(wordsOf(jtiKey(principal.issuer, principal.tokenId)));
  }

  /**
   * @param horizon a token that expires later is held by its key alone
   * @returns whether it is new; to be kept longer is no news
   */
  add(
    { kind, expiresAt = Infinity, keepUntilAt }: Revocation,
    key: Words,
    horizon: number,
  ): boolean {
    const untilSecond = (keepUntilAt + this.outliveMs) / 1_000;
    if (kind === 'jti') return this.#jtis.add(key, untilSecond);
    if (kind === 'message') return this.#messages.add(key, untilSecond);
    if (!(expiresAt <= horizon) || (this.#loose.size > 0 && this.#loose.has(key))) {
      return this.#loose.add(key, untilSecond);
    }
    const minute = minuteOf(expiresAt);
    let table = this.#minutes.get(minute);
    if (!table) this.#minutes.set(minute, (table = new DigestTable()));
    const before = table.size;
    table.add(key);
    this.#dated += table.size - before;
    return table.size > before;
  }

  /** Drops what had to be kept no longer than until now. */
  expire(now: number): void {
    for (const [minute, table] of this.#minutes) {
      if ((minute + 1) * MINUTE_MS + this.outliveMs > now) continue;
      this.#minutes.delete(minute);
      this.#dated -= table.size;
    }
    this.#loose.sweep(now / 1_000);
    this.#jtis.sweep(now / 1_000);
    this.#messages.sweep(now / 1_000);
  }

  /**
   * Everything that can still matter. Of an expiry only the minute is known: the fact then names the last
   * millisecond of it. Tolerates changes meanwhile.
   */
  *held(now: () => number): Generator<Revocation, void, undefined> {
    for (const [minute, table] of this.#minutes) {
      const expiresAt = (minute + 1) * MINUTE_MS - 1;
      if (expiresAt + this.outliveMs < now()) continue;
      for (const { key } of table.records()) {
        yield { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
      }
    }
    yield* this.#sideOf('token', this.#loose, now);
    yield* this.#sideOf('jti', this.#jtis, now);
    yield* this.#sideOf('message', this.#messages, now);
  }

  *#sideOf(
    kind: 'token' | 'jti' | 'message',
    side: DatedDigests,
    now: () => number,
  ): Generator<Revocation> {
    for (const [key, untilSecond] of side.entries()) {
      const keepUntilAt = untilSecond * 1_000 - this.outliveMs;
      // Seconds were rounded up; what was only to be kept until now must not seem to last.
      if (keepUntilAt - 1_000 >= now()) yield { kind, key, keepUntilAt };
    }
  }
}

function minuteOf(instant: number): number {
  return Math.floor(instant / MINUTE_MS);
}
