import { Injectable } from '@nestjs/common';

import { Clock, latestWall } from '../core/clock.js';
import { ResolvedOptions } from '../genauth.options.js';
import type { News } from '../intake.js';
import { type Application, Applications } from '../verify/applications.js';
import { judgeHeader } from '../verify/claims.js';
import { type JwsToken, readToken } from '../verify/compact-jws.js';
import { ResolvedBackchannelLogout } from './backchannel-logout.options.js';
import { isAddressee, judgeLogout, LOGOUT_TOKEN_TYPES } from './judge-logout.js';
import { RefusedNews } from './refused-news.js';

/** Verifies logout tokens (OIDC Back-Channel Logout 1.0 §2.6) with the keys that access tokens are verified with. */
@Injectable()
export class LogoutTokenVerifier {
  constructor(
    private readonly applications: Applications,
    private readonly shared: ResolvedOptions,
    private readonly options: ResolvedBackchannelLogout,
    private readonly clock: Clock,
  ) {}

  /**
   * What the token says is over.
   *
   * @throws {TokenError} it is no signed token, or not by a key of its issuer
   * @throws {RefusedNews} it is no logout token, not for a configured application, or too old
   * @throws {GenAuthUnavailableError} the keys could not be fetched, so nothing can be said
   */
  async verify(text: string): Promise<News> {
    const token = readToken(text);
    if (token.form !== 'jws') throw new RefusedNews('a logout token is a signed JWT');
    const { options: application, keys } = this.#addresseeOf(token);
    const { header, claims, signingInput, signature } = token;
    const alg = judgeHeader(header, application, LOGOUT_TOKEN_TYPES);
    const key = await keys.findForGood(header['kid'] as string | undefined, alg);
    if (!key.verifies(alg, signingInput, signature)) {
      throw new RefusedNews('the signature does not verify');
    }
    return judgeLogout(claims, application, {
      options: this.options,
      now: latestWall(this.clock),
      toleranceMs: this.shared.clockToleranceMs,
    });
  }

  #addresseeOf({ claims: { iss, aud } }: JwsToken): Application {
    const ofIssuer = this.applications.all.filter(({ options }) =>
      options.issuers.includes(iss as string),
    );
    if (ofIssuer.length === 0) throw new RefusedNews("'iss' is not a configured issuer");
    const addressee = ofIssuer.find(({ options }) => isAddressee(options, aud));
    if (!addressee) throw new RefusedNews("'aud' names no configured application");
    return addressee;
  }
}
