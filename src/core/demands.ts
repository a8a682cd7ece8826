import { InsufficientScopeError, TokenError } from './errors.js';
import type { Principal } from './principal.js';
import { missingScopes } from './scopes.js';

/** What a route, or a caller of `verify`, asks of a token beyond being good. */
export interface Demands {
  /** The token must be for one of these: exact members of `aud`. Narrows what is configured. */
  readonly audience?: string | readonly string[] | undefined;
  /** Every one of these must be granted, by GenAuth's wildcard rules. */
  readonly scopes?: readonly string[] | undefined;
  /** How old GenAuth's own word on the token may be, milliseconds; 0: asked within this millisecond. */
  readonly maxAge?: number | undefined;
  /** With several applications, the one the token must be of. */
  readonly appId?: string | undefined;
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isTexts = (value: unknown): boolean => Array.isArray(value) && value.every(isText);

const KINDS: readonly (readonly [string, isGood: (value: unknown) => boolean, what: string])[] = [
  ['audience', (value) => isText(value) || isTexts(value), 'a string or a list of strings'],
  ['scopes', isTexts, 'a list of strings'],
  ['maxAge', (value) => typeof value === 'number' && value >= 0, 'milliseconds, 0 or more'],
  ['appId', isText, 'a string'],
];

/** A demand that is misspelled would be none: what no compiler has checked is. @throws {TypeError} */
export function checkDemands(demands: Demands): void {
  for (const name in demands) {
    const kind = KINDS.find(([known]) => known === name);
    if (!kind) {
      const known = KINDS.map(([one]) => one).join(', ');
      throw new TypeError(`'${name}' is nothing that can be asked of a token: there are ${known}`);
    }
    const [, isGood, what] = kind;
    const value = demands[name as keyof Demands];
    if (value !== undefined && !isGood(value)) throw new TypeError(`'${name}' must be ${what}`);
  }
}

/**
 * Holds the demands that need nothing but the principal against it.
 *
 * @throws {TokenError} the token is of another application or for another audience
 * @throws {InsufficientScopeError} a scope is missing
 */
export function judgeDemands(principal: Principal, { audience, scopes, appId }: Demands): void {
  if (appId !== undefined && principal.appId !== appId) {
    throw new TokenError('audience', 'the token is of another configured application');
  }
  if (
    audience !== undefined &&
    ![audience].flat().some((one) => principal.audience.includes(one))
  ) {
    throw new TokenError('audience', "'aud' names no audience that is asked for here");
  }
  if (scopes !== undefined && missingScopes(principal.scopes, scopes).length > 0) {
    throw new InsufficientScopeError(scopes);
  }
}
