import { describe, it, expect } from '@jest/globals';

import { Clock } from '../core/clock.js';
import { GenAuthUnavailableError, TokenError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { principalOf } from '../core/principal.js';
import type { GenAuthClient } from '../genauth.client.js';
import type { GenAuthApplicationOptions, ResolvedApplication } from '../genauth.options.js';
import { resolveOptions } from '../resolve-options.js';
import { readToken, type Token } from './compact-jws.js';
import { IntrospectionVerifier } from './introspection.verifier.js';
import type { Verified } from './token-verifier.js';

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

/** Answers what it is told to, and notes what it was asked. */
class StubClient {
  readonly asked: unknown[][] = [];

  constructor(private readonly answer: JsonObject | Error) {}

  introspect(...args: unknown[]): Promise<{ answer: JsonObject; sentAt: number }> {
    this.asked.push(args);
    if (this.answer instanceof Error) return Promise.reject(this.answer);
    return Promise.resolve({ answer: this.answer, sentAt: NOW - 40 });
  }
}

function verifierOf(answer: JsonObject | Error, options: Partial<GenAuthApplicationOptions> = {}) {
  const resolved = resolveOptions({
    appId: 'app',
    appHost: 'https://example.genauth.ai',
    appSecret: 'secret',
    ...options,
  });
  const application = resolved.applications[0] as ResolvedApplication;
  const client = new StubClient(answer);
  const verifier = new IntrospectionVerifier(
    application,
    client as unknown as GenAuthClient,
    resolved,
    new StillClock(),
  );
  return { verifier, client, application };
}

async function reasonOf(outcome: Promise<unknown>): Promise<string> {
  try {
    await outcome;
    return 'accepted';
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
}

function without(members: Record<string, unknown>): JsonObject {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}

const OPAQUE = readToken('vV4yJw1Rz0aG8Qk2n7s5XcUe3TtLhB9dMfPoIiKqWuE');
const ANSWER: JsonObject = {
  active: true,
  sub: 'user',
  client_id: 'app',
  exp: SECONDS + 600,
  iat: SECONDS - 60,
  iss: ISSUER,
  jti: 'j1',
  scope: 'openid profile',
  token_type: 'Bearer',
};

type Row = readonly [title: string, change: Record<string, unknown>, expected: string];

describe('IntrospectionVerifier.verify', () => {
  it('gives the principal of the answer, and when it was asked', async () => {
    const { verifier, client, application } = verifierOf(ANSWER);
    const verified = await verifier.verify(OPAQUE);
    expect(verified.vouchedAt).toBe(NOW - 40);
    expect(verified).not.toHaveProperty('keyId');
    expect(verified.principal).toMatchObject({
      appId: 'app',
      id: OPAQUE.id,
      issuer: ISSUER,
      sub: 'user',
      clientId: 'app',
      scopes: ['openid', 'profile'],
      expiresAt: NOW + 600_000,
      issuedAt: NOW - 60_000,
      tokenId: 'j1',
    });
    expect(JSON.stringify(verified)).not.toContain(OPAQUE.text);
    expect(client.asked).toEqual([[application, OPAQUE.text, 'access_token']]);
  });

  it.each<Row>([
    ['active of true', {}, 'accepted'],
    ['active of false', { active: false }, 'inactive'],
    ['active missing', { active: undefined }, 'inactive'],
    ['active of "true"', { active: 'true' }, 'inactive'],
    ['active of 1', { active: 1 }, 'inactive'],
    ['active of null', { active: null }, 'inactive'],
    ['active of a list', { active: [true] }, 'inactive'],
    ['active of an object', { active: {} }, 'inactive'],
  ])('%s', async (_, change, expected) => {
    const { verifier } = verifierOf(without({ ...ANSWER, ...change }));
    expect(await reasonOf(verifier.verify(OPAQUE))).toBe(expected);
  });

  it.each<Row>([
    ['iss missing: the configured one', { iss: undefined }, 'accepted'],
    ['iss of another', { iss: 'https://evil.example/oidc' }, 'issuer'],
    ['iss with a slash', { iss: `${ISSUER}/` }, 'issuer'],
    ['iss of null', { iss: null }, 'issuer'],
    ['iss empty', { iss: '' }, 'issuer'],
    ['iss in a list', { iss: [ISSUER] }, 'issuer'],
    ['aud of the application', { aud: 'app' }, 'accepted'],
    ['aud with the application', { aud: ['x', 'app'] }, 'accepted'],
    ['aud without it, whatever the client', { aud: ['x'] }, 'audience'],
    ['aud empty, whatever the client', { aud: [] }, 'audience'],
    ['aud in a list in a list', { aud: [['app']] }, 'audience'],
    ['aud of a wrong type', { aud: 7 }, 'audience'],
    ['aud with something of a wrong type', { aud: ['app', 7] }, 'claim_type'],
    ['client_id of another', { client_id: 'other' }, 'audience'],
    ['client_id of a wrong type', { client_id: ['app'], aud: 'app' }, 'claim_type'],
    ['neither aud nor client_id', { client_id: undefined }, 'audience'],
    ['an authorized party alone', { client_id: 'key', azp: 'app' }, 'audience'],
  ])('%s', async (_, change, expected) => {
    const { verifier } = verifierOf(without({ ...ANSWER, ...change }));
    expect(await reasonOf(verifier.verify(OPAQUE))).toBe(expected);
  });

  it('accepts an authorized party where that is switched on', async () => {
    const answer = { ...ANSWER, client_id: 'key', azp: 'app' };
    const { verifier } = verifierOf(answer, { acceptAuthorizedParty: true });
    expect(await reasonOf(verifier.verify(OPAQUE))).toBe('accepted');
  });

  it.each<Row>([
    ['exp missing', { exp: undefined }, 'claim_missing'],
    ['exp just passed', { exp: SECONDS - 4 }, 'accepted'],
    ['exp passed', { exp: SECONDS - 5 }, 'expired'],
    ['exp passed, as a string', { exp: String(SECONDS - 5) }, 'expired'],
    ['exp as a numeric string', { exp: String(SECONDS + 600) }, 'accepted'],
    ['exp as a string with a fraction', { exp: `${SECONDS}.5` }, 'claim_type'],
    ['exp as a string with a sign', { exp: `+${SECONDS}` }, 'claim_type'],
    ['exp as an exponent', { exp: '1e12' }, 'claim_type'],
    ['exp as hexadecimal', { exp: '0xffffffffff' }, 'claim_type'],
    ['exp with a space', { exp: ` ${SECONDS + 600}` }, 'claim_type'],
    ['exp as a long string of digits', { exp: '9'.repeat(400) }, 'claim_type'],
    ['exp as fifteen digits', { exp: '9'.repeat(15) }, 'claim_type'],
    ['exp empty', { exp: '' }, 'claim_type'],
    ['exp null', { exp: null }, 'claim_type'],
    ['exp infinite', { exp: Infinity }, 'claim_type'],
    ['exp in a list', { exp: [SECONDS + 600] }, 'claim_type'],
    ['nbf passed', { nbf: SECONDS }, 'accepted'],
    ['nbf to come', { nbf: SECONDS + 6 }, 'not_yet_valid'],
    ['nbf to come, as a string', { nbf: String(SECONDS + 6) }, 'not_yet_valid'],
    ['nbf of a wrong type', { nbf: {} }, 'claim_type'],
    ['iat to come', { iat: SECONDS + 6 }, 'issued_in_future'],
    ['iat as a string', { iat: String(SECONDS) }, 'accepted'],
    ['iat missing', { iat: undefined }, 'accepted'],
  ])('%s', async (_, change, expected) => {
    const { verifier } = verifierOf(without({ ...ANSWER, ...change }));
    expect(await reasonOf(verifier.verify(OPAQUE))).toBe(expected);
  });

  it.each<Row>([
    [
      'token_type missing: it may be a refresh token',
      { token_type: undefined },
      'not_an_access_token',
    ],
    ['token_type of a refresh token', { token_type: 'refresh_token' }, 'not_an_access_token'],
    ['token_type in small letters', { token_type: 'bearer' }, 'accepted'],
    ['token_type DPoP', { token_type: 'DPoP' }, 'not_an_access_token'],
    ['token_type N_A', { token_type: 'N_A' }, 'not_an_access_token'],
    ['token_type null', { token_type: null }, 'not_an_access_token'],
    ['token_type in a list', { token_type: ['Bearer'] }, 'not_an_access_token'],
    ['cnf', { cnf: { jkt: 'x' } }, 'sender_constrained'],
    ['cnf of null', { cnf: null }, 'sender_constrained'],
    ['sub missing: a machine', { sub: undefined }, 'accepted'],
    ['sub of a wrong type', { sub: 7 }, 'claim_type'],
    ['scope of a wrong type', { scope: ['a'] }, 'claim_type'],
    ['scope empty', { scope: '' }, 'accepted'],
    ['members nobody knows', { username: null, constructor: 1 }, 'accepted'],
  ])('%s', async (_, change, expected) => {
    const { verifier } = verifierOf(without({ ...ANSWER, ...change }));
    expect(await reasonOf(verifier.verify(OPAQUE))).toBe(expected);
  });

  it('passes on that GenAuth could not be asked', async () => {
    const outage = new GenAuthUnavailableError('no_answer', 'x');
    const { verifier } = verifierOf(outage);
    await expect(verifier.verify(OPAQUE)).rejects.toBe(outage);
  });
});

function jwtOf(claims: JsonObject): { token: Token; verified: Verified } {
  const parts = [{ alg: 'RS256' }, claims].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const token = readToken(`${parts.join('.')}.c2ln`);
  return { token, verified: { principal: principalOf(claims, 'app', token.id), keyId: 'key-1' } };
}

const CLAIMS: JsonObject = {
  iss: ISSUER,
  sub: 'user',
  aud: 'app',
  exp: SECONDS + 600,
  iat: SECONDS - 60,
  jti: 'j1',
  scope: 'openid',
};

describe('IntrospectionVerifier.confirm', () => {
  it('keeps principal and key, and adds when GenAuth was asked', async () => {
    const { token, verified } = jwtOf(CLAIMS);
    const { verifier } = verifierOf(ANSWER);
    const confirmed = await verifier.confirm(token, verified);
    expect(confirmed).toEqual({ ...verified, vouchedAt: NOW - 40 });
    expect(confirmed.principal).toBe(verified.principal);
  });

  it.each<Row>([
    ['the same token', {}, 'accepted'],
    ['numbers as strings', { exp: String(SECONDS + 600), iat: String(SECONDS - 60) }, 'accepted'],
    ['token_type missing: a JWT is no refresh token', { token_type: undefined }, 'accepted'],
    ['as little as can be', { jti: undefined, sub: undefined, iat: undefined }, 'accepted'],
    ['active of false', { active: false }, 'inactive'],
    ['active of "true"', { active: 'true' }, 'inactive'],
    ['another jti', { jti: 'j2' }, 'audience'],
    ['another sub', { sub: 'somebody' }, 'audience'],
    ['another exp', { exp: SECONDS + 601 }, 'audience'],
    ['another iat', { iat: SECONDS - 61 }, 'audience'],
    ['a jti of null', { jti: null }, 'audience'],
    ['a sub in a list', { sub: ['user'] }, 'audience'],
    ['an exp that only begins like the other', { exp: `${SECONDS + 600}.0` }, 'audience'],
    ['another client', { client_id: 'other' }, 'audience'],
    ['another audience', { aud: ['other'] }, 'audience'],
    ['no client at all', { client_id: undefined }, 'audience'],
    ['another issuer', { iss: 'https://evil.example' }, 'issuer'],
    ['a bound token', { cnf: {} }, 'sender_constrained'],
    ['a DPoP token', { token_type: 'DPoP' }, 'not_an_access_token'],
  ])('%s', async (_, change, expected) => {
    const { token, verified } = jwtOf(CLAIMS);
    const { verifier } = verifierOf(without({ ...ANSWER, ...change }));
    expect(await reasonOf(verifier.confirm(token, verified))).toBe(expected);
  });

  it.each([
    ['sub', '12345'],
    ['jti', '000777'],
    ['sub', '9'.repeat(24)],
  ])('recognises a token whose %s is the digits %s', async (name, digits) => {
    const { token, verified } = jwtOf({ ...CLAIMS, [name]: digits });
    const same = verifierOf({ ...ANSWER, [name]: digits }).verifier;
    expect(await reasonOf(same.confirm(token, verified))).toBe('accepted');
    const other = verifierOf({ ...ANSWER, [name]: `${digits}1` }).verifier;
    expect(await reasonOf(other.confirm(token, verified))).toBe('audience');
  });

  it('takes no digits for other digits of the same value', async () => {
    const { token, verified } = jwtOf({ ...CLAIMS, sub: '00777' });
    const { verifier } = verifierOf({ ...ANSWER, sub: '777' });
    expect(await reasonOf(verifier.confirm(token, verified))).toBe('audience');
  });

  it('confirms a machine token for the key that it was issued to', async () => {
    const { token, verified } = jwtOf(
      without({ ...CLAIMS, sub: undefined, aud: 'key', azp: 'app' }),
    );
    const answer = without({ ...ANSWER, sub: undefined, client_id: 'key' });
    expect(await reasonOf(verifierOf(answer).verifier.confirm(token, verified))).toBe('accepted');
  });

  it('refuses an answer with a sub about a token without one', async () => {
    const { token, verified } = jwtOf(without({ ...CLAIMS, sub: undefined }));
    const { verifier } = verifierOf(ANSWER);
    expect(await reasonOf(verifier.confirm(token, verified))).toBe('audience');
  });

  it('verifies an opaque token anew', async () => {
    const { verifier, client } = verifierOf({ ...ANSWER, sub: 'now somebody else' });
    const before = { principal: principalOf(CLAIMS, 'app', OPAQUE.id), vouchedAt: NOW - 9_000 };
    const { principal, vouchedAt } = await verifier.confirm(OPAQUE, before);
    expect([principal.sub, vouchedAt]).toEqual(['now somebody else', NOW - 40]);
    expect(client.asked).toHaveLength(1);
  });

  it('passes on that GenAuth could not be asked', async () => {
    const { token, verified } = jwtOf(CLAIMS);
    const outage = new GenAuthUnavailableError('bad_answer', 'x');
    const { verifier } = verifierOf(outage);
    await expect(verifier.confirm(token, verified)).rejects.toBe(outage);
  });
});
