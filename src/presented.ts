import type { Moment } from './core/clock.js';
import type { Token } from './verify/compact-jws.js';

/** A token as it was presented: when by our clock, and by what was revoked. */
export interface Presented {
  readonly text: string;
  /** Where it is remembered, and the name of what is under way about it. */
  readonly key: string;
  readonly at: Moment;
  /** The newest revocation at the time; an older one when the token turns out to be known since then. */
  version: number;
  /** What it says, once somebody has read it. */
  read?: Token;
}
