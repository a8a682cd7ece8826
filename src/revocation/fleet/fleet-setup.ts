import type { Clock } from '../../core/clock.js';

/** What every log of a fleet goes by, whatever it is kept in. */
export interface FleetSetup {
  readonly clock: Clock;
  readonly maxTokenLifetimeMs: number;
  readonly heartbeatMs: number;
  readonly rpcTimeoutMs: number;
  /** Least time between two proofs. */
  readonly minPollGapMs: number;
  readonly ackTimeoutMs: number;
}
