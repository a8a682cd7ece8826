import { type Clock, latestWall } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { clientsOf, principalOf } from '../core/principal.js';
import type { GenAuthClient } from '../genauth.client.js';
import type { ResolvedApplication, ResolvedOptions } from '../genauth.options.js';
import { isAudience, judgeTimes } from './claims.js';
import type { Token } from './compact-jws.js';
import { TokenVerifier, type Verified } from './token-verifier.js';

/** GenAuth's word on a token, judged. */
export interface Vouched {
  readonly answer: JsonObject;
  /** When the question left. Wall time. */
  readonly vouchedAt: number;
}

/** Verifies opaque access tokens by asking GenAuth (RFC 7662), and confirms tokens verified otherwise. */
export class IntrospectionVerifier extends TokenVerifier {
  constructor(
    private readonly application: ResolvedApplication,
    private readonly client: GenAuthClient,
    private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    super();
  }

  override async verify(token: Token): Promise<Verified> {
    const { answer, vouchedAt } = await this.#ask(token);
    // GenAuth leaves token_type out for refresh tokens: without it this may be one.
    if (answer['token_type'] === undefined) {
      throw new TokenError('not_an_access_token', "the introspected 'token_type' is missing");
    }
    const { aud, client_id: clientId, azp } = answer;
    if (!isAudience(this.application, [aud ?? clientId ?? []].flat(), azp)) {
      throw new TokenError('audience', "the introspected 'aud' or 'client_id' is not ours");
    }
    // An engine may name an opaque token by itself, and a principal never holds its token.
    const claims = claimsOf(
      answer['jti'] === token.text ? { ...answer, jti: undefined } : answer,
      this.application.issuers[0] as string,
    );
    const principal = principalOf(claims, this.application.appId, token.id);
    judgeTimes(principal, latestWall(this.clock), this.options.clockToleranceMs);
    return { principal, vouchedAt };
  }

  /** GenAuth's word on a token whose principal is already known: the two must speak of the same token. */
  async confirm(token: Token, { principal, keyId }: Verified): Promise<Verified> {
    if (token.form === 'opaque') return this.verify(token);
    const { answer, vouchedAt } = await this.#ask(token);
    const same = (['jti', 'sub', 'exp', 'iat'] as const).every((name) => {
      const said = answer[name];
      return said === undefined || [said, numberOf(said)].includes(token.claims[name]);
    });
    const { aud, client_id: clientId, azp } = answer;
    const parties = [aud ?? clientId ?? []].flat();
    const ours = isAudience(this.application, parties, azp);
    if (!same || !(ours || parties.some((one) => clientsOf(principal).has(one as string)))) {
      throw new TokenError('audience', 'the introspection answer is about another token');
    }
    return { principal, vouchedAt, ...(keyId !== undefined && { keyId }) };
  }

  async #ask(token: Token): Promise<Vouched> {
    const { answer, sentAt } = await this.client.introspect(
      this.application,
      token.text,
      'access_token',
    );
    if (answer['active'] !== true)
      throw new TokenError('inactive', 'GenAuth says it is not active');
    const { iss, token_type: type } = answer;
    if (iss !== undefined && !this.application.issuers.includes(iss as string)) {
      throw new TokenError('issuer', "the introspected 'iss' is not a configured issuer");
    }
    if ('cnf' in answer) {
      throw new TokenError('sender_constrained', "bound to a key ('cnf'): no plain bearer token");
    }
    if (type !== undefined && !isBearer(type)) {
      throw new TokenError('not_an_access_token', "the introspected 'token_type' is not Bearer");
    }
    return { answer, vouchedAt: sentAt };
  }
}

/**
 * The answer as claims. GenAuth may spell numbers as strings, and may leave `iss` out.
 */
export function claimsOf(answer: JsonObject, issuer: string): JsonObject {
  const times = ['exp', 'iat', 'nbf']
    .filter((name) => answer[name] !== undefined)
    .map((name) => [name, numberOf(answer[name])]);
  return Object.freeze({ iss: issuer, ...answer, ...Object.fromEntries(times) });
}

function numberOf(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value;
}

function isBearer(type: unknown): boolean {
  return typeof type === 'string' && type.toLowerCase() === 'bearer';
}
