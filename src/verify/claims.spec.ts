import { describe, it, expect } from '@jest/globals';

import { TokenError, type TokenRefusal } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { principalOf } from '../core/principal.js';
import type { GenAuthApplicationOptions, ResolvedApplication } from '../genauth.options.js';
import { resolveOptions } from '../resolve-options.js';
import { isAudience, judgeHeader, judgeKind, judgeParties, judgeTimes } from './claims.js';

const ISSUER = 'https://example.genauth.ai/oidc';
const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1_000;
const TOLERANCE = 5_000;

function applicationOf(options: Partial<GenAuthApplicationOptions> = {}): ResolvedApplication {
  const resolved = resolveOptions({
    appId: 'app',
    appHost: 'https://example.genauth.ai',
    appSecret: 'secret',
    ...options,
  });
  return resolved.applications[0] as ResolvedApplication;
}

const CLAIMS: JsonObject = {
  iss: ISSUER,
  sub: 'user',
  aud: 'app',
  exp: SECONDS + 600,
  iat: SECONDS,
  jti: 'j1',
  scope: 'openid book:read',
};

function reasonOf(judge: () => void): TokenRefusal | 'accepted' {
  try {
    judge();
    return 'accepted';
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
}

/** Everything that is judged of the claims, in the order of a local verification. */
function reasonFor(
  change: Record<string, unknown>,
  {
    header = { typ: 'JWT' },
    ...options
  }: Partial<GenAuthApplicationOptions> & {
    header?: JsonObject;
  } = {},
): TokenRefusal | 'accepted' {
  const claims = Object.fromEntries(
    Object.entries({ ...CLAIMS, ...change }).filter(([, value]) => value !== undefined),
  );
  return reasonOf(() => {
    const principal = principalOf(claims, 'app', 'id');
    judgeParties(principal, applicationOf(options));
    judgeTimes(principal, NOW, TOLERANCE);
    judgeKind(header, claims);
  });
}

describe('judgeHeader', () => {
  const application = applicationOf({ algorithms: ['RS256', 'ES256'] });
  const judge = (header: JsonObject) => reasonOf(() => judgeHeader(header, application));

  it('returns the algorithm, one of the configured ones', () => {
    expect(judgeHeader({ alg: 'RS256', typ: 'JWT', kid: 'a' }, application)).toBe('RS256');
    expect(judgeHeader({ alg: 'ES256' }, application)).toBe('ES256');
  });

  it.each<[unknown, TokenRefusal | 'accepted']>([
    ['RS256', 'accepted'],
    ['RS384', 'algorithm'],
    ['PS256', 'algorithm'],
    ['HS256', 'algorithm'],
    ['none', 'algorithm'],
    ['None', 'algorithm'],
    ['rs256', 'algorithm'],
    ['RS256 ', 'algorithm'],
    ['', 'algorithm'],
    ['constructor', 'algorithm'],
    ['__proto__', 'algorithm'],
    [undefined, 'algorithm'],
    [null, 'algorithm'],
    [256, 'algorithm'],
    [['RS256'], 'algorithm'],
    [{ alg: 'RS256' }, 'algorithm'],
  ])('alg %j: %s', (alg, expected) => {
    expect(judge({ alg })).toBe(expected);
  });

  it.each<[unknown, TokenRefusal | 'accepted']>([
    [undefined, 'accepted'],
    ['JWT', 'accepted'],
    ['jwt', 'accepted'],
    ['at+jwt', 'accepted'],
    ['AT+JWT', 'accepted'],
    ['application/at+jwt', 'accepted'],
    ['application/jwt', 'accepted'],
    ['dpop+jwt', 'token_type'],
    ['logout+jwt', 'token_type'],
    ['secevent+jwt', 'token_type'],
    ['oauth-authz-req+jwt', 'token_type'],
    ['JOSE', 'token_type'],
    ['at+jwt\n', 'token_type'],
    ['at jwt', 'token_type'],
    ['text/jwt', 'token_type'],
    ['', 'token_type'],
    [null, 'token_type'],
    [1, 'token_type'],
    [['JWT'], 'token_type'],
  ])('typ %j: %s', (typ, expected) => {
    expect(judge(typ === undefined ? { alg: 'RS256' } : { alg: 'RS256', typ })).toBe(expected);
  });

  it.each<[unknown, TokenRefusal | 'accepted']>([
    ['a', 'accepted'],
    ['__proto__', 'accepted'],
    ['', 'header_type'],
    [null, 'header_type'],
    [7, 'header_type'],
    [['a'], 'header_type'],
    [{}, 'header_type'],
  ])('kid %j: %s', (kid, expected) => {
    expect(judge({ alg: 'RS256', kid })).toBe(expected);
  });

  it.each<[string, JsonObject, TokenRefusal]>([
    ['crit with a known name', { crit: ['exp'] }, 'critical_header'],
    ['crit with an unknown name', { crit: ['http://example.com/x'] }, 'critical_header'],
    ['an empty crit', { crit: [] }, 'critical_header'],
    ['a malformed crit', { crit: 'exp' }, 'critical_header'],
    ['crit of null', { crit: null }, 'critical_header'],
    ['b64 of false', { b64: false }, 'critical_header'],
    ['b64 of false in crit', { b64: false, crit: ['b64'] }, 'critical_header'],
    ['b64 of true', { b64: true }, 'critical_header'],
    ['zip', { zip: 'DEF' }, 'compressed'],
    ['enc', { enc: 'A256GCM' }, 'encrypted'],
    ['cty of a nested token', { cty: 'JWT' }, 'nested'],
  ])('refuses %s', (_, members, expected) => {
    expect(judge({ alg: 'RS256', ...members })).toBe(expected);
  });

  it('pays no attention to keys that a token brings along', () => {
    const members = { jwk: { kty: 'oct' }, jku: 'https://evil.example', x5u: 'x', x5c: ['x'] };
    expect(judge({ alg: 'RS256', ...members })).toBe('accepted');
  });
});

describe('times', () => {
  it.each<[string, unknown, TokenRefusal | 'accepted']>([
    ['in ten minutes', SECONDS + 600, 'accepted'],
    ['with a fraction', SECONDS + 0.5, 'accepted'],
    ['just passed, within the tolerance', SECONDS - 4, 'accepted'],
    ['passed by the tolerance', SECONDS - 5, 'expired'],
    ['passed long ago', 1, 'expired'],
    ['negative', -1, 'expired'],
    ['zero', 0, 'expired'],
    ['missing', undefined, 'claim_missing'],
    ['null', null, 'claim_type'],
    ['a string', String(SECONDS + 600), 'claim_type'],
    ['true', true, 'claim_type'],
    ['a list', [SECONDS + 600], 'claim_type'],
    ['infinite', JSON.parse('1e999'), 'claim_type'],
    ['beyond what a date can hold', 1e18, 'claim_type'],
    ['NaN', NaN, 'claim_type'],
  ])('exp %s', (_, exp, expected) => {
    expect(reasonFor({ exp })).toBe(expected);
  });

  it.each<[string, unknown, TokenRefusal | 'accepted']>([
    ['missing', undefined, 'accepted'],
    ['now', SECONDS, 'accepted'],
    ['long ago', 0, 'accepted'],
    ['to come within the tolerance', SECONDS + 5, 'accepted'],
    ['to come beyond the tolerance', SECONDS + 5.001, 'later'],
    ['to come in years', SECONDS * 2, 'later'],
    ['null', null, 'claim_type'],
    ['a string', String(SECONDS), 'claim_type'],
    ['an object', {}, 'claim_type'],
    ['infinite', JSON.parse('-1e999'), 'claim_type'],
  ] as [string, unknown, TokenRefusal][])('nbf and iat %s', (_, at, expected) => {
    const later = (expected as string) === 'later';
    expect(reasonFor({ nbf: at })).toBe(later ? 'not_yet_valid' : expected);
    expect(reasonFor({ iat: at })).toBe(later ? 'issued_in_future' : expected);
  });

  it('kills a token at exp plus tolerance, to the millisecond', () => {
    const principal = principalOf({ ...CLAIMS, exp: SECONDS, iat: SECONDS - 60 }, 'app', 'id');
    expect(reasonOf(() => judgeTimes(principal, NOW + TOLERANCE - 1, TOLERANCE))).toBe('accepted');
    expect(reasonOf(() => judgeTimes(principal, NOW + TOLERANCE, TOLERANCE))).toBe('expired');
    expect(reasonOf(() => judgeTimes(principal, NOW, 0))).toBe('expired');
    expect(reasonOf(() => judgeTimes(principal, NOW - 1, 0))).toBe('accepted');
  });
});

describe('parties', () => {
  it.each<[string, unknown, TokenRefusal | 'accepted']>([
    ['the configured one', ISSUER, 'accepted'],
    ['with a slash at the end', `${ISSUER}/`, 'issuer'],
    ['in capitals', ISSUER.toUpperCase(), 'issuer'],
    ['with something in front', `x${ISSUER}`, 'issuer'],
    ['with something behind', `${ISSUER}.evil.example`, 'issuer'],
    ['of another application', 'https://other.genauth.ai/oidc', 'issuer'],
    ['over http', ISSUER.replace('https', 'http'), 'issuer'],
    ['a dot for any character', ISSUER.replace('.', 'x'), 'issuer'],
    ['missing', undefined, 'claim_missing'],
    ['empty', '', 'claim_type'],
    ['null', null, 'claim_type'],
    ['a list of the configured one', [ISSUER], 'claim_type'],
    ['a number', 1, 'claim_type'],
    ['an object', { toString: 'x' }, 'claim_type'],
  ])('iss %s', (_, iss, expected) => {
    expect(reasonFor({ iss })).toBe(expected);
  });

  it('accepts each of several issuers, exactly', () => {
    const issuer = ['https://a.example/oidc', 'https://b.example/oidc'];
    expect(reasonFor({ iss: issuer[0] }, { issuer })).toBe('accepted');
    expect(reasonFor({ iss: issuer[1] }, { issuer })).toBe('accepted');
    expect(reasonFor({}, { issuer })).toBe('issuer');
  });

  it.each<[string, unknown, TokenRefusal | 'accepted']>([
    ['the application', 'app', 'accepted'],
    ['a list with the application', ['x', 'app'], 'accepted'],
    ['another', 'application', 'audience'],
    ['part of it', 'ap', 'audience'],
    ['with a space', 'app ', 'audience'],
    ['in capitals', 'APP', 'audience'],
    ['a list of others', ['a', 'b'], 'audience'],
    ['a list in one string', 'app,x', 'audience'],
    ['missing', undefined, 'claim_missing'],
    ['an empty list', [], 'claim_missing'],
    ['empty', '', 'claim_type'],
    ['null', null, 'claim_type'],
    ['a number', 7, 'claim_type'],
    ['an object', { 0: 'app', length: 1 }, 'claim_type'],
    ['a list with a number', ['app', 1], 'claim_type'],
    ['a list with null', ['app', null], 'claim_type'],
    ['a list with an empty string', ['app', ''], 'claim_type'],
    ['a list in a list', [['app']], 'claim_type'],
    ['a list of thousands', Array.from({ length: 3_000 }, () => 'app'), 'claim_type'],
  ])('aud %s', (_, aud, expected) => {
    expect(reasonFor({ aud })).toBe(expected);
  });

  it('accepts an authorized party only where that is switched on, and only the application', () => {
    const machine = { aud: 'key', azp: 'app', sub: undefined };
    expect(reasonFor(machine)).toBe('audience');
    expect(reasonFor(machine, { acceptAuthorizedParty: true })).toBe('accepted');
    expect(reasonFor({ ...machine, azp: 'other' }, { acceptAuthorizedParty: true })).toBe(
      'audience',
    );
    expect(reasonFor({ ...machine, azp: ['app'] }, { acceptAuthorizedParty: true })).toBe(
      'claim_type',
    );
    expect(reasonFor({ azp: 'app', aud: undefined }, { acceptAuthorizedParty: true })).toBe(
      'claim_missing',
    );
  });

  it('compares audiences as strings, nothing else', () => {
    const application = applicationOf({ audience: ['1', 'true'] });
    for (const one of [1, true, ['1'], { toString: () => '1' }, null, undefined]) {
      expect(isAudience(application, [one], undefined)).toBe(false);
    }
    expect(isAudience(application, ['1'], undefined)).toBe(true);
  });
});

describe('kind', () => {
  it.each<[string, Record<string, unknown>, TokenRefusal | 'accepted']>([
    ['an access token of GenAuth', {}, 'accepted'],
    ['a machine token, without sub', { sub: undefined }, 'accepted'],
    ['an access token with no scope granted', { scope: '' }, 'accepted'],
    ['an ID token, by nonce', { nonce: 'n' }, 'not_an_access_token'],
    ['an ID token, by at_hash', { at_hash: 'h' }, 'not_an_access_token'],
    ['an ID token, by c_hash', { c_hash: 'h' }, 'not_an_access_token'],
    ['an ID token, by s_hash', { s_hash: 'h' }, 'not_an_access_token'],
    ['an ID token, by a nonce of null', { nonce: null }, 'not_an_access_token'],
    ['an ID token, without scope', { scope: undefined }, 'not_an_access_token'],
    ['a token without jti', { jti: undefined }, 'not_an_access_token'],
    ['a logout token', { events: { backchannel: {} } }, 'not_an_access_token'],
    ['a security event', { toe: SECONDS, events: {} }, 'not_an_access_token'],
    ['a token bound by DPoP', { cnf: { jkt: 'x' } }, 'sender_constrained'],
    ['a token bound by a certificate', { cnf: { 'x5t#S256': 'x' } }, 'sender_constrained'],
    ['a token with an empty cnf', { cnf: {} }, 'sender_constrained'],
    ['a token with a cnf of null', { cnf: null }, 'sender_constrained'],
  ])('%s', (_, change, expected) => {
    expect(reasonFor(change)).toBe(expected);
  });

  it('takes typ at+jwt for what it says: neither scope nor jti is asked for then', () => {
    const header = { typ: 'at+jwt' };
    expect(reasonFor({ scope: undefined, jti: undefined }, { header })).toBe('accepted');
    expect(reasonFor({ nonce: 'n' }, { header })).toBe('not_an_access_token');
    expect(reasonFor({ cnf: {} }, { header })).toBe('sender_constrained');
    expect(reasonFor({ scope: undefined }, { header: {} })).toBe('not_an_access_token');
  });
});

describe('claims of a wrong type', () => {
  it.each(['sub', 'scope', 'azp', 'client_id', 'jti', 'sid'])('%s refuses the token', (name) => {
    for (const value of [1, true, null, {}, ['a']]) {
      expect(reasonFor({ [name]: value })).toBe('claim_type');
    }
  });

  it('are inert where they decide nothing', () => {
    const claims = { roles: 7, constructor: { prototype: {} }, toString: null, hasOwnProperty: 1 };
    expect(reasonFor(claims)).toBe('accepted');
    expect(reasonFor({ tenant_id: { a: [] }, name: null })).toBe('accepted');
  });
});
