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
  #freshness: Freshness = { state: 'catching-up', ageMs: 0, coveredSince: Infinity };

  override start({ clock }: RevocationLogContext): Promise<void> {
    this.#freshness = { state: 'live', ageMs: 0, coveredSince: clock.wall() };
    return Promise.resolve();
  }

  override append(): Promise<void> {
    if (this.#freshness.state === 'live') return Promise.resolve();
    return Promise.reject(new Error('the in-process revocation log is not running'));
  }

  override freshness(): Freshness {
    return this.#freshness;
  }

  override stop(): Promise<void> {
    this.#freshness = { ...this.#freshness, state: 'stopped' };
    return Promise.resolve();
  }
}
