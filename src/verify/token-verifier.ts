import type { Principal } from '../core/principal.js';
import type { Finding } from '../core/revocation.js';
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

/** The seam between a token and who it speaks for. */
export abstract class TokenVerifier {
  /**
   * @throws {TokenError} the token is refused, definitely
   * @throws {GenAuthUnavailableError} GenAuth was needed and gave no usable answer
   */
  abstract verify(token: Token): Promise<Verified>;
}
