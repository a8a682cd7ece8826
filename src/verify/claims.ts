import { TokenError, type TokenRefusal } from '../core/errors.js';
import { isName, type JsonObject } from '../core/json.js';
import type { Principal } from '../core/principal.js';
import type { ResolvedApplication } from '../genauth.options.js';

const ACCESS_TOKEN_TYPES = /^(?:application\/)?(?:jwt|at\+jwt)$/i;
const AT_JWT = /^(?:application\/)?at\+jwt$/i;

/** Header members that change what a token means. None is understood here, so none is ignored. */
const NOT_UNDERSTOOD: readonly (readonly [name: string, reason: TokenRefusal])[] = [
  ['crit', 'critical_header'],
  ['b64', 'critical_header'],
  ['zip', 'compressed'],
  ['enc', 'encrypted'],
  ['cty', 'nested'],
];

/**
 * What the header must say before any key is looked for (RFC 7515 §4.1, RFC 8725 §3).
 *
 * @param types what `typ` may be, where there is one; by default what an access token says
 * @returns the algorithm, one of the configured ones
 * @throws {TokenError}
 */
export function judgeHeader(
  header: JsonObject,
  { algorithms }: Pick<ResolvedApplication, 'algorithms'>,
  types = ACCESS_TOKEN_TYPES,
): string {
  for (const [name, reason] of NOT_UNDERSTOOD) {
    if (name in header) throw new TokenError(reason, `'${name}' has no place in the header`);
  }
  const { alg, typ, kid } = header;
  if (typeof alg !== 'string' || !(algorithms as readonly string[]).includes(alg)) {
    throw new TokenError('algorithm', "'alg' is not among the configured algorithms");
  }
  if (kid !== undefined && !isName(kid)) {
    throw new TokenError('header_type', "'kid' must be a string");
  }
  if (!isAmong(typ, types)) {
    throw new TokenError('token_type', "'typ' is that of another kind of token");
  }
  return alg;
}

/** A `typ` may be left out (RFC 7519 §5.1). */
function isAmong(typ: unknown, types: RegExp): boolean {
  return typ === undefined || (isName(typ) && types.test(typ));
}

/** Members that only other kinds of token have: ID tokens, security events, logout tokens. */
const FOREIGN = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events', 'toe'] as const;

/**
 * Whether the claims are those of an access token. One key signs ID tokens and access tokens, and both
 * say `typ: JWT`, so the claims must tell them apart (RFC 8725 §3.12).
 *
 * @throws {TokenError}
 */
export function judgeKind(header: JsonObject, claims: JsonObject): void {
  const foreign = FOREIGN.find((name) => name in claims);
  if (foreign)
    throw new TokenError('not_an_access_token', `'${foreign}' is not an access token's claim`);
  if ('cnf' in claims) {
    throw new TokenError('sender_constrained', "bound to a key ('cnf'): no plain bearer token");
  }
  if (typeof header['typ'] === 'string' && AT_JWT.test(header['typ'])) return;
  if (typeof claims['scope'] !== 'string' || typeof claims['jti'] !== 'string') {
    throw new TokenError('not_an_access_token', "an access token has a string 'scope' and a 'jti'");
  }
}

/** Whether the token was issued by and for the application (RFC 7519 §4.1.1, §4.1.3). @throws {TokenError} */
export function judgeParties(principal: Principal, application: ResolvedApplication): void {
  if (!application.issuers.includes(principal.issuer)) {
    throw new TokenError('issuer', "'iss' is not a configured issuer");
  }
  if (principal.audience.length === 0) throw new TokenError('claim_missing', "'aud' is required");
  if (!isAudience(application, principal.audience, principal.claims['azp'])) {
    throw new TokenError('audience', "'aud' names no configured audience");
  }
}

/** Whether a token with these claims is meant for the application. */
export function isAudience(
  application: ResolvedApplication,
  audience: readonly unknown[],
  authorizedParty: unknown,
): boolean {
  if (audience.some((one) => application.audiences.includes(one as string))) return true;
  return application.acceptAuthorizedParty && authorizedParty === application.appId;
}

/** Whether the token is alive at `now` (RFC 7519 §4.1.4–§4.1.6). @throws {TokenError} */
export function judgeTimes(principal: Principal, now: number, toleranceMs: number): void {
  if (now >= principal.expiresAt + toleranceMs) throw new TokenError('expired', "'exp' has passed");
  if ((principal.notBeforeAt ?? -Infinity) > now + toleranceMs) {
    throw new TokenError('not_yet_valid', "'nbf' is yet to come");
  }
  if ((principal.issuedAt ?? -Infinity) > now + toleranceMs) {
    throw new TokenError('issued_in_future', "'iat' is yet to come: compare the clocks");
  }
}
