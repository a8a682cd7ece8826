import type { Revocation, RevocationLogContext } from 'nestjs-genauth';

import { SystemClock } from '../../../dist/core/clock.js';

/** Surroundings of a log that does nothing but hand over its facts. */
export function plainContext(apply: (facts: readonly Revocation[]) => void): RevocationLogContext {
  return {
    clock: new SystemClock(),
    maxTokenLifetimeMs: 14 * 86_400_000,
    maxStalenessMs: 10_000,
    apply,
    held: () => [],
    deliver: () => Promise.resolve(),
  };
}
