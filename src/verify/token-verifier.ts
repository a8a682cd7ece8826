import type { Principal } from '../core/principal.js';
import type { Token } from './compact-jws.js';

/** A principal together with what its standing rests on. */
export interface Verified {
  readonly principal: Principal;
  /** The key that signed the token, when the signature was checked here. */
  readonly keyId?: string;
  /** When GenAuth was asked, with the answer "active". Wall time. */
  readonly vouchedAt?: number;
  /** Which revocations were known in this process when it was asked. */
  readonly vouchedVersion?: number;
}

/** The seam between a token and who it speaks for. */
export abstract class TokenVerifier {
  /**
   * @throws {TokenError} the token is refused, definitely
   * @throws {GenAuthUnavailableError} GenAuth was needed and gave no usable answer
   */
  abstract verify(token: Token): Promise<Verified>;
}
