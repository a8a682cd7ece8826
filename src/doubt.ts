import { GenAuthUnavailableError, type Unavailability } from './core/errors.js';
import type { Verdict } from './revocation/revocation-index.js';

/** What only GenAuth can settle. */
export type Doubt = Extract<Verdict, { is: 'unknown' }>;

/** Why a token is refused, for the operator. */
export function wordFor({ by }: Extract<Verdict, { is: 'denied' }>): string {
  if (by === 'presented') return 'it was presented before a cut that covers it';
  return `by a revocation of its ${by}`;
}

const REASONS = {
  boundary: 'revocation_boundary',
  'not-covered': 'log_not_covered',
  'catching-up': 'log_catching_up',
  stale: 'log_stale',
  stopped: 'stopped',
} as const satisfies Record<Doubt['why'], Unavailability>;

/** The doubt as a refusal to answer. */
export function unavailable({ why }: Doubt): GenAuthUnavailableError {
  return new GenAuthUnavailableError(REASONS[why], `only GenAuth could tell (${why})`);
}

/** Whether GenAuth's own word is wanted, and one that was asked for since then. */
export function tooOld(
  { vouchedAt = -Infinity }: { readonly vouchedAt?: number },
  askedSince: number,
  now: number,
): Doubt | undefined {
  // A word from the future was given before our clock was set back: nobody knows how old it is.
  const known = vouchedAt <= now ? vouchedAt : -Infinity;
  return known >= askedSince ? undefined : { is: 'unknown', why: 'not-covered', askedSince };
}
