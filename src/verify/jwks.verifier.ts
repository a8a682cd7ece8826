import { type Clock, latestWall } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { principalOf } from '../core/principal.js';
import type { ResolvedApplication, ResolvedOptions } from '../genauth.options.js';
import { judgeHeader, judgeKind, judgeParties, judgeTimes } from './claims.js';
import type { JwsToken, Token } from './compact-jws.js';
import type { KeySet } from './key-set.js';
import type { SigningKey } from './signing-key.js';
import { TokenVerifier, type Verified } from './token-verifier.js';

/** Verifies JWT access tokens with the application's published keys. */
export class JwksVerifier extends TokenVerifier {
  constructor(
    private readonly application: ResolvedApplication,
    private readonly keys: KeySet,
    private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async verify(token: Token): Promise<Verified> {
    if (token.form !== 'jws')
      throw new TokenError('malformed', 'only a JWT can be verified locally');
    const alg = judgeHeader(token.header, this.application);
    return this.#verifyWith(await this.keys.find(kidOf(token), alg), alg, token);
  }

  /**
   * As `verify`, at once and without a promise. Undefined when the keys have to be fetched first.
   *
   * @throws {TokenError}
   */
  verifyAtOnce(token: JwsToken): Verified | undefined {
    const alg = judgeHeader(token.header, this.application);
    this.keys.refreshAhead();
    const key = this.keys.peek(kidOf(token), alg);
    return key && this.#verifyWith(key, alg, token);
  }

  #verifyWith(key: SigningKey, alg: string, token: JwsToken): Verified {
    const { header, claims, signingInput, signature } = token;
    if (!key.verifies(alg, signingInput, signature)) {
      throw new TokenError('signature', 'the signature does not verify');
    }
    const principal = principalOf(claims, this.application.appId, token.id);
    judgeParties(principal, this.application);
    judgeTimes(principal, latestWall(this.clock), this.options.clockToleranceMs);
    judgeKind(header, claims);
    return { principal, keyId: key.id };
  }
}

function kidOf({ header }: JwsToken): string | undefined {
  return header['kid'] as string | undefined;
}
