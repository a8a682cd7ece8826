import { type Clock, type Moment, momentOf } from '../core/clock.js';
import {
  type Freshness,
  RevocationLog,
  type RevocationLogContext,
} from '../core/revocation-log.js';

/**
 * A log for one process: what happens here is all there is, so it is always current.
 *
 * It remembers nothing across a restart and says so: tokens issued before it started are not covered,
 * and GenAuth is asked about them once.
 */
export class InProcessRevocationLog extends RevocationLog {
  #state: Freshness['state'] = 'catching-up';
  #clock: Clock | undefined;
  #startedMono = 0;
  #coveredSince = -Infinity;

  override start({ clock }: RevocationLogContext): Promise<void> {
    this.#clock = clock;
    this.#startedMono = clock.mono();
    this.#state = 'live';
    return Promise.resolve();
  }

  override append(): Promise<void> {
    if (this.#state === 'live') return Promise.resolve();
    return Promise.reject(new Error('the in-process revocation log is not running'));
  }

  override freshness(now?: Moment): Freshness {
    return { state: this.#state, ageMs: 0, coveredSince: this.#startedAt(now) };
  }

  override stop(): Promise<void> {
    this.#state = 'stopped';
    return Promise.resolve();
  }

  /** When it started, as every clock says that was: one that was slow then may have been put right since. */
  #startedAt(now = this.#clock && momentOf(this.#clock)): number {
    if (!this.#clock || !now) return Infinity;
    const startedAt = now.wall - (now.mono - this.#startedMono);
    return (this.#coveredSince = Math.max(this.#coveredSince, startedAt));
  }
}
