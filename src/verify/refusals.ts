import { LRUCache } from 'lru-cache';

import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { ResolvedOptions } from '../genauth.options.js';

/** Refusals of a moment ago, so that the same junk does not cost the same work again. */
export class Refusals {
  readonly #entries: LRUCache<string, { readonly error: TokenError; readonly until: number }>;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    this.#entries = new LRUCache({ max: Math.max(1_000, Math.ceil(options.cacheMax / 10)) });
  }

  /** @throws {TokenError} the refusal that was remembered for this key a moment ago */
  refuseAgain(key: string): void {
    const refusal = this.#entries.get(key);
    if (!refusal) return;
    if (refusal.until > this.clock.wall()) throw refusal.error;
    this.#entries.delete(key);
  }

  /** Remembers a refusal if it cost work and time does not heal it. */
  remember(key: string, error: unknown): void {
    if (!(error instanceof TokenError) || this.options.refusalTtlMs === 0) return;
    if (error.reason !== 'signature' && error.reason !== 'inactive') return;
    this.#entries.set(key, { error, until: this.clock.wall() + this.options.refusalTtlMs });
  }
}
