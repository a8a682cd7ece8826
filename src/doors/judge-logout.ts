import { isJsonObject, isName, type JsonObject } from '../core/json.js';
import { instantOf } from '../core/principal.js';
import { NO_SESSION, type Target } from '../core/revocation.js';
import type { ResolvedApplication } from '../genauth.options.js';
import type { News } from '../intake.js';
import type { ResolvedBackchannelLogout } from './backchannel-logout.options.js';
import { RefusedNews } from './refused-news.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

/** `typ` of a logout token, where there is one: recommended, not required (OIDC Back-Channel Logout 1.0 §2.4). */
export const LOGOUT_TOKEN_TYPES = /^(?:application\/)?(?:jwt|logout\+jwt)$/i;

/** What else bears on a logout token besides its claims. */
export interface LogoutStanding {
  readonly options: ResolvedBackchannelLogout;
  readonly now: number;
  readonly toleranceMs: number;
}

/**
 * Whether the application is the one that the token is for: it names the client, whose tokens the application
 * accepts. Whom it names besides is its issuer's business.
 *
 * @throws {RefusedNews} `aud` is missing or ill-typed
 */
export function isAddressee({ appId, audiences }: ResolvedApplication, aud: unknown): boolean {
  const named: unknown[] = Array.isArray(aud) ? aud : [aud];
  if (named.length === 0 || !named.every(isName)) {
    throw new RefusedNews("'aud' must be a string or a list of strings");
  }
  return named.some((name) => name === appId || audiences.includes(name));
}

/**
 * What a logout token says, after its signature, issuer and audience were found good
 * (OIDC Back-Channel Logout 1.0 §2.6).
 *
 * @throws {RefusedNews} it is no logout token, or one that is not to be acted on any more
 */
export function judgeLogout(
  claims: JsonObject,
  application: ResolvedApplication,
  standing: LogoutStanding,
): News {
  judgeKind(claims);
  const { happenedAt, repeatableUntilAt } = judgeTimes(claims, standing);
  const jti = name(claims, 'jti');
  if (jti === undefined) throw new RefusedNews("'jti' is required");
  const targets = targetsOf(name(claims, 'sub'), name(claims, 'sid'), standing);
  return {
    source: 'backchannelLogout',
    cuts: targets.map((target) => ({ target, application, happenedAt })),
    message: { issuer: claims['iss'] as string, jti, repeatableUntilAt },
  };
}

/** It says that it is a logout token, and not what would make it pass for an ID token. */
function judgeKind(claims: JsonObject): void {
  if ('nonce' in claims) throw new RefusedNews("'nonce' must not be in a logout token");
  const { events } = claims;
  if (!isJsonObject(events) || !isJsonObject(events[EVENT])) {
    throw new RefusedNews("'events' does not hold the event of a logout, with an object");
  }
}

function judgeTimes(
  claims: JsonObject,
  { now, toleranceMs, options }: LogoutStanding,
): { readonly happenedAt: number; readonly repeatableUntilAt: number } {
  const issuedAt = instant(claims, 'iat');
  if (issuedAt === undefined) throw new RefusedNews("'iat' is required");
  if (issuedAt > now + toleranceMs) throw new RefusedNews("'iat' is yet to come: compare clocks");
  // Issuers that follow a draft write no `exp`; the age of the token is a limit for them too.
  const expiresAt = Math.min(issuedAt + options.maxAgeMs, instant(claims, 'exp') ?? Infinity);
  if (now >= expiresAt + toleranceMs)
    throw new RefusedNews("'exp' has passed, or 'iat' is too old");
  if ((instant(claims, 'nbf') ?? -Infinity) > now + toleranceMs) {
    throw new RefusedNews("'nbf' is yet to come");
  }
  return {
    happenedAt: Math.floor(issuedAt / 1_000) * 1_000,
    repeatableUntilAt: Math.ceil(expiresAt + toleranceMs),
  };
}

/** One session where one is named, and everything of the user where none is (§2.4). */
function targetsOf(
  sub: string | undefined,
  sid: string | undefined,
  { options }: LogoutStanding,
): Target[] {
  if (sid === undefined) {
    if (sub === undefined) throw new RefusedNews("'sub' or 'sid' is required");
    return [{ kind: 'subject', ids: [sub] }];
  }
  const session: Target = { kind: 'session', ids: [sid] };
  if (sub === undefined || options.sessionless === 'keep') return [session];
  return [session, { kind: 'subject', ids: [sub, NO_SESSION] }];
}

function name(claims: JsonObject, member: string): string | undefined {
  const value = claims[member];
  if (value === undefined || isName(value)) return value;
  throw new RefusedNews(`'${member}' must be a string that is not empty`);
}

function instant(claims: JsonObject, member: string): number | undefined {
  if (claims[member] === undefined) return undefined;
  const at = instantOf(claims[member]);
  if (Number.isFinite(at)) return at;
  throw new RefusedNews(`'${member}' must be a number`);
}
