import { Injectable } from '@nestjs/common';

import { Clock } from '../core/clock.js';
import { GenAuthUnavailableError, TokenError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { GenAuthClient } from '../genauth.client.js';
import { type ResolvedApplication, ResolvedOptions } from '../genauth.options.js';
import { isAudience } from './claims.js';
import type { JwsToken, Token } from './compact-jws.js';
import { IntrospectionVerifier } from './introspection.verifier.js';
import { JwksVerifier } from './jwks.verifier.js';
import { KeySet } from './key-set.js';
import { PrincipalCache } from './principal-cache.js';
import type { Verified } from './token-verifier.js';

/** One configured application with what verifies its tokens. */
export interface Application {
  readonly options: ResolvedApplication;
  readonly keys: KeySet;
  readonly local: JwksVerifier;
  readonly online: IntrospectionVerifier;
}

/** The configured applications, and which of them a token belongs to. */
@Injectable()
export class Applications {
  readonly all: readonly Application[];
  readonly #byId: ReadonlyMap<string, Application>;

  constructor(
    options: ResolvedOptions,
    client: GenAuthClient,
    cache: PrincipalCache,
    clock: Clock,
  ) {
    this.all = options.applications.map((application) => {
      const keys: KeySet = new KeySet(
        () => client.fetchKeys(application),
        application.algorithms,
        options,
        clock,
        () => void cache.forgetKeys((keyId) => this.all.some((one) => one.keys.holds(keyId))),
      );
      return {
        options: application,
        keys,
        local: new JwksVerifier(application, keys, options, clock),
        online: new IntrospectionVerifier(application, client, options, clock),
      };
    });
    this.#byId = new Map(this.all.map((one) => [one.options.appId, one]));
  }

  byId(appId: string): Application | undefined {
    return this.#byId.get(appId);
  }

  /** Whose token an active answer is about: a server may call the tokens of its other clients active as well. */
  ownerOf(answer: JsonObject, askedAppId: string): Application | undefined {
    const { client_id: clientId } = answer;
    return (
      (typeof clientId === 'string' ? this.byId(clientId) : undefined) ?? this.byId(askedAppId)
    );
  }

  /** The applications whose token this can be: by what a JWT says of itself, or all for an opaque one. */
  candidates(token: Token): readonly Application[] {
    if (token.form === 'opaque') return this.all;
    const ofIssuer = this.all.filter(({ options }) =>
      options.issuers.includes(token.claims['iss'] as string),
    );
    if (ofIssuer.length < 2) return ofIssuer;
    const ofAudience = ofIssuer.filter(({ options }) =>
      isAudience(options, [token.claims['aud']].flat(), token.claims['azp']),
    );
    return ofAudience.length > 0 ? ofAudience : ofIssuer.slice(0, 1);
  }

  /** @throws {TokenError} the token is of none of the configured issuers */
  ofJws(token: JwsToken): Application {
    const [application] = this.candidates(token);
    if (!application) throw new TokenError('issuer', "'iss' is not a configured issuer");
    return application;
  }

  /** Who the token speaks for. @throws {TokenError} and {GenAuthUnavailableError}, as `TokenVerifier` does */
  verify(token: Token, appId: string | undefined): Promise<Verified> {
    if (token.form === 'opaque') return this.#verifyOpaque(token, appId);
    return this.ofJws(token).local.verify(token);
  }

  /** As `verify`, for a JWT that nobody has to be asked about: its key is known. @throws {TokenError} */
  verifyAtOnce(token: JwsToken): Verified | undefined {
    return this.ofJws(token).local.verifyAtOnce(token);
  }

  /** An opaque token does not say whose it is: the applications are asked in the configured order. */
  async #verifyOpaque(token: Token, appId: string | undefined): Promise<Verified> {
    let failure: unknown = new TokenError('issuer', 'no configured application is meant');
    for (const { options, online } of this.candidates(token)) {
      if (appId !== undefined && options.appId !== appId) continue;
      try {
        return await online.verify(token);
      } catch (error) {
        // One server that could not answer keeps all the others' "no" from being definite.
        if (!(failure instanceof GenAuthUnavailableError)) failure = error;
      }
    }
    throw failure;
  }
}
