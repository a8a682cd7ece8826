/** What rows are called; the goals look for them. */
export const OURS = 'nestjs-genauth';
export const HASH_AND_MAP = 'SHA-256 + Map';
export const CRYPTO_VERIFY = 'crypto.verify';

export const REMEMBERED = 'remembered token';
/** As `REMEMBERED`, through the promise of `TokenService.verify`. */
export const AWAITED = 'remembered token, TokenService.verify awaited';
export const BESIDE_OTHERS = 'remembered token, beside all others';
export const FIRST_HIT = 'remembered token, its first hit';
export const DENY_CHECK = 'deny check';
export const WHOLE_CHECK = 'TokenService.check: times, key and deny check';
export const NO_REVOCATION = 'no revocation';

export function firstSeenOf(alg: string): string {
  return `first-seen ${alg} token`;
}
