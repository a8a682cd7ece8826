/** What rows are called; the goals look for them. */
export const OURS = 'nestjs-genauth';
export const HASH_AND_MAP = 'SHA-256 + Map';
export const CRYPTO_VERIFY = 'crypto.verify';

export const REMEMBERED = 'remembered token';
export const FIRST_HIT = 'remembered token, its first hit';
export const DENY_CHECK = 'deny check (TokenService.check)';
export const NO_REVOCATION = 'no revocation';

export function firstSeenOf(alg: string): string {
  return `first-seen ${alg} token`;
}
