import { failed } from './core/errors.js';
import type { JsonObject } from './core/json.js';
import type { Cause } from './revoker.js';
import type { Application, Applications } from './verify/applications.js';
import { judgeHeader } from './verify/claims.js';
import {
  type JwsToken,
  isBearerText,
  LONGEST_TOKEN,
  readIfToken,
  respelled,
  type Token,
} from './verify/compact-jws.js';

/** Options of `TokenService.revoke`. */
export interface RevokeOptions {
  /**
   * Passed on to GenAuth (RFC 7009 §2.1). `refresh_token` also takes the access tokens along where the
   * server's answer does not tell the two apart, or the refresh token is a JWT.
   */
  readonly tokenTypeHint?: 'access_token' | 'refresh_token';
  /** Whether a refresh token takes the access tokens of its subject and client with it. @default true */
  readonly cascade?: boolean;
  /** Handed to listeners as it is. Not logged. */
  readonly reason?: string;
  /** `queue` leaves telling GenAuth to the log's durable outbox, and needs a log that has one. @default 'reject' */
  readonly whenUnreachable?: 'reject' | 'queue';
  /** With several applications, the one an opaque token is of. A JWT says so itself. */
  readonly appId?: string;
}

/** What one call to `revoke` is about. */
export interface RevocationTask {
  /** Undefined when the text is a JWT that nothing here could ever accept. */
  readonly token: Token | undefined;
  readonly text: string;
  readonly candidates: readonly Application[];
  readonly options: RevokeOptions;
  readonly cause: Cause;
  /** When the call was made that this finishes, epoch milliseconds; absent in the call itself. */
  readonly at?: number;
}

/**
 * Reads what a caller wants to have revoked.
 *
 * @throws {RevocationError} `invalid_request`: no token, or no such application
 */
export function readTask(
  text: string,
  options: RevokeOptions,
  applications: Applications,
): RevocationTask {
  const canonical = typeof text === 'string' ? respelled(text) : text;
  const token = readIfToken(canonical);
  if (token === undefined && !isJwtLike(text)) {
    throw failed('invalid_request', 'what is to be revoked is not a token');
  }
  const { appId, reason } = options;
  const chosen = applications.all.filter((one) => one.options.appId === appId);
  if (appId !== undefined && chosen.length === 0) {
    throw failed('invalid_request', "the option 'appId' names no configured application");
  }
  const candidates = candidatesOf(token, chosen, applications);
  return { token, text: canonical, candidates, options, cause: { source: 'revoke', reason } };
}

/** A JWT says itself whose it is: another name must not keep it from being revoked. */
function candidatesOf(
  token: Token | undefined,
  chosen: readonly Application[],
  applications: Applications,
): readonly Application[] {
  const ofToken = token ? applications.candidates(token) : [];
  if (chosen.length === 0) return ofToken;
  const named = ofToken.filter((one) => chosen.includes(one));
  if (named.length > 0) return named;
  return token?.form === 'jws' && ofToken.length > 0 ? ofToken : chosen;
}

/** A JWT that cannot be read cannot be accepted either: like any unknown token, it counts as revoked. */
function isJwtLike(text: unknown): boolean {
  return isBearerText(text) && text.length <= LONGEST_TOKEN && text.includes('.');
}

/** GenAuth's refresh tokens are opaque; other servers' may be JWTs, and then the caller must say so. */
export function mayBeRefreshToken(
  { form }: Token,
  { cascade, tokenTypeHint }: RevokeOptions,
): boolean {
  return cascade !== false && (form === 'opaque' || tokenTypeHint === 'refresh_token');
}

/**
 * Client and subject of a refresh token, `unknown` when GenAuth does not say; undefined for an access token,
 * which takes nothing with it.
 */
export function grantIn(
  answer: JsonObject,
  owner: Application,
  { tokenTypeHint }: RevokeOptions,
): readonly [client: string, subject: string] | 'unknown' | undefined {
  const { sub, client_id: clientId, token_type: type } = answer;
  if (typeof type === 'string' && tokenTypeHint !== 'refresh_token') return undefined;
  if (typeof sub !== 'string') return 'unknown';
  return [typeof clientId === 'string' ? clientId : owner.options.appId, sub];
}

/** What the keys at hand say of a JWT's signature. `unusable`: no such header is ever accepted. */
export type Proof = 'signed' | 'forged' | 'unknown_key' | 'unusable';

export function proofOf(token: JwsToken, { options, keys }: Application): Proof {
  let alg: string;
  try {
    alg = judgeHeader(token.header, options);
  } catch {
    return 'unusable';
  }
  try {
    const key = keys.peek(token.header['kid'] as string | undefined, alg);
    if (!key) return 'unknown_key';
    return key.verifies(alg, token.signingInput, token.signature) ? 'signed' : 'forged';
  } catch {
    return 'unknown_key';
  }
}
