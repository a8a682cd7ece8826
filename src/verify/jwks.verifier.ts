import { type Clock, latestWall } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { principalOf } from '../core/principal.js';
import type { ResolvedApplication, ResolvedOptions } from '../genauth.options.js';
import { judgeHeader, judgeKind, judgeParties, judgeTimes } from './claims.js';
import type { Token } from './compact-jws.js';
import type { KeySet } from './key-set.js';
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
    const { header, claims, signingInput, signature } = token;
    const alg = judgeHeader(header, this.application);
    const key = await this.keys.find(header['kid'] as string | undefined, alg);
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
