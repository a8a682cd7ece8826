import type { Demands } from './core/demands.js';
import type { Token } from './verify/compact-jws.js';

/** A token as it was presented: when by our clock, and by what was revoked. */
export interface Presented {
  readonly text: string;
  /** Where it is remembered. */
  readonly key: string;
  readonly at: number;
  readonly version: number;
  /** What it says, once somebody has read it. */
  read?: Token;
}

/** What is found of a token can depend on whose it has to be: the name of what is found. */
export function nameOf({ key }: Presented, { appId }: Demands): string {
  return appId === undefined ? key : `${key} ${appId}`;
}
