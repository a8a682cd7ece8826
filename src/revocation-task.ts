import { TokenError } from './core/errors.js';
import type { JsonObject } from './core/json.js';
import { type Cause, failed } from './revoker.js';
import type { Application, Applications } from './verify/applications.js';
import { judgeHeader } from './verify/claims.js';
import {
  type JwsToken,
  LONGEST_TOKEN,
  readToken,
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
  /** With several applications, the one the token is of. */
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
  const token = readOrUndefined(canonical);
  if (token === undefined && !isJwtLike(text)) {
    throw failed('invalid_request', 'what is to be revoked is not a token');
  }
  const { appId, reason } = options;
  const chosen = applications.all.filter((one) => one.options.appId === appId);
  if (appId !== undefined && chosen.length === 0) {
    throw failed('invalid_request', "the option 'appId' names no configured application");
  }
  const ofToken = token ? applications.candidates(token) : [];
  const candidates = appId === undefined ? ofToken : chosen;
  return { token, text: canonical, candidates, options, cause: { source: 'revoke', reason } };
}

function readOrUndefined(text: string): Token | undefined {
  try {
    return readToken(text);
  } catch (error) {
    if (error instanceof TokenError) return undefined;
    throw error;
  }
}

/** A JWT that cannot be read cannot be accepted either: like any unknown token, it counts as revoked. */
function isJwtLike(text: unknown): boolean {
  return typeof text === 'string' && text.length <= LONGEST_TOKEN && text.includes('.');
}

/** GenAuth's refresh tokens are opaque; other servers' may be JWTs, and then the caller must say so. */
export function mayBeRefreshToken(
  { form }: Token,
  { cascade, tokenTypeHint }: RevokeOptions,
): boolean {
  return cascade !== false && (form === 'opaque' || tokenTypeHint === 'refresh_token');
}

/** Client and subject of a refresh token; undefined for an access token, which takes nothing with it. */
export function grantIn(
  answer: JsonObject,
  { tokenTypeHint }: RevokeOptions,
): [client: string, subject: string] | undefined {
  const { sub, client_id: clientId, token_type: type } = answer;
  if (typeof type === 'string' && tokenTypeHint !== 'refresh_token') return undefined;
  return typeof clientId === 'string' && typeof sub === 'string' ? [clientId, sub] : undefined;
}

/** Whether the application could certainly never accept the token, by its header and the keys at hand. */
export function isForged(
  { header, signingInput, signature }: JwsToken,
  { options, keys }: Application,
): boolean {
  let alg: string;
  try {
    alg = judgeHeader(header, options);
  } catch {
    return true;
  }
  try {
    const key = keys.peek(header['kid'] as string | undefined, alg);
    return key !== undefined && !key.verifies(alg, signingInput, signature);
  } catch {
    return false;
  }
}
