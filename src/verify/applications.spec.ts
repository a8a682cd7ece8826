import { describe, it, expect } from '@jest/globals';

import { SystemClock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import type { GenAuthClient } from '../genauth.client.js';
import type { GenAuthApplicationOptions } from '../genauth.options.js';
import { resolveOptions } from '../resolve-options.js';
import { Applications } from './applications.js';
import { type JwsToken, readToken } from './compact-jws.js';
import { PrincipalCache } from './principal-cache.js';

function applicationsOf(
  ...applications: (Partial<GenAuthApplicationOptions> & { appId: string })[]
): Applications {
  const options = resolveOptions({
    applications: applications.map((one) => ({
      appHost: `https://${one.appId}.genauth.ai`,
      appSecret: 'secret',
      ...one,
    })),
  });
  const clock = new SystemClock();
  const client = { fetchKeys: () => Promise.resolve([]) } as unknown as GenAuthClient;
  return new Applications(options, client, new PrincipalCache(options, clock), clock);
}

function jws(claims: object): JwsToken {
  const parts = [{ alg: 'RS256' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  return readToken(`${parts.join('.')}.c2ln`) as JwsToken;
}

describe('Applications', () => {
  const two = applicationsOf({ appId: 'a' }, { appId: 'b' });

  it('leads a JWT to the application whose issuer it names', () => {
    expect(two.ofJws(jws({ iss: 'https://b.genauth.ai/oidc' })).options.appId).toBe('b');
    expect(two.ofJws(jws({ iss: 'https://a.genauth.ai/oidc', aud: 'b' })).options.appId).toBe('a');
  });

  it.each([
    ['of a foreign issuer', { iss: 'https://c.genauth.ai/oidc' }],
    ['of no issuer', {}],
    ['of a list of issuers', { iss: ['https://a.genauth.ai/oidc'] }],
    ['of an issuer of a wrong type', { iss: { toString: 'https://a.genauth.ai/oidc' } }],
  ])('refuses a JWT %s', (_, claims) => {
    expect(() => two.ofJws(jws(claims))).toThrow(TokenError);
    expect(two.candidates(jws(claims))).toEqual([]);
  });

  it('tells applications of one issuer apart by the audience', () => {
    const issuer = 'https://pool.genauth.ai/oidc';
    const shared = applicationsOf(
      { appId: 'a', issuer },
      { appId: 'b', issuer, audience: ['b', 'api'] },
      { appId: 'c', issuer, acceptAuthorizedParty: true },
    );
    const ownerOf = (claims: object): string =>
      shared.ofJws(jws({ iss: issuer, ...claims })).options.appId;
    expect(ownerOf({ aud: 'b' })).toBe('b');
    expect(ownerOf({ aud: ['x', 'api'] })).toBe('b');
    expect(ownerOf({ aud: 'key', azp: 'c' })).toBe('c');
    // Nobody's: one of them has to say no.
    expect(ownerOf({ aud: 'x' })).toBe('a');
    expect(ownerOf({ aud: { 0: 'b' } })).toBe('a');
  });

  it('takes an opaque token for anybody’s', () => {
    const ids = two.candidates(readToken('opaque')).map(({ options }) => options.appId);
    expect(ids).toEqual(['a', 'b']);
  });

  it('knows an application by its id', () => {
    expect(two.byId('b')?.options.appId).toBe('b');
    for (const id of ['c', '', 'constructor', '__proto__']) expect(two.byId(id)).toBeUndefined();
  });
});
