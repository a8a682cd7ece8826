import { type Clock, type Moment, momentOf } from '../../core/clock.js';
import type { Freshness } from '../../core/revocation-log.js';

/** Clocks that part by more than this since the last proof say that the machine slept or was set. */
const MOST_DRIFT_MS = 60_000;

/**
 * The right to accept on the log's word: proof, not older than the limit, that the log was applied to
 * its end. It ends by itself, on either clock, whatever the event loop is doing.
 */
export class Lease {
  #proof: Moment | undefined;
  /** The greatest age that was seen of the proof. */
  #seenMs = 0;
  #distrustedUntilAt = -Infinity;
  #coveredSince = Infinity;
  #stopped = false;

  constructor(
    private readonly clock: Clock,
    private readonly maxStalenessMs: number,
  ) {}

  /**
   * Everything acknowledged up to `sent` was applied.
   *
   * @param sent when the request that proves it was sent: the reply may have been on its way for long
   */
  renew(sent: Moment, coveredSince: number): void {
    this.#proof = sent;
    this.#seenMs = 0;
    this.#coveredSince = coveredSince;
  }

  /** The log is not the one that was read: nothing is proven until it was read to its end again. */
  revoke(): void {
    this.#proof = undefined;
  }

  /** Something was read that is not understood, and may matter until then. */
  distrust(untilAt: number): void {
    this.#distrustedUntilAt = Math.max(this.#distrustedUntilAt, untilAt);
  }

  stop(): void {
    this.#stopped = true;
  }

  freshness(now = momentOf(this.clock)): Freshness {
    const ageMs = this.#age(now);
    return { state: this.#state(ageMs, now), ageMs, coveredSince: this.#coveredSince };
  }

  #state(ageMs: number, { wall }: Moment): Freshness['state'] {
    if (this.#stopped) return 'stopped';
    if (ageMs === Infinity) return 'catching-up';
    return ageMs > this.maxStalenessMs || wall < this.#distrustedUntilAt ? 'stale' : 'live';
  }

  /**
   * By the clock that says more; without end when they contradict each other. What has ended does not begin
   * again because a clock is set back: no age is less than one that was seen.
   */
  #age({ wall, mono }: Moment): number {
    if (!this.#proof) return Infinity;
    const wallMs = wall - this.#proof.wall;
    const monoMs = mono - this.#proof.mono;
    const ageMs = Math.abs(wallMs - monoMs) > MOST_DRIFT_MS ? Infinity : Math.max(wallMs, monoMs);
    return (this.#seenMs = Math.max(this.#seenMs, ageMs));
  }
}
