import { randomBytes } from 'node:crypto';

import type { Revocation, RevocationLogContext } from '../../src/index.js';
import { ShiftedClock } from './shifted-clock.js';

const HOUR_MS = 3_600_000;

/** Surroundings of a log that stands alone. */
export function plainContext(own: Partial<RevocationLogContext> = {}): RevocationLogContext {
  return {
    clock: new ShiftedClock(),
    maxTokenLifetimeMs: HOUR_MS,
    maxStalenessMs: 2_000,
    apply: () => undefined,
    held: () => [],
    deliver: () => Promise.resolve(),
    ...own,
  };
}

/** The death of some token that nobody holds. */
export function tombstone(expiresAt = Date.now() + HOUR_MS): Revocation {
  const key = randomBytes(16).toString('base64url');
  return { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
}
