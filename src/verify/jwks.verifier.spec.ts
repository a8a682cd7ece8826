import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

import { describe, it, expect } from '@jest/globals';

import { Clock } from '../core/clock.js';
import { GenAuthUnavailableError, TokenError } from '../core/errors.js';
import type { ResolvedApplication } from '../genauth.options.js';
import { resolveOptions } from '../resolve-options.js';
import { readToken } from './compact-jws.js';
import { JwksVerifier } from './jwks.verifier.js';
import { KeySet } from './key-set.js';

const ISSUER = 'https://example.genauth.ai/oidc';
const NOW = 1_800_000_000_000;
const SECONDS = NOW / 1_000;

class StillClock extends Clock {
  override wall(): number {
    return NOW;
  }

  override mono(): number {
    return 0;
  }

  override setTimeout(): () => void {
    return () => {};
  }
}

const ours = generateKeyPairSync('rsa', { modulusLength: 2048 });
const theirs = generateKeyPairSync('rsa', { modulusLength: 2048 });
const PUBLISHED = [{ ...ours.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256' }];

const HEADER = { alg: 'RS256', typ: 'JWT', kid: 'k1' };
const CLAIMS = {
  iss: ISSUER,
  sub: 'user',
  aud: 'app',
  iat: SECONDS - 60,
  exp: SECONDS + 600,
  jti: 'j1',
  scope: 'openid book:read',
};

function contentOf(header: object, claims: object): string {
  const parts = [header, claims].map((part) => JSON.stringify(part));
  return parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
}

function tokenOf(
  header: object = {},
  claims: object = {},
  key: KeyObject = ours.privateKey,
): string {
  const content = contentOf({ ...HEADER, ...header }, { ...CLAIMS, ...claims });
  return `${content}.${sign('sha256', Buffer.from(content), key).toString('base64url')}`;
}

function newVerifier(published: readonly unknown[] | Error = PUBLISHED) {
  const options = resolveOptions({
    appId: 'app',
    appHost: 'https://example.genauth.ai',
    appSecret: 'secret',
  });
  const application = options.applications[0] as ResolvedApplication;
  const clock = new StillClock();
  const count = { fetches: 0 };
  const fetch = (): Promise<readonly unknown[]> => {
    count.fetches += 1;
    return published instanceof Error ? Promise.reject(published) : Promise.resolve(published);
  };
  const keys = new KeySet(fetch, application.algorithms, options, clock);
  return { verifier: new JwksVerifier(application, keys, options, clock), count };
}

async function reasonOf(text: string): Promise<string> {
  try {
    await newVerifier().verifier.verify(readToken(text));
    return 'accepted';
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
}

describe('JwksVerifier', () => {
  it('says who a good token speaks for, and which key signed it', async () => {
    const token = readToken(tokenOf());
    const { principal, keyId, ...rest } = await newVerifier().verifier.verify(token);
    expect(principal).toMatchObject({
      appId: 'app',
      id: token.id,
      issuer: ISSUER,
      sub: 'user',
      audience: ['app'],
      scopes: ['openid', 'book:read'],
      expiresAt: NOW + 600_000,
    });
    expect(Object.isFrozen(principal)).toBe(true);
    expect(keyId).toMatch(/^[\w-]{43}$/);
    expect(rest).toEqual({});
    expect(JSON.stringify(principal)).not.toContain(token.text.slice(0, 20));
  });

  it.each<[string, string, string]>([
    ['a good token', tokenOf(), 'accepted'],
    ['a good token without kid', tokenOf({ kid: undefined }), 'accepted'],
    ['a kid nobody published', tokenOf({ kid: 'k2' }), 'unknown_key'],
    ['a kid nobody published, signed by our key', tokenOf({ kid: 'K1' }), 'unknown_key'],
    ['the signature of another key', tokenOf({}, {}, theirs.privateKey), 'signature'],
    ['an algorithm that is not configured', tokenOf({ alg: 'RS512' }), 'algorithm'],
    ['alg none', tokenOf({ alg: 'none' }), 'algorithm'],
    ['an expired token', tokenOf({}, { exp: SECONDS - 5 }), 'expired'],
    ['a token of tomorrow', tokenOf({}, { iat: SECONDS + 86_400 }), 'issued_in_future'],
    ['a foreign issuer', tokenOf({}, { iss: 'https://evil.example' }), 'issuer'],
    ['a foreign audience', tokenOf({}, { aud: 'other' }), 'audience'],
    ['an ID token', tokenOf({}, { nonce: 'n' }), 'not_an_access_token'],
    ['a logout token', tokenOf({ typ: 'logout+jwt' }), 'token_type'],
    ['a bound token', tokenOf({}, { cnf: {} }), 'sender_constrained'],
    ['claims that were exchanged', swapped(), 'signature'],
    ['a public key used as an HMAC secret', hmac(), 'algorithm'],
  ])('%s: %s', async (_, text, expected) => {
    expect(await reasonOf(text)).toBe(expected);
  });

  it('takes no key from the token', async () => {
    const jwk = theirs.publicKey.export({ format: 'jwk' });
    const members = { jwk, jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/', x5c: ['AA=='] };
    expect(await reasonOf(tokenOf(members, {}, theirs.privateKey))).toBe('signature');
    const header = { ...members, kid: undefined };
    expect(await reasonOf(tokenOf(header, {}, theirs.privateKey))).toBe('signature');
  });

  it('judges the header before it fetches any key', async () => {
    const { verifier, count } = newVerifier();
    for (const header of [{ alg: 'none' }, { crit: ['x'] }, { typ: 'dpop+jwt' }, { kid: 1 }]) {
      await expect(verifier.verify(readToken(tokenOf(header)))).rejects.toThrow(TokenError);
    }
    expect(count.fetches).toBe(0);
  });

  it('believes no claim, not even that a token is too old, before the signature', async () => {
    const text = tokenOf({}, { exp: 1, iss: 'x', aud: 7 }, theirs.privateKey);
    expect(await reasonOf(text)).toBe('signature');
  });

  it('has nothing to say about an opaque token', async () => {
    expect(await reasonOf('opaque')).toBe('malformed');
  });

  it('gives no verdict when the keys cannot be had', async () => {
    const { verifier } = newVerifier(new GenAuthUnavailableError('no_answer', 'x'));
    await expect(verifier.verify(readToken(tokenOf()))).rejects.toThrow(GenAuthUnavailableError);
  });
});

function swapped(): string {
  const [header, , signature] = tokenOf().split('.');
  return `${header}.${tokenOf({}, { sub: 'admin' }).split('.')[1]}.${signature}`;
}

function hmac(): string {
  const content = contentOf({ ...HEADER, alg: 'HS256' }, CLAIMS);
  const secret = ours.publicKey.export({ format: 'pem', type: 'spki' });
  return `${content}.${createHmac('sha256', secret).update(content).digest('base64url')}`;
}
