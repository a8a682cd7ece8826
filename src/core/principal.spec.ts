import { describe, expect, it } from '@jest/globals';

import { TokenError } from './errors.js';
import { type JsonObject, readJsonObject } from './json.js';
import { clientsOf, principalOf } from './principal.js';

const ISSUER = 'https://example.genauth.ai/oidc';

function of(claims: JsonObject) {
  return principalOf({ iss: ISSUER, exp: 2_000_000_000, ...claims }, 'app', 'id');
}

function refusal(claims: JsonObject): unknown {
  try {
    principalOf(claims, 'app', 'id');
  } catch (error) {
    return error instanceof TokenError ? error.reason : error;
  }
  return undefined;
}

const full = {
  iss: ISSUER,
  sub: 'user',
  aud: ['app', 'api'],
  client_id: 'client',
  azp: 'party',
  scope: 'openid  book:read ',
  exp: 2_000_000_000,
  iat: 1_999_990_000,
  nbf: 1_999_990_001,
  jti: 'jti',
  sid: 'sid',
};

/** Nothing else that could name the client. */
const alone = { ...full, client_id: undefined, azp: undefined };

describe('principalOf', () => {
  it('turns every claim into the terms of this library', () => {
    expect(principalOf(full, 'app', 'id')).toEqual({
      appId: 'app',
      id: 'id',
      issuer: ISSUER,
      sub: 'user',
      clientId: 'client',
      audience: ['app', 'api'],
      scopes: ['openid', 'book:read'],
      expiresAt: 2_000_000_000_000,
      issuedAt: 1_999_990_000_000,
      notBeforeAt: 1_999_990_001_000,
      tokenId: 'jti',
      sessionId: 'sid',
      claims: full,
    });
  });

  it('leaves out what the token does not say', () => {
    expect(Object.keys(of({})).sort()).toEqual(
      ['appId', 'audience', 'claims', 'expiresAt', 'id', 'issuer', 'scopes'].sort(),
    );
  });

  it('is frozen, and so are its lists', () => {
    const principal = principalOf(full, 'app', 'id');
    expect(Object.isFrozen(principal)).toBe(true);
    expect(Object.isFrozen(principal.audience)).toBe(true);
    expect(Object.isFrozen(principal.scopes)).toBe(true);
  });

  it.each([
    ['client_id', { client_id: 'client', azp: 'party', aud: 'app' }, 'client'],
    ['azp', { azp: 'party', aud: 'app' }, 'party'],
    ['a lone audience', { aud: 'app' }, 'app'],
    ['an audience in a list of one', { aud: ['app'] }, 'app'],
    ['nothing, where there are several audiences', { aud: ['app', 'api'] }, undefined],
    ['nothing, where there is no audience', {}, undefined],
  ])('takes the client from %s', (_, claims, client) => {
    expect(of(claims).clientId).toBe(client);
  });

  it.each(['iss', 'exp'])('refuses a token without %s', (name) => {
    expect(refusal({ ...full, [name]: undefined })).toBe('claim_missing');
  });

  it('does not take what is inherited for a claim', () => {
    const claims = readJsonObject(
      '{"__proto__":{"iss":"https://example.genauth.ai/oidc","exp":2000000000,"sub":"admin"}}',
    );
    expect(refusal(claims as JsonObject)).toBe('claim_missing');
  });

  const texts = ['iss', 'sub', 'client_id', 'azp', 'jti', 'sid', 'scope'];
  const noTexts = [null, 0, 1, true, false, [], ['a'], {}, { a: 1 }];
  it.each(texts.flatMap((name) => noTexts.map((value) => [name, value] as const)))(
    'refuses a %s of %j',
    (name, value) => {
      expect(refusal({ ...alone, [name]: value })).toBe('claim_type');
    },
  );

  it.each(texts.filter((name) => name !== 'scope'))('refuses an empty %s', (name) => {
    expect(refusal({ ...alone, [name]: '' })).toBe('claim_type');
  });

  it('takes an empty scope for no scopes', () => {
    expect(of({ scope: '' }).scopes).toEqual([]);
  });

  it.each(['exp', 'iat', 'nbf'].flatMap((name) => [...badInstants()].map((v) => [name, v])))(
    'refuses a %s of %p',
    (name, value) => {
      expect(refusal({ ...full, [name as string]: value })).toBe('claim_type');
    },
  );

  it.each([
    [0, 0],
    [-1, -1_000],
    [1.5, 1_500],
    [8.64e12, 8.64e15],
  ])('reads the instant %p as %p milliseconds', (seconds, milliseconds) => {
    expect(of({ iat: seconds }).issuedAt).toBe(milliseconds);
  });

  it.each([
    [null],
    [''],
    [1],
    [{}],
    [['app', '']],
    [['app', 1]],
    [['app', null]],
    [[['app']]],
    [Array.from({ length: 65 }, (_, place) => `app-${place}`)],
  ])('refuses an aud of %j', (aud) => {
    expect(refusal({ ...full, aud })).toBe('claim_type');
  });

  it('takes up to 64 audiences', () => {
    const aud = Array.from({ length: 64 }, (_, place) => `app-${place}`);
    expect(of({ aud }).audience).toEqual(aud);
  });

  it('names the claim at fault and never its value', () => {
    expect(() => of({ sub: { secret: 'value' } })).toThrow(/^(?!.*value[^ ]).*'sub'/);
    expect(() => of({ aud: [{ hush: 1 }] })).toThrow(/^(?!.*hush).*'aud'/);
  });
});

describe('clientsOf', () => {
  it.each([
    ['client_id alone, where it is said', { client_id: 'c', aud: ['a', 'b'] }, ['c']],
    ['client_id and azp', { client_id: 'c', azp: 'p', aud: ['a'] }, ['c', 'p']],
    [
      'azp, the application and every audience, without client_id',
      { azp: 'p', aud: ['a', 'b'] },
      ['p', 'app', 'a', 'b'],
    ],
    ['the application and every audience, else', { aud: ['a', 'b'] }, ['app', 'a', 'b']],
    ['client_id alone, where azp is no text', { client_id: 'c', azp: ['p'] }, ['c']],
    ['the application alone, where nothing is said', {}, ['app']],
  ])('names %s', (_, claims, clients) => {
    expect([...clientsOf(of(claims))]).toEqual(clients);
  });
});

function* badInstants(): Iterable<unknown> {
  yield* [null, '', '2000000000', true, [], {}, [2_000_000_000]];
  yield* [NaN, Infinity, -Infinity, 8.64e12 + 1, -8.64e12 - 1, 1e300, Number.MAX_SAFE_INTEGER];
}
