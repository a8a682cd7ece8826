import type { Clock } from './clock.js';
import type { Revocation } from './revocation.js';

/** What a log knows about how current this process is. Instants are epoch milliseconds. */
export interface Freshness {
  /**
   * `live`: everything acknowledged up to a moment ago was applied. `catching-up`: not read to the end
   * since the start. `stale`: the proof of being current is too old. `stopped`: closed.
   */
  readonly state: 'catching-up' | 'live' | 'stale' | 'stopped';
  /** Age of the proof that the log was read to its end. */
  readonly ageMs: number;
  /** The log vouches only for tokens issued at or after this instant of our clock. */
  readonly coveredSince: number;
}

/** What a log is given at start. */
export interface RevocationLogContext {
  readonly clock: Clock;
  readonly maxTokenLifetimeMs: number;
  readonly maxStalenessMs: number;
  /**
   * Takes in facts that came from elsewhere. Synchronous, idempotent, order-free. While the log is
   * `catching-up` they are history: they deny, but are reported to no listener.
   */
  apply(facts: readonly Revocation[]): void;
}

/**
 * The durable, replicated truth behind the index. Implement it to share revocations between processes.
 *
 * A log may deliver facts late, repeated and in any order, but must not lose what it acknowledged, and
 * must not call itself `live` unless it knows that it has applied everything acknowledged before.
 *
 * @example
 * GenAuthModule.forRoot({ appId, appSecret, appHost, revocation: { log: new InProcessRevocationLog() } })
 */
export abstract class RevocationLog {
  /** Begins to read. Resolves when first `live`, rejects when it knows that it will not become so. */
  abstract start(context: RevocationLogContext): Promise<void>;
  /** Resolves when the facts are durable as configured. Rejects when that is not known in time. */
  abstract append(facts: readonly Revocation[]): Promise<void>;
  /** Synchronous, and read anew for every decision. */
  abstract freshness(): Freshness;
  /** Ends every timer and socket. Afterwards `freshness().state` is `stopped`. */
  abstract stop(): Promise<void>;
}
