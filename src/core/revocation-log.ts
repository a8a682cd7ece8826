import type { Clock, Moment } from './clock.js';
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
  /** Every fact this process holds that can still matter: for a log that has lost what it acknowledged. */
  held(): Iterable<Revocation>;
  /** Runs an errand. Rejects when it is to be run again later. */
  deliver(errand: string): Promise<void>;
}

/** What is left to be done outside when the facts are durable: GenAuth is to be told. */
export interface Errand {
  /** What `deliver` is given, in this process or in another. Secret: it holds a token. */
  readonly text: string;
  /** After this instant nobody is served by it any more. */
  readonly dueUntilAt: number;
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
  /**
   * Resolves when the facts are durable as configured. Rejects when that is not known in time; they are
   * then tried again for as long as they matter. An errand becomes durable with the facts or not at all.
   */
  abstract append(facts: readonly Revocation[], errand?: Errand): Promise<void>;
  /** Synchronous, and asked anew for every decision. @param now what the clocks say, for who has just read them */
  abstract freshness(now?: Moment): Freshness;
  /** Ends every timer and socket. Afterwards `freshness().state` is `stopped`. */
  abstract stop(): Promise<void>;

  /** Whether an errand appended now is kept until some process has run it. A log that says no ignores it. */
  get keepsErrands(): boolean {
    return false;
  }

  /** An errand that was appended here has been run meanwhile: nobody else has to. */
  withdraw(_errand: Errand): void {}
}
