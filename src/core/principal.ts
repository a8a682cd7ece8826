import { TokenError } from './errors.js';
import { isName, type JsonObject } from './json.js';
import { SharedLists } from './shared-lists.js';

/**
 * Who a verified token speaks for. Frozen all the way down; never holds the token itself.
 *
 * Instants are epoch milliseconds.
 */
export interface Principal {
  /** The configured application that vouches for the token. */
  readonly appId: string;
  /** Identity of the token: a digest of what was signed. The same for every spelling of one token. */
  readonly id: string;
  /** `iss`, one of the application's configured issuers. */
  readonly issuer: string;
  /** `sub`: the user. Absent from machine-to-machine tokens. */
  readonly sub?: string;
  /** The client the token was issued to: `client_id`, else `azp`, else a lone `aud`. */
  readonly clientId?: string;
  /** `aud`, always as a list. */
  readonly audience: readonly string[];
  /** `scope`, split at spaces. */
  readonly scopes: readonly string[];
  /** `exp`. */
  readonly expiresAt: number;
  /** `iat`. */
  readonly issuedAt?: number;
  /** `nbf`. */
  readonly notBeforeAt?: number;
  /** `jti`. */
  readonly tokenId?: string;
  /** `sid`. */
  readonly sessionId?: string;
  /** Every claim, or every member of the introspection answer, as received. */
  readonly claims: JsonObject;
}

/**
 * The claims in the terms of this library. Says nothing about whether the token may be used.
 *
 * @throws {TokenError} a claim that decides something here has the wrong type
 */
export function principalOf(claims: JsonObject, appId: string, id: string): Principal {
  const audience = audienceOf(claims);
  const lone = audience.length === 1 ? audience[0] : undefined;
  const principal: Complete = {
    appId,
    id,
    issuer: required(claims, 'iss', text),
    audience,
    scopes: SCOPES.of(text(claims, 'scope') ?? ''),
    expiresAt: required(claims, 'exp', instant),
    claims,
  };
  set(principal, 'sub', text(claims, 'sub'));
  set(principal, 'clientId', text(claims, 'client_id') ?? text(claims, 'azp') ?? lone);
  set(principal, 'issuedAt', instant(claims, 'iat'));
  set(principal, 'notBeforeAt', instant(claims, 'nbf'));
  set(principal, 'tokenId', text(claims, 'jti'));
  set(principal, 'sessionId', text(claims, 'sid'));
  return Object.freeze(principal);
}

type Complete = { -readonly [Name in keyof Principal]: Principal[Name] };

const SCOPES = new SharedLists((scope) => scope.split(' ').filter(Boolean));
const AUDIENCES = new SharedLists((audience) => [audience]);

/** What has no value is left out. */
function set<Name extends keyof Complete>(
  principal: Complete,
  name: Name,
  value: Complete[Name] | undefined,
): void {
  if (value !== undefined) principal[name] = value;
}

/**
 * Every client that may claim the token as its own. Where it does not say `client_id`, that is the application
 * itself and each audience: GenAuth writes the client's id there, unless told otherwise.
 */
export function clientsOf(principal: Principal): ReadonlySet<string> {
  const { client_id: clientId, azp } = principal.claims;
  const named = [clientId, azp].filter((name) => typeof name === 'string');
  if (clientId !== undefined) return new Set(named);
  return new Set([...named, principal.appId, ...principal.audience]);
}

// More than any issuer writes; each costs a digest when revocations are held against it.
const MOST_AUDIENCES = 64;

function audienceOf(claims: JsonObject): readonly string[] {
  const { aud = [] } = claims;
  if (isName(aud)) return AUDIENCES.of(aud);
  if (!Array.isArray(aud) || aud.length > MOST_AUDIENCES || !aud.every(isName)) {
    throw wrongType('aud');
  }
  return Object.freeze(aud as string[]);
}

function text(claims: JsonObject, name: string): string | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  // An empty `scope` is a legitimate way to say "none"; an empty name of anything is not.
  if (isName(value) || (name === 'scope' && value === '')) return value;
  throw wrongType(name);
}

/** JWT seconds as epoch milliseconds; NaN for what is no number. Anything may stand in a token. */
export function instantOf(seconds: unknown): number {
  return typeof seconds === 'number' ? seconds * 1_000 : NaN;
}

// The last instant a Date can hold; beyond it arithmetic on milliseconds is not exact.
const LATEST = 8.64e15;

function instant(claims: JsonObject, name: string): number | undefined {
  const seconds = claims[name];
  if (seconds === undefined) return undefined;
  if (typeof seconds !== 'number' || !(Math.abs(seconds) * 1_000 <= LATEST)) throw wrongType(name);
  return seconds * 1_000;
}

function required<T>(
  claims: JsonObject,
  name: string,
  read: (claims: JsonObject, name: string) => T | undefined,
): T {
  const value = read(claims, name);
  if (value === undefined) throw new TokenError('claim_missing', `the claim '${name}' is required`);
  return value;
}

function wrongType(name: string): TokenError {
  return new TokenError('claim_type', `the claim '${name}' has a value of the wrong type`);
}
