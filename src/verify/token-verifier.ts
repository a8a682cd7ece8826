import type { Principal } from '../core/principal.js';
import type { Finding, Revocation } from '../core/revocation.js';
import type { Token } from './compact-jws.js';

/** A principal together with what its standing rests on. */
export interface Verified extends Finding {
  readonly principal: Principal;
  /** The key that signed the token, when the signature was checked here. */
  readonly keyId?: string;
  /** When GenAuth was asked, with the answer "active". Wall time. */
  readonly vouchedAt?: number;
  /** Which revocations were known in this process when it was asked. */
  readonly vouchedVersion?: number;
  /** Which were known when the token was first presented here. Written when it is accepted, and only then. */
  presentedVersion?: number;
}

/**
 * What denies this very token. One that rests on GenAuth's word has no expiry but by that, and its next word may
 * name another one: such a token is denied until `longestAt`, when every token of now is dead.
 */
export function tombstoneOf({ principal, keyId }: Verified, longestAt: number): Revocation {
  const { id: key, expiresAt } = principal;
  if (keyId !== undefined) return { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
  return { kind: 'token', key, keepUntilAt: Math.max(expiresAt, longestAt) };
}

/** The seam between a token and who it speaks for. */
export abstract class TokenVerifier {
  /**
   * @throws {TokenError} the token is refused, definitely
   * @throws {GenAuthUnavailableError} GenAuth was needed and gave no usable answer
   */
  abstract verify(token: Token): Promise<Verified>;
}
