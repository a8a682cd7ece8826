/** How far an issuer's clock may be from ours: `issuer - ours`, milliseconds. */
export interface ClockOffset {
  /** Never above 0. */
  readonly lowMs: number;
  /** Never below 0. */
  readonly highMs: number;
}

const FORGET_AFTER_MS = 10 * 60_000;

/**
 * What is known of an issuer's clock, learned from the `Date` headers of its answers (RFC 9110 §6.6.1).
 *
 * The true offset is taken to lie between the learned bounds *and* zero; and where an answer claims more
 * than clocks are thought to differ, also as far off as before: a wrong date makes us ask more often.
 */
export class IssuerClock {
  #low: number;
  #high: number;
  #learnedAt = -Infinity;

  /** @param unknownMs how far apart the clocks may be before anything was learned */
  constructor(private readonly unknownMs: number) {
    this.#low = -unknownMs;
    this.#high = unknownMs;
  }

  /** Takes in the date of an answer whose exchange lasted from `sentAt` to `receivedAt`. */
  observe(date: string, sentAt: number, receivedAt: number): void {
    const second = Date.parse(date);
    if (Number.isNaN(second) || receivedAt < sentAt) return;
    const [low, high] = [second - receivedAt, second + 1_000 - sentAt];
    const known = receivedAt - this.#learnedAt < FORGET_AFTER_MS;
    const agrees = known && low <= this.#high && high >= this.#low;
    this.#low = agrees ? Math.max(low, this.#low) : low;
    this.#high = agrees ? Math.min(high, this.#high) : high;
    if (!agrees) this.#learnedAt = receivedAt;
  }

  /** The bounds as of `now`. What was heard long ago only widens them. */
  offset(now: number): ClockOffset {
    const recent = now - this.#learnedAt < FORGET_AFTER_MS;
    const plausible = this.#low <= this.unknownMs && this.#high >= -this.unknownMs;
    const doubtMs = recent && plausible ? 0 : this.unknownMs;
    return { lowMs: Math.min(this.#low, 0 - doubtMs), highMs: Math.max(this.#high, doubtMs) };
  }

  /** Our own clock was set: what was learned of the difference is void. */
  forget(): void {
    [this.#low, this.#high] = [-this.unknownMs, this.unknownMs];
    this.#learnedAt = -Infinity;
  }
}
