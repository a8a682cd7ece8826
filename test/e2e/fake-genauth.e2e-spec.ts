import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import type { JSONWebKeySet } from 'jose';
import { FakeGenAuth, VirtualClock } from '../../src/testing.js';
import type { FakeApplication, FakeGenAuthOptions } from '../../src/testing.js';

type Json = Record<string, unknown>;
type Fields = Record<string, string>;

const JSON_TYPE = 'application/json; charset=utf-8';
const running: FakeGenAuth[] = [];

// RSA keys take a while to make; where the algorithm does not matter, tests do without them.
const QUICK: FakeGenAuthOptions = { applications: [{ alg: 'ES256' }, { alg: 'ES256' }] };

async function started(options = QUICK): Promise<FakeGenAuth> {
  const genauth = await FakeGenAuth.start(options);
  running.push(genauth);
  return genauth;
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()));
});

function post(url: string, form: Fields | string, headers: Fields = {}): Promise<Response> {
  return fetch(url, { method: 'POST', body: new URLSearchParams(form), headers });
}

function proof({ appId, appSecret }: FakeApplication): Fields {
  return { client_id: appId, client_secret: appSecret };
}

function basic(id: string, secret: string): Fields {
  return { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` };
}

function introspect(app: FakeApplication, token: string, more: Fields = {}): Promise<Response> {
  return post(`${app.appHost}/oidc/token/introspection`, { ...proof(app), token, ...more });
}

function revoke(app: FakeApplication, token: string): Promise<Response> {
  return post(`${app.appHost}/oidc/token/revocation`, { ...proof(app), token });
}

async function isActive(app: FakeApplication, token: string, more?: Fields): Promise<unknown> {
  return ((await (await introspect(app, token, more)).json()) as Json)['active'];
}

async function keySet(app: FakeApplication): Promise<JSONWebKeySet> {
  const response = await fetch(`${app.appHost}/oidc/.well-known/jwks.json`);
  return (await response.json()) as JSONWebKeySet;
}

function jwksUrl(app: FakeApplication): string {
  return `${app.appHost}/oidc/.well-known/jwks.json`;
}

describe('addresses', () => {
  it('gives two applications two ports, two issuers, two keys and an account each', async () => {
    const { applications, accounts } = await started({});
    expect(applications).toHaveLength(2);
    for (const pick of ['appId', 'appSecret', 'appHost', 'issuer'] as const) {
      expect(new Set(applications.map((each) => each[pick])).size).toBe(2);
    }
    expect(new Set(applications.flatMap((each) => each.keys.kids)).size).toBe(2);
    expect(accounts.map((each) => each.appId)).toEqual(applications.map((each) => each.appId));
  });

  it('serves every application under its own prefix on one host when told to', async () => {
    const genauth = await started({ ...QUICK, pathPrefix: true });
    for (const app of genauth.applications) {
      expect(app.appHost).toBe(`${genauth.host}/${app.appId}`);
      expect((await keySet(app)).keys.map((each) => each.kid)).toEqual(app.keys.kids);
      expect(await isActive(app, genauth.signIn({ appId: app.appId }).access_token)).toBe(true);
    }
  });

  it('shows the first application’s keys and serves every client without the prefix', async () => {
    const genauth = await started({ ...QUICK, pathPrefix: true });
    const [first, second] = genauth.applications as [FakeApplication, FakeApplication];
    const keys = (await (await fetch(`${genauth.host}/oidc/.well-known/jwks.json`)).json()) as Json;
    expect(keys).toEqual(first.keys.jwks());
    const { access_token: token } = genauth.signIn({ appId: second.appId });
    const form = { ...proof(second), token };
    const answer = await post(`${genauth.host}/oidc/token/introspection`, form);
    expect(await answer.json()).toMatchObject({ active: true, client_id: second.appId });
  });

  it('lets the issuer differ from the address', async () => {
    const genauth = await started({
      ...QUICK,
      issuer: (appId) => `https://id.example.com/${appId}/oidc`,
    });
    const { issuer, appId } = genauth.application;
    expect(issuer).toBe(`https://id.example.com/${appId}/oidc`);
    expect(decodeJwt(genauth.signIn().access_token).iss).toBe(issuer);
    expect(genauth.application.options()).toMatchObject({ issuer });
  });

  it('names its settings as the library’s options, without what is default', async () => {
    const genauth = await started({
      applications: [
        {},
        {
          protocol: 'oauth',
          authMethods: { introspection: 'none', revocation: 'client_secret_basic' },
        },
      ],
    });
    const [plain, special] = genauth.applications as [FakeApplication, FakeApplication];
    const { appId, appSecret, appHost } = plain;
    expect(plain.options()).toEqual({ appId, appSecret, appHost });
    expect(special.options()).toMatchObject({
      protocol: 'oauth',
      issuer: `${special.appHost}/oauth`,
      introspectionEndPointAuthMethod: 'none',
      revocationEndPointAuthMethod: 'client_secret_basic',
    });
  });
});

describe('public endpoints', () => {
  it('publishes one RSA key in the documented shape, without caching headers', async () => {
    const { application } = await started({});
    const response = await fetch(jwksUrl(application));
    expect(response.headers.get('content-type')).toBe(JSON_TYPE);
    expect(response.headers.get('cache-control')).toBeNull();
    expect(response.headers.get('etag')).toBeNull();
    const { keys } = (await response.json()) as { keys: [Json] };
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0])).toEqual(['kty', 'e', 'n', 'alg', 'use', 'kid']);
    expect(keys[0]).toMatchObject({ kty: 'RSA', e: 'AQAB', alg: 'RS256', use: 'sig' });
    expect(keys[0]['kid']).toMatch(/^[\w-]{43}$/);
  });

  it('describes itself with endpoints that exist and without logout channels', async () => {
    const { application } = await started();
    const response = await fetch(`${application.issuer}/.well-known/openid-configuration`);
    expect(response.headers.get('cache-control')).toBeNull();
    const document = (await response.json()) as Fields;
    expect(document['issuer']).toBe(application.issuer);
    expect(document['jwks_uri']).toBe(jwksUrl(application));
    expect(Object.keys(document).filter((name) => name.includes('channel_logout'))).toEqual([]);
    for (const name of ['token', 'introspection', 'revocation']) {
      expect((await post(document[`${name}_endpoint`] ?? '', {})).status).toBe(400);
      expect(document[`${name}_endpoint_auth_methods_supported`]).toContain('none');
    }
  });

  it('tells an application’s public settings', async () => {
    const { application, switches } = await started();
    switches.idTokenAlg = 'HS256';
    application.authMethods.revocation = 'none';
    const url = `${application.appHost}/api/v2/applications/${application.appId}/public-config`;
    const { data } = (await (await fetch(url)).json()) as { data: { oidcConfig: Json } };
    expect(data.oidcConfig).toMatchObject({
      id_token_signed_response_alg: 'HS256',
      introspection_endpoint_auth_method: 'client_secret_post',
      revocation_endpoint_auth_method: 'none',
      access_token_expire: 1_209_600,
    });
  });

  it('answers 404 in the engine’s words for unknown routes and wrong methods', async () => {
    const { application } = await started();
    for (const path of ['/nowhere', '/oidc/token/revocation', '/oauth/.well-known/jwks.json']) {
      const response = await fetch(`${application.appHost}${path}`);
      expect(response.status).toBe(404);
      const description = `unrecognized route or not allowed method (GET on ${path})`;
      const refusal = { error: 'invalid_request', error_description: description };
      expect(await response.json()).toEqual(refusal);
    }
  });

  it.each([
    ['text/html', true],
    ['text/html,application/json', true],
    ['text/html;q=0.5, application/json', false],
    ['application/json', false],
    ['*/*', false],
  ])('answers an error for Accept %s as a page: %s', async (accept, page) => {
    const { application } = await started();
    const url = `${application.appHost}/oidc/token/revocation`;
    const response = await post(url, {}, { accept });
    expect(response.status).toBe(400);
    const expected = page ? 'text/html; charset=utf-8' : JSON_TYPE;
    expect(response.headers.get('content-type')).toBe(expected);
  });
});

describe('tokens', () => {
  it('signs access tokens in the documented shape', async () => {
    const genauth = await started({ clock: new VirtualClock(1_735_689_600_500) });
    const { application } = genauth;
    const { access_token: token } = genauth.signIn({ sub: 'u1', scope: 'openid book:read' });
    const { payload, protectedHeader } = await jwtVerify(
      token,
      createLocalJWKSet(await keySet(application)),
      { currentDate: new Date(genauth.now()) },
    );
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: application.keys.kids[0] });
    expect(Object.keys(payload)).toEqual(['jti', 'sub', 'iat', 'exp', 'scope', 'iss', 'aud']);
    expect(payload).toMatchObject({
      sub: 'u1',
      iat: 1_735_689_600,
      exp: 1_736_899_200,
      scope: 'openid book:read',
      iss: application.issuer,
      aud: application.appId,
    });
    expect(payload.jti).toMatch(/^[\w-]{21}$/);
  });

  it('adds and replaces claims as a pipeline does', async () => {
    const genauth = await started();
    const claims = { tenant_id: 't1', aud: ['a', 'b'], scope: undefined };
    const payload = decodeJwt(genauth.signIn({ claims }).access_token);
    expect(payload).toMatchObject({ tenant_id: 't1', aud: ['a', 'b'] });
    expect(payload).not.toHaveProperty('scope');
  });

  it('gives machines tokens for the access key, authorized to the application, without a user', async () => {
    const genauth = await started();
    const payload = decodeJwt(genauth.machineToken({ scope: 'book:read' }));
    expect(Object.keys(payload)).toEqual(['jti', 'iat', 'exp', 'scope', 'iss', 'aud', 'azp']);
    expect(payload['aud']).toBe(genauth.accounts[0]?.accessKey);
    expect(payload['azp']).toBe(genauth.application.appId);
    expect(Number(payload.exp) - Number(payload.iat)).toBe(3600);
  });

  it('names the user who consented to a programmatic account', async () => {
    const genauth = await started();
    expect(decodeJwt(genauth.machineToken({ sub: 'u1' })).sub).toBe('u1');
  });

  it('signs ID tokens with the key, or with the secret and without kid', async () => {
    const genauth = await started({});
    const { application } = genauth;
    const { id_token: byKey } = genauth.signIn({ nonce: 'n', profile: { name: 'Ada' } });
    expect(decodeProtectedHeader(byKey)).toMatchObject({ alg: 'RS256', typ: 'JWT' });
    expect(decodeJwt(byKey)).toMatchObject({
      nonce: 'n',
      name: 'Ada',
      at_hash: expect.any(String),
    });
    genauth.switches.idTokenAlg = 'HS256';
    const { id_token: bySecret } = genauth.signIn();
    expect(decodeProtectedHeader(bySecret)).toEqual({ alg: 'HS256', typ: 'JWT' });
    await jwtVerify(bySecret, Buffer.from(application.appSecret));
  });

  it('gives opaque refresh tokens of 43 characters, and none without offline access', async () => {
    const genauth = await started();
    expect(genauth.signIn().refresh_token).toMatch(/^[\w-]{43}$/);
    expect(genauth.signIn({ offline: false })).not.toHaveProperty('refresh_token');
  });

  it('gives opaque OAuth tokens of 40 hex digits', async () => {
    const genauth = await started();
    const tokens = genauth.opaqueToken({ sub: 'u1' });
    expect([tokens.access_token, tokens.refresh_token]).toEqual([
      expect.stringMatching(/^[\da-f]{40}$/),
      expect.stringMatching(/^[\da-f]{40}$/),
    ]);
  });

  it('leaves kid out of access tokens when told to', async () => {
    const genauth = await started({});
    genauth.switches.accessTokenWithoutKid = true;
    const header = decodeProtectedHeader(genauth.signIn().access_token);
    expect(header).toEqual({ alg: 'RS256', typ: 'JWT' });
  });
});

describe('token builder', () => {
  let genauth: FakeGenAuth;
  let keys: ReturnType<typeof createLocalJWKSet>;

  beforeAll(async () => {
    genauth = await FakeGenAuth.start();
    keys = createLocalJWKSet(await keySet(genauth.application));
  });
  afterAll(() => genauth.stop());

  it('builds a valid access token by default, unknown to the server', async () => {
    const token = genauth.token();
    await jwtVerify(token, keys, { issuer: genauth.application.issuer });
    expect(await isActive(genauth.application, token)).toBe(false);
  });

  it('registers a token with the server on demand', async () => {
    const token = genauth.token({ jti: 'mine' }, { register: true });
    expect(await (await introspect(genauth.application, token)).json()).toMatchObject({
      active: true,
      jti: 'mine',
    });
  });

  it('leaves out claims and header members that are undefined', () => {
    const token = genauth.token({ exp: undefined }, { header: { typ: undefined, crit: ['x'] } });
    expect(decodeJwt(token)).not.toHaveProperty('exp');
    expect(decodeProtectedHeader(token)).not.toHaveProperty('typ');
    expect(decodeProtectedHeader(token).crit).toEqual(['x']);
  });

  it('signs PS256 with the RSA key it has', async () => {
    await jwtVerify(genauth.token({}, { alg: 'PS256' }), publicKey(), { algorithms: ['PS256'] });
  });

  it('signs HS256 with the secret, or with any given secret', async () => {
    const secret = Buffer.from(genauth.application.appSecret);
    await jwtVerify(genauth.token({}, { alg: 'HS256' }), secret);
    await jwtVerify(genauth.token({}, { alg: 'HS256', key: 'other' }), Buffer.from('other'));
  });

  it('builds unsigned tokens with alg none and with a kept alg', () => {
    expect(genauth.token({}, { alg: 'none' })).toMatch(/\.$/);
    const stripped = genauth.token({}, { sign: false });
    expect(stripped).toMatch(/\.$/);
    expect(decodeProtectedHeader(stripped).alg).toBe('RS256');
  });

  it('forges with a foreign key under the real kid', async () => {
    const token = genauth.token({}, { key: genauth.foreignKey() });
    expect(decodeProtectedHeader(token).kid).toBe(genauth.application.keys.kids[0]);
    await expect(jwtVerify(token, keys)).rejects.toThrow('signature verification failed');
  });

  it('writes any kid, or none', () => {
    expect(decodeProtectedHeader(genauth.token({}, { kid: 'x' })).kid).toBe('x');
    expect(decodeProtectedHeader(genauth.token({}, { kid: null }))).not.toHaveProperty('kid');
  });

  it('takes header and payload as raw text', () => {
    const [header, payload] = genauth
      .token({}, { rawHeader: '{"alg":"RS256","alg":"none"}', rawPayload: '[1]' })
      .split('.')
      .map((part) => Buffer.from(part, 'base64url').toString());
    expect([header, payload]).toEqual(['{"alg":"RS256","alg":"none"}', '[1]']);
  });

  it('respells a token into other characters for the same bytes', async () => {
    const { access_token: token } = genauth.signIn();
    const other = genauth.respell(token);
    expect(other).not.toBe(token);
    const bytes = [token, other].map((each) => Buffer.from(each.split('.')[2] ?? '', 'base64url'));
    expect(bytes[0]).toEqual(bytes[1]);
    expect(await isActive(genauth.application, other)).toBe(true);
  });

  it.each(['ES256', 'EdDSA', 'PS256'] as const)('signs %s with a key of its own', async (alg) => {
    const other = await started({ applications: [{ alg }] });
    const { access_token: token } = other.signIn();
    expect(decodeProtectedHeader(token).alg).toBe(alg);
    await jwtVerify(token, createLocalJWKSet(await keySet(other.application)));
  });

  it('finds the second valid signature of an ES256 token, and the server knows both', async () => {
    const other = await started({ applications: [{ alg: 'ES256' }] });
    const { access_token: token } = other.signIn();
    const twin = other.malleate(token);
    expect(twin).not.toBe(token);
    await jwtVerify(twin, createLocalJWKSet(await keySet(other.application)));
    expect(await isActive(other.application, twin)).toBe(true);
    await revoke(other.application, twin);
    expect(await isActive(other.application, token)).toBe(false);
  });

  it('does not know a token whose signature was replaced', async () => {
    const { access_token: token } = genauth.signIn();
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${'A'.repeat(342)}`;
    expect(await isActive(genauth.application, forged)).toBe(false);
  });

  function publicKey() {
    return genauth.application.keys.current.publicKey;
  }
});

describe('signing keys', () => {
  it('adds a key that signs from then on, while the old one stays published', async () => {
    const genauth = await started();
    const { keys } = genauth.application;
    const [before] = keys.kids;
    const added = keys.add();
    expect(keys.kids).toEqual([before, added.kid]);
    expect(decodeProtectedHeader(genauth.signIn().access_token).kid).toBe(added.kid);
  });

  it('replaces every key', async () => {
    const { application } = await started();
    const [before] = application.keys.kids;
    application.keys.replace();
    expect((await keySet(application)).keys.map((each) => each.kid)).toEqual(application.keys.kids);
    expect(application.keys.kids).not.toContain(before);
  });

  it('drops the oldest key, or the named one, and the newest left signs', async () => {
    const { application } = await started();
    const { keys } = application;
    const second = keys.add('ES256');
    const third = keys.add('EdDSA');
    keys.drop();
    expect(keys.kids).toEqual([second.kid, third.kid]);
    keys.drop(third.kid);
    expect(keys.current.kid).toBe(second.kid);
    keys.drop();
    expect(() => keys.current).toThrow('No signing key is left');
    expect(await keySet(application)).toEqual({ keys: [] });
  });

  it('signs with keys that are not published, and publishes strangers beside its own', async () => {
    const genauth = await started();
    const { keys } = genauth.application;
    keys.unpublish();
    keys.extras.push({ kty: 'oct', k: 'AAAA' });
    expect(await keySet(genauth.application)).toEqual({ keys: [{ kty: 'oct', k: 'AAAA' }] });
    expect(genauth.signIn().access_token).toBeTruthy();
    keys.publish();
    expect(keys.kids).toEqual([keys.current.kid]);
  });

  it('goes back to an older key', async () => {
    const { application } = await started();
    const { keys } = application;
    const first = keys.current;
    keys.add('ES256');
    keys.use(first.kid);
    expect(keys.current).toBe(first);
    expect(() => keys.use('nobody')).toThrow("No signing key has the kid 'nobody'.");
  });
});

describe('client authentication', () => {
  const AUTH_ENDPOINTS = ['introspection', 'revocation'] as const;

  it.each(AUTH_ENDPOINTS)('takes a secret either way at %s, as engine 6', async (endpoint) => {
    const { application } = await started();
    const { appId, appSecret } = application;
    const url = `${application.appHost}/oidc/token/${endpoint}`;
    for (const method of ['client_secret_post', 'client_secret_basic'] as const) {
      application.authMethods[endpoint] = method;
      expect((await post(url, { ...proof(application), token: 'x' })).status).toBe(200);
      expect((await post(url, { token: 'x' }, basic(appId, appSecret))).status).toBe(200);
      expect((await post(url, { client_id: appId, token: 'x' })).status).toBe(401);
    }
  });

  it.each(AUTH_ENDPOINTS)(
    'takes only the set way at %s when strict, as engine 5',
    async (endpoint) => {
      const { application, switches } = await started();
      switches.strictAuthMethods = true;
      const { appId, appSecret } = application;
      const url = `${application.appHost}/oidc/token/${endpoint}`;
      application.authMethods[endpoint] = 'client_secret_basic';
      expect((await post(url, { ...proof(application), token: 'x' })).status).toBe(401);
      expect((await post(url, { token: 'x' }, basic(appId, appSecret))).status).toBe(200);
    },
  );

  it.each(AUTH_ENDPOINTS)('takes the id alone at %s when the method is none', async (endpoint) => {
    const { application } = await started();
    application.authMethods[endpoint] = 'none';
    const url = `${application.appHost}/oidc/token/${endpoint}`;
    const id = { client_id: application.appId, token: 'x' };
    expect((await post(url, id)).status).toBe(200);
    expect((await post(url, { ...id, client_secret: application.appSecret })).status).toBe(401);
  });

  it('keeps the settings of the endpoints apart', async () => {
    const { application, switches } = await started();
    const settings = switches.authMethods[application.appId];
    expect(settings).toBe(application.authMethods);
    application.authMethods.introspection = 'none';
    const id = { client_id: application.appId, token: 'x' };
    const base = `${application.appHost}/oidc/token`;
    expect((await post(`${base}/introspection`, id)).status).toBe(200);
    expect((await post(`${base}/revocation`, id)).status).toBe(401);
  });

  it.each<[string, (app: FakeApplication) => [Fields, Fields?], number, string, string]>([
    [
      'a wrong secret',
      ({ appId }) => [{ client_id: appId, client_secret: 'wrong' }],
      401,
      'invalid_client',
      'client authentication failed',
    ],
    [
      'an unknown client',
      () => [{ client_id: 'nobody', client_secret: 'x' }],
      401,
      'invalid_client',
      'client authentication failed',
    ],
    [
      'no credentials at all',
      () => [{}],
      400,
      'invalid_request',
      'no client authentication mechanism provided',
    ],
    [
      'header and body secret together',
      (app) => [proof(app), basic(app.appId, app.appSecret)],
      400,
      'invalid_request',
      'client authentication must only be provided using one mechanism',
    ],
    [
      'a malformed Authorization header',
      () => [{}, { authorization: 'Bearer x' }],
      400,
      'invalid_request',
      'invalid authorization header value format',
    ],
  ])('refuses %s', async (_, credentials, status, error, description) => {
    const { application } = await started();
    const [form, headers] = credentials(application);
    for (const endpoint of AUTH_ENDPOINTS) {
      const url = `${application.appHost}/oidc/token/${endpoint}`;
      const response = await post(url, { token: 'x', ...form }, headers);
      expect(response.status).toBe(status);
      expect(await response.json()).toEqual({ error, error_description: description });
      expect(response.headers.get('www-authenticate')).toBeNull();
    }
  });

  it('challenges only a client that sent an Authorization header', async () => {
    const { application } = await started();
    const url = `${application.appHost}/oidc/token/revocation`;
    const response = await post(url, { token: 'x' }, basic(application.appId, 'wrong'));
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm="http/);
  });

  it('refuses a JSON body', async () => {
    const { application } = await started();
    for (const endpoint of AUTH_ENDPOINTS) {
      const response = await fetch(`${application.appHost}/oidc/token/${endpoint}`, {
        method: 'POST',
        body: JSON.stringify({ ...proof(application), token: 'x' }),
        headers: { 'content-type': 'application/json' },
      });
      expect(response.status).toBe(400);
      const { error, error_description: description } = (await response.json()) as Json;
      expect(error).toBe('invalid_request');
      expect(description).toMatch(
        /^only application\/x-www-form-urlencoded content-type bodies are/,
      );
    }
  });

  it('refuses a body over 56 KiB', async () => {
    const { application } = await started();
    const response = await revoke(application, 'x'.repeat(60_000));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error_description: 'failed to parse the request body',
    });
  });

  it('refuses a parameter given twice', async () => {
    const { application } = await started();
    const form = `${new URLSearchParams(proof(application)).toString()}&token=a&token=b`;
    for (const endpoint of AUTH_ENDPOINTS) {
      const response = await post(`${application.appHost}/oidc/token/${endpoint}`, form);
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        error: 'invalid_request',
        error_description: "'token' parameter must not be provided twice",
      });
    }
  });

  it('refuses a request without a token', async () => {
    const { application } = await started();
    for (const endpoint of AUTH_ENDPOINTS) {
      const url = `${application.appHost}/oidc/token/${endpoint}`;
      const response = await post(url, proof(application));
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        error: 'invalid_request',
        error_description: "missing required parameter 'token'",
      });
    }
  });

  it('describes errors in Chinese under the same codes when told to', async () => {
    const { application, switches } = await started();
    switches.localizedErrors = true;
    const response = await revoke(application, '');
    expect(await response.json()).toEqual({
      error: 'invalid_request',
      error_description: expect.stringMatching(/\p{Script=Han}/u),
    });
  });
});

describe('introspection', () => {
  it('describes an active access token in the documented order, uncached', async () => {
    const genauth = await started();
    const { application } = genauth;
    const { access_token: token } = genauth.signIn({ sub: 'u1', scope: 'openid profile' });
    const response = await introspect(application, token, { token_type_hint: 'refresh_token' });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-cache, no-store');
    const { iat, exp, jti } = decodeJwt(token);
    const { appId, issuer } = application;
    expect(await response.text()).toBe(
      `{"active":true,"sub":"u1","client_id":"${appId}","exp":${exp},"iat":${iat},` +
        `"iss":"${issuer}","jti":"${jti}","scope":"openid profile","token_type":"Bearer"}`,
    );
  });

  it('describes a refresh token without token_type', async () => {
    const genauth = await started();
    const { refresh_token: token } = genauth.signIn({ sub: 'u1' });
    const answer = (await (await introspect(genauth.application, token)).json()) as Json;
    expect(answer).toMatchObject({ active: true, sub: 'u1' });
    expect(answer).not.toHaveProperty('token_type');
    expect(Number(answer['exp']) - Number(answer['iat'])).toBe(2_592_000);
  });

  it('describes a machine token without sub', async () => {
    const genauth = await started();
    const token = genauth.machineToken({ scope: 'book:read' });
    const answer = (await (await introspect(genauth.application, token)).json()) as Json;
    expect(answer).toMatchObject({ active: true, scope: 'book:read', token_type: 'Bearer' });
    expect(answer).not.toHaveProperty('sub');
  });

  it('leaves token_type out as engine 5 does, when told to', async () => {
    const genauth = await started();
    genauth.switches.introspectionTokenType = false;
    const response = await introspect(genauth.application, genauth.signIn().access_token);
    expect(await response.json()).not.toHaveProperty('token_type');
  });

  it('says only that expired, unknown, malformed, revoked and ID tokens are inactive', async () => {
    const clock = new VirtualClock();
    const genauth = await started({ ...QUICK, clock });
    const { application } = genauth;
    const expired = genauth.signIn({ lifetime: 60 }).access_token;
    clock.advance(60_000);
    const revoked = genauth.signIn().access_token;
    await revoke(application, revoked);
    const idToken = genauth.signIn().id_token;
    for (const token of [expired, genauth.token(), 'not a token', '..', revoked, idToken]) {
      const response = await introspect(application, token);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe('{"active":false}');
    }
  });

  it('tells a client with a secret about tokens of another application, unless told not to', async () => {
    const genauth = await started();
    const [first, second] = genauth.applications as [FakeApplication, FakeApplication];
    const { access_token: token } = genauth.signIn({ appId: second.appId });
    expect(await isActive(first, token)).toBe(true);
    genauth.switches.introspectForeignTokens = false;
    expect(await isActive(first, token)).toBe(false);
  });

  it('tells a client without a secret nothing about tokens of another application', async () => {
    const genauth = await started();
    const [first, second] = genauth.applications as [FakeApplication, FakeApplication];
    first.authMethods.introspection = 'none';
    const ask = async (token: string) => {
      const url = `${first.appHost}/oidc/token/introspection`;
      return (await post(url, { client_id: first.appId, token })).json();
    };
    const foreign = genauth.signIn({ appId: second.appId }).access_token;
    expect(await ask(foreign)).toEqual({ active: false });
    expect(await ask(genauth.signIn().access_token)).toMatchObject({ active: true });
  });

  it.each(['Suspended', 'Resigned', 'Archived', 'Deactivated', 'Deleted'] as const)(
    'finds the token of a user who is %s inactive only under strict',
    async (status) => {
      const genauth = await started();
      const { access_token: token } = genauth.signIn({ sub: 'u1' });
      genauth.setUser('u1', status);
      expect(await isActive(genauth.application, token)).toBe(true);
      expect(await isActive(genauth.application, token, { strict: 'false' })).toBe(true);
      expect(await isActive(genauth.application, token, { strict: 'true' })).toBe(false);
      genauth.setUser('u1', 'Activated');
      expect(await isActive(genauth.application, token, { strict: 'true' })).toBe(true);
    },
  );

  it('treats JWTs as later engines do, when told to', async () => {
    const genauth = await started();
    const { access_token: token, refresh_token: opaque } = genauth.signIn();
    genauth.switches.jwtIntrospection = 'inactive';
    expect(await isActive(genauth.application, token)).toBe(false);
    genauth.switches.jwtIntrospection = 'unsupported_token_type';
    const response = await introspect(genauth.application, token);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: 'unsupported_token_type' });
    expect(await isActive(genauth.application, opaque)).toBe(true);
  });
});

describe('revocation', () => {
  it('answers an empty 200 to whatever cannot be valid any more', async () => {
    const genauth = await started();
    const { application } = genauth;
    const { access_token: token, id_token: idToken } = genauth.signIn();
    for (const text of [token, token, genauth.token(), 'garbage', idToken]) {
      const response = await revoke(application, text);
      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      expect(response.headers.get('content-length')).toBe('0');
      expect(await response.text()).toBe('');
    }
  });

  it.each([
    ['true', 'true'],
    ['json', '{"statusCode":200,"message":"success"}'],
  ] as const)('answers success with the body “%s” when told to', async (body, text) => {
    const genauth = await started();
    genauth.switches.revocationBody = body;
    expect(await (await revoke(genauth.application, 'x')).text()).toBe(text);
  });

  it('ends only the access token, as engine 6', async () => {
    const genauth = await started();
    const { access_token: token, refresh_token: refreshToken } = genauth.signIn();
    await revoke(genauth.application, token);
    expect(genauth.revoked(token)).toBe(true);
    expect(genauth.revoked(refreshToken)).toBe(false);
    expect(await isActive(genauth.application, refreshToken)).toBe(true);
  });

  it('ends the whole grant with the access token when told to', async () => {
    const genauth = await started();
    genauth.switches.accessTokenRevocationEndsGrant = true;
    const { access_token: token, refresh_token: refreshToken } = genauth.signIn();
    await revoke(genauth.application, token);
    expect(await isActive(genauth.application, refreshToken)).toBe(false);
  });

  it('ends the whole grant, and no other, with the refresh token', async () => {
    const genauth = await started();
    const mine = genauth.signIn({ sub: 'u1' });
    const other = genauth.signIn({ sub: 'u1' });
    await revoke(genauth.application, mine.refresh_token);
    expect(await isActive(genauth.application, mine.access_token)).toBe(false);
    expect(await isActive(genauth.application, other.access_token)).toBe(true);
  });

  it('spares ID tokens and what hangs on them', async () => {
    const genauth = await started();
    const tokens = genauth.signIn();
    await revoke(genauth.application, tokens.id_token);
    expect(await isActive(genauth.application, tokens.access_token)).toBe(true);
    expect(genauth.revoked(tokens.id_token)).toBe(false);
  });

  it('refuses the token of another client', async () => {
    const genauth = await started();
    const [first, second] = genauth.applications as [FakeApplication, FakeApplication];
    const { access_token: token } = genauth.signIn({ appId: second.appId });
    const response = await revoke(first, token);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: 'invalid_request',
      error_description: 'this token does not belong to you',
    });
    expect(genauth.revoked(token)).toBe(false);
  });

  it('revokes a machine token for the application that it names in azp', async () => {
    const genauth = await started();
    const token = genauth.machineToken();
    await revoke(genauth.application, token);
    expect(await isActive(genauth.application, token)).toBe(false);
  });

  it('refuses JWTs, or lets them live in silence, as later engines do', async () => {
    const genauth = await started();
    const { access_token: token, refresh_token: opaque } = genauth.signIn();
    genauth.switches.jwtRevocation = 'unsupported_token_type';
    const refused = await revoke(genauth.application, token);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: 'unsupported_token_type' });
    genauth.switches.jwtRevocation = 'no-op';
    expect((await revoke(genauth.application, token)).status).toBe(200);
    expect(await isActive(genauth.application, token)).toBe(true);
    await revoke(genauth.application, opaque);
    expect(await isActive(genauth.application, token)).toBe(false);
  });

  it('lets somebody else end a grant', async () => {
    const genauth = await started();
    const tokens = genauth.signIn();
    genauth.revokeGrantOf(tokens.id_token);
    expect(await isActive(genauth.application, tokens.access_token)).toBe(false);
    expect(() => genauth.revokeGrantOf('unknown')).toThrow('has a grant to revoke');
  });
});

describe('token endpoint', () => {
  function ask(app: FakeApplication, form: Fields, headers?: Fields): Promise<Response> {
    return post(`${app.appHost}/oidc/token`, form, headers);
  }

  it('gives a machine what it may have and names what it may not', async () => {
    const account = {
      accessKey: 'ak',
      secretKey: 'sk',
      scope: 'book:read book:list',
      lifetime: 60,
    };
    const genauth = await started({ ...QUICK, accounts: [account] });
    const form = { grant_type: 'client_credentials', scope: 'book:read book:create' };
    const machine = { client_id: 'ak', client_secret: 'sk' };
    const response = await ask(genauth.application, { ...form, ...machine });
    expect(response.headers.get('cache-control')).toBe('no-cache, no-store');
    const answer = (await response.json()) as Fields;
    expect(Object.keys(answer)).toEqual([
      'access_token',
      'expires_in',
      'token_type',
      'scope',
      'rejected_scope',
    ]);
    expect(answer).toMatchObject({
      expires_in: 60,
      token_type: 'Bearer',
      scope: 'book:read',
      rejected_scope: 'book:create',
    });
    expect(decodeJwt(answer['access_token'] ?? '')).toMatchObject({
      aud: 'ak',
      scope: 'book:read',
    });
    const byHeader = await ask(genauth.application, form, basic('ak', 'sk'));
    expect(byHeader.status).toBe(200);
  });

  it('refuses key pairs that are wrong, or belong to another application', async () => {
    const genauth = await started();
    const [first, second] = genauth.accounts;
    const form = { grant_type: 'client_credentials' };
    const wrong = { client_id: first?.accessKey ?? '', client_secret: 'wrong' };
    const foreign = {
      client_id: second?.accessKey ?? '',
      client_secret: second?.secretKey ?? '',
    };
    expect((await ask(genauth.application, { ...form, ...wrong })).status).toBe(401);
    expect((await ask(genauth.application, { ...form, ...foreign })).status).toBe(401);
  });

  it('refuses machine tokens to applications and renewals to machines', async () => {
    const genauth = await started({ ...QUICK, accounts: [{ accessKey: 'ak', secretKey: 'sk' }] });
    const { application } = genauth;
    const machine = { client_id: 'ak', client_secret: 'sk' };
    for (const form of [
      { ...proof(application), grant_type: 'client_credentials' },
      { ...machine, grant_type: 'refresh_token', refresh_token: 'x' },
    ]) {
      const response = await ask(application, form);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ error: 'unauthorized_client' });
    }
  });

  it('renews with the same refresh token by default', async () => {
    const genauth = await started();
    const { application } = genauth;
    const before = genauth.signIn({
      sub: 'u1',
      scope: 'openid book:read',
      claims: { tenant_id: 't' },
    });
    const form = { grant_type: 'refresh_token', refresh_token: before.refresh_token };
    const after = (await (
      await ask(application, { ...proof(application), ...form })
    ).json()) as Fields;
    expect(after['refresh_token']).toBe(before.refresh_token);
    expect(after['access_token']).not.toBe(before.access_token);
    expect(decodeJwt(after['access_token'] ?? '')).toMatchObject({
      sub: 'u1',
      scope: 'openid book:read',
      tenant_id: 't',
    });
    await revoke(application, before.refresh_token);
    expect(await isActive(application, after['access_token'] ?? '')).toBe(false);
  });

  it('rotates refresh tokens when told to, and ends the grant when an old one returns', async () => {
    const genauth = await started();
    const { application, switches } = genauth;
    switches.refreshRotation = true;
    const before = genauth.signIn();
    const renew = (token: string) =>
      ask(application, {
        ...proof(application),
        grant_type: 'refresh_token',
        refresh_token: token,
      });
    const after = (await (await renew(before.refresh_token)).json()) as Fields;
    expect(after['refresh_token']).toMatch(/^[\w-]{43}$/);
    expect(after['refresh_token']).not.toBe(before.refresh_token);
    expect(await isActive(application, before.refresh_token)).toBe(false);
    expect((await renew(before.refresh_token)).status).toBe(400);
    expect(await isActive(application, after['access_token'] ?? '')).toBe(false);
  });

  it('refuses revoked, unknown and foreign refresh tokens, and those of users shut out', async () => {
    const genauth = await started();
    const [first, second] = genauth.applications as [FakeApplication, FakeApplication];
    const revoked = genauth.signIn().refresh_token;
    await revoke(first, revoked);
    const foreign = genauth.signIn({ appId: second.appId }).refresh_token;
    const shutOut = genauth.signIn({ sub: 'u1' }).refresh_token;
    genauth.setUser('u1', 'Suspended');
    const access = genauth.signIn().access_token;
    for (const token of [revoked, 'unknown', foreign, shutOut, access]) {
      const form = { grant_type: 'refresh_token', refresh_token: token };
      const response = await ask(first, { ...proof(first), ...form });
      expect(response.status).toBe(400);
      expect(await response.json()).toEqual({
        error: 'invalid_grant',
        error_description: 'grant request is invalid',
      });
    }
  });

  it('signs any user in by name', async () => {
    const genauth = await started();
    const { application } = genauth;
    const form = { ...proof(application), grant_type: 'password', username: 'u1', password: 'any' };
    const offline = await ask(application, { ...form, scope: 'openid offline_access' });
    expect(Object.keys((await offline.json()) as Json).sort()).toEqual([
      'access_token',
      'expires_in',
      'id_token',
      'refresh_token',
      'scope',
      'token_type',
    ]);
    const plain = (await (
      await ask(application, { ...form, scope: 'book:read' })
    ).json()) as Fields;
    expect(plain).not.toHaveProperty('id_token');
    expect(plain).not.toHaveProperty('refresh_token');
    expect(decodeJwt(plain['access_token'] ?? '').sub).toBe('u1');
  });

  it('refuses a grant that it does not know', async () => {
    const { application } = await started();
    const response = await ask(application, { ...proof(application), grant_type: 'magic' });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: 'unsupported_grant_type',
      error_description: 'unsupported grant_type requested',
    });
  });
});

describe('user endpoints', () => {
  const me = (app: FakeApplication, init?: RequestInit, query = '') =>
    fetch(`${app.appHost}/oidc/me${query}`, init);

  it('tells who a token speaks for, however it is presented', async () => {
    const genauth = await started();
    const { application } = genauth;
    const { access_token: token } = genauth.signIn({ sub: 'u1', profile: { name: 'Ada' } });
    const form = new URLSearchParams({ access_token: token });
    for (const response of [
      await me(application, { headers: { authorization: `Bearer ${token}` } }),
      await me(application, {}, `?access_token=${token}`),
      await me(application, { method: 'POST', body: form }),
    ]) {
      expect(response.status).toBe(200);
      expect(await response.json()).toEqual({ sub: 'u1', name: 'Ada' });
    }
  });

  it('refuses a revoked, expired, unknown or machine token with a challenge', async () => {
    const clock = new VirtualClock();
    const genauth = await started({ ...QUICK, clock });
    const expired = genauth.signIn({ lifetime: 1 }).access_token;
    clock.advance(1000);
    const revoked = genauth.signIn().access_token;
    await revoke(genauth.application, revoked);
    for (const token of [revoked, expired, 'unknown', genauth.machineToken()]) {
      const headers = { authorization: `Bearer ${token}` };
      const response = await me(genauth.application, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(
        /^Bearer realm="http.*", error="invalid_token", /,
      );
      expect(await response.json()).toEqual({
        error: 'invalid_token',
        error_description: 'invalid token provided',
      });
    }
  });

  it('refuses a request without a token', async () => {
    const { application } = await started();
    const response = await me(application);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      error: 'invalid_request',
      error_description: 'no access token provided',
    });
  });

  it('validates access and ID tokens, at both documented paths', async () => {
    const genauth = await started();
    const { appHost } = genauth.application;
    const { access_token: access, id_token: id } = genauth.signIn({ sub: 'u1' });
    for (const path of ['/api/v2/oidc/validate_token', '/api/oidc/validate_token']) {
      for (const query of [`access_token=${access}`, `id_token=${id}`]) {
        const response = await fetch(`${appHost}${path}?${query}`);
        expect(await response.json()).toMatchObject({ sub: 'u1', iss: genauth.application.issuer });
      }
    }
  });

  it('does not validate refresh tokens or anything else, under a status of your choice', async () => {
    const genauth = await started();
    const url = `${genauth.application.appHost}/api/v2/oidc/validate_token`;
    const { refresh_token: refreshToken } = genauth.signIn();
    for (const status of [400, 200]) {
      genauth.switches.validateTokenFailureStatus = status;
      const access = await fetch(`${url}?access_token=${refreshToken}`);
      expect(access.status).toBe(status);
      expect(await access.text()).toBe('{"code":400,"message":"access_token is invalid"}');
      const id = await fetch(`${url}?id_token=x`);
      expect(await id.text()).toBe('{"code":400,"message":"id_token is invalid"}');
    }
  });

  it('ends the session and with it a grant that is not offline', async () => {
    const genauth = await started();
    const { application } = genauth;
    const end = (hint: string) => {
      const query = new URLSearchParams({
        id_token_hint: hint,
        post_logout_redirect_uri: 'https://app.example.com/bye',
        state: 's 1',
      });
      const url = `${application.appHost}/oidc/session/end?${query.toString()}`;
      return fetch(url, { redirect: 'manual' });
    };
    const online = genauth.signIn({ offline: false });
    const offline = genauth.signIn();
    const response = await end(online.id_token);
    expect(response.status).toBe(302);
    expect(response.headers.get('location')).toBe('https://app.example.com/bye?state=s%201');
    await end(offline.id_token);
    expect(await isActive(application, online.access_token)).toBe(false);
    expect(await isActive(application, offline.access_token)).toBe(true);
    expect((await end('garbage')).status).toBe(400);
  });
});

describe('the OAuth protocol', () => {
  it('introspects, revokes, renews and describes opaque tokens at its own paths', async () => {
    const genauth = await started();
    const { application } = genauth;
    const base = `${application.appHost}/oauth`;
    const tokens = genauth.opaqueToken({ sub: 'u1' });
    const form = { ...proof(application), token: tokens.access_token };
    const answer = (await (await post(`${base}/token/introspection`, form)).json()) as Json;
    expect(answer).toMatchObject({ active: true, iss: base, scope: 'user', token_type: 'Bearer' });
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    expect(await (await fetch(`${base}/me`, { headers })).json()).toEqual({ sub: 'u1' });
    const renewal = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
    const renewed = await post(`${base}/token`, { ...proof(application), ...renewal });
    expect(await renewed.json()).toMatchObject({ refresh_token: tokens.refresh_token });
    await post(`${base}/token/revocation`, { ...form, token: tokens.refresh_token });
    const after = await post(`${base}/token/introspection`, form);
    expect(await after.json()).toEqual({ active: false });
  });

  it('keeps its tokens apart from those of the OIDC protocol', async () => {
    const genauth = await started();
    const { application } = genauth;
    const { access_token: opaque } = genauth.opaqueToken();
    expect(await isActive(application, opaque)).toBe(false);
    await revoke(application, opaque);
    expect(genauth.revoked(opaque)).toBe(false);
    const form = { ...proof(application), token: genauth.signIn().access_token };
    const response = await post(`${application.appHost}/oauth/token/introspection`, form);
    expect(await response.json()).toEqual({ active: false });
  });

  it('signs in by password with opaque tokens', async () => {
    const { application } = await started();
    const form = { ...proof(application), grant_type: 'password', username: 'u1', scope: 'user' };
    const answer = await post(`${application.appHost}/oauth/token`, form);
    expect(await answer.json()).toEqual({
      access_token: expect.stringMatching(/^[\da-f]{40}$/),
      expires_in: 1_209_600,
      token_type: 'Bearer',
      scope: 'user',
    });
  });
});

describe('request log', () => {
  it('notes what arrived, where, and how it was answered', async () => {
    const clock = new VirtualClock(1_735_689_600_000);
    const genauth = await started({ ...QUICK, clock });
    const { application, requests } = genauth;
    await introspect(application, 'x', { token_type_hint: 'access_token' });
    await fetch(`${application.appHost}/nowhere?a=1`);
    expect(requests.of('introspection')).toEqual([
      expect.objectContaining({
        method: 'POST',
        path: '/oidc/token/introspection',
        endpoint: 'introspection',
        protocol: 'oidc',
        appId: application.appId,
        body: { ...proof(application), token: 'x', token_type_hint: 'access_token' },
        status: 200,
        at: 1_735_689_600_000,
      }),
    ]);
    expect(requests.last()?.headers).toHaveProperty('host');
    expect(requests.last()).toMatchObject({ endpoint: 'unknown', query: { a: '1' }, status: 404 });
    expect([...requests]).toEqual(requests.entries);
  });

  it('counts per endpoint and in all, until cleared', async () => {
    const { application, requests } = await started();
    await Promise.all([keySet(application), keySet(application), revoke(application, 'x')]);
    expect([requests.count('jwks'), requests.count('token'), requests.count()]).toEqual([2, 0, 3]);
    requests.clear();
    expect([requests.count(), requests.entries]).toEqual([0, []]);
  });

  it('keeps the last 10 000 requests while the counts go on', async () => {
    const { application, requests } = await started();
    await keySet(application);
    const entry = requests.last('jwks');
    for (let i = 0; entry && i < 10_000; i += 1) requests.add({ ...entry, path: `/${i}` });
    expect(requests.entries).toHaveLength(10_000);
    expect(requests.entries[0]?.path).toBe('/0');
    expect(requests.count('jwks')).toBe(10_001);
  });

  it('tells when a number of requests has arrived', async () => {
    const { application, requests } = await started();
    const twice = requests.until('jwks', 2);
    await Promise.all([keySet(application), keySet(application)]);
    await twice;
    expect(requests.count('jwks')).toBe(2);
  });
});

describe('faults', () => {
  async function failure(url: string): Promise<unknown> {
    return fetch(url).then(
      () => undefined,
      ({ cause }: { cause: { code: unknown } }) => cause.code,
    );
  }

  it('resets the connection before an answer, for so many requests', async () => {
    const genauth = await started();
    const { application, requests } = genauth;
    genauth.fault('jwks', 'down', 2);
    expect(await failure(jwksUrl(application))).toBe('ECONNRESET');
    expect(await failure(jwksUrl(application))).toBe('ECONNRESET');
    expect(await failure(jwksUrl(application))).toBeUndefined();
    expect(requests.of('jwks').map((each) => each.status)).toEqual([undefined, undefined, 200]);
  });

  it('does not act behind a connection that was down, but does behind one cut in the answer', async () => {
    const genauth = await started();
    const { access_token: token } = genauth.signIn();
    const form = new URLSearchParams({ ...proof(genauth.application), token });
    const url = `${genauth.application.appHost}/oidc/token/revocation`;
    const attempt = async () => (await fetch(url, { method: 'POST', body: form })).text();
    genauth.fault('revocation', 'down', 1);
    await expect(attempt()).rejects.toThrow('fetch failed');
    expect(genauth.revoked(token)).toBe(false);
    genauth.fault('revocation', 'reset', 1);
    await expect(attempt()).rejects.toThrow('terminated');
    expect(genauth.revoked(token)).toBe(true);
  });

  it('cuts a body in the middle', async () => {
    const genauth = await started();
    genauth.fault('jwks', 'reset');
    const response = await fetch(jwksUrl(genauth.application));
    expect(response.status).toBe(200);
    await expect(response.json()).rejects.toThrow('terminated');
  });

  it('never answers, until the client gives up', async () => {
    const genauth = await started();
    const { requests, application } = genauth;
    genauth.fault('jwks', 'slow');
    const patience = new AbortController();
    const attempt = fetch(jwksUrl(application), { signal: patience.signal });
    await requests.until('jwks', 1);
    patience.abort();
    await expect(attempt).rejects.toThrow('aborted');
  });

  it('answers late', async () => {
    const genauth = await started();
    genauth.fault('jwks', { slow: 1 });
    expect((await keySet(genauth.application)).keys).toHaveLength(1);
  });

  it('answers an HTML error page', async () => {
    const genauth = await started();
    genauth.fault('introspection', 'html');
    const response = await introspect(genauth.application, 'x');
    expect(response.status).toBe(502);
    expect(await response.text()).toContain('<!DOCTYPE html>');
  });

  it('answers garbage', async () => {
    const genauth = await started();
    genauth.fault('introspection', 'garbage');
    const response = await introspect(genauth.application, 'x');
    expect(response.status).toBe(200);
    await expect(response.json()).rejects.toThrow('is not valid JSON');
  });

  it('answers without end', async () => {
    const genauth = await started();
    genauth.fault('jwks', 'endless');
    const { body } = await fetch(jwksUrl(genauth.application));
    const reader = body?.getReader();
    let received = 0;
    while (received < 4 * 1024 * 1024) received += (await reader?.read())?.value?.length ?? 0;
    await reader?.cancel();
    expect(received).toBeGreaterThan(4_000_000);
  });

  it('answers a small body that unfolds into a huge one', async () => {
    const genauth = await started();
    genauth.fault('jwks', 'bomb');
    const response = await fetch(jwksUrl(genauth.application));
    expect(response.headers.get('content-encoding')).toBe('gzip');
    const reader = response.body?.getReader();
    let unfolded = 0;
    while (unfolded < 8 * 1024 * 1024) unfolded += (await reader?.read())?.value?.length ?? 0;
    await reader?.cancel();
    expect(unfolded).toBeGreaterThan(8_000_000);
  });

  it('answers a status with Retry-After', async () => {
    const genauth = await started();
    genauth.fault('introspection', { status: 429, retryAfter: 7 });
    const response = await introspect(genauth.application, 'x');
    expect(response.status).toBe(429);
    expect(response.headers.get('retry-after')).toBe('7');
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' });
  });

  it('redirects', async () => {
    const genauth = await started();
    genauth.fault('jwks', { redirect: 'https://elsewhere.example.com/' });
    const response = await fetch(jwksUrl(genauth.application), { redirect: 'manual' });
    expect(response.status).toBe(302);
    expect(response.headers.get('location')).toBe('https://elsewhere.example.com/');
  });

  it('answers any body: values as JSON, text and bytes as they are', async () => {
    const genauth = await started();
    genauth.fault('introspection', { body: { statusCode: 403, message: 'no' } }, 1);
    genauth.fault('introspection', { body: '{"active":', status: 201 }, 1);
    genauth.fault('introspection', { body: Buffer.from([0xff]), headers: { 'X-Odd': '1' } }, 1);
    const ask = () => introspect(genauth.application, 'x');
    expect(await (await ask()).json()).toEqual({ statusCode: 403, message: 'no' });
    const text = await ask();
    expect([text.status, await text.text()]).toEqual([201, '{"active":']);
    const bytes = await ask();
    expect(bytes.headers.get('x-odd')).toBe('1');
    expect(new Uint8Array(await bytes.arrayBuffer())).toEqual(new Uint8Array([0xff]));
  });

  it('spends limited faults before a standing one, and recovers per endpoint or at once', async () => {
    const genauth = await started();
    const { application } = genauth;
    const status = async () => (await fetch(jwksUrl(application))).status;
    genauth.fault('*', { status: 500 });
    genauth.fault('jwks', { status: 503 });
    genauth.fault('jwks', { status: 429 }, 1);
    expect([await status(), await status()]).toEqual([429, 503]);
    genauth.recover('jwks');
    expect(await status()).toBe(500);
    genauth.recover();
    expect(await status()).toBe(200);
  });
});

describe('holds and outages', () => {
  it('keeps answers back that were decided on arrival', async () => {
    const genauth = await started();
    const { access_token: token } = genauth.signIn();
    const hold = genauth.hold('introspection');
    const asked = isActive(genauth.application, token);
    await hold.arrived;
    expect(hold.waiting).toBe(1);
    genauth.revokeGrantOf(token);
    hold.release();
    expect(await asked).toBe(true);
    expect(await isActive(genauth.application, token)).toBe(false);
  });

  it('goes down and comes back at the same address, with what it knew', async () => {
    const genauth = await started();
    const { application } = genauth;
    const { access_token: token } = genauth.signIn();
    await genauth.goDown();
    await expect(fetch(jwksUrl(application))).rejects.toMatchObject({
      cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
    });
    await genauth.comeBack();
    expect(await isActive(application, token)).toBe(true);
  });

  it('takes one application down while the other serves', async () => {
    const genauth = await started();
    const [first, second] = genauth.applications as [FakeApplication, FakeApplication];
    await genauth.goDown(first.appId);
    await expect(fetch(jwksUrl(first))).rejects.toThrow('fetch failed');
    expect((await fetch(jwksUrl(second))).status).toBe(200);
  });

  it('cuts a waiting client off when it stops, and stops twice in peace', async () => {
    const genauth = await started();
    const hold = genauth.hold('jwks');
    const asked = fetch(jwksUrl(genauth.application));
    await Promise.all([
      expect(asked).rejects.toThrow('fetch failed'),
      hold.arrived.then(() => genauth.stop()),
    ]);
    await genauth[Symbol.asyncDispose]();
  });
});

describe('time', () => {
  it('stamps the Date header and tokens by its clock, and lets tokens expire by it', async () => {
    const clock = new VirtualClock(Date.UTC(2025, 0, 1));
    const genauth = await started({ ...QUICK, clock });
    const { application } = genauth;
    const { access_token: token } = genauth.signIn({ lifetime: 60 });
    const response = await introspect(application, token);
    expect(response.headers.get('date')).toBe('Wed, 01 Jan 2025 00:00:00 GMT');
    clock.jump(59_999);
    expect(await isActive(application, token)).toBe(true);
    clock.jump(1);
    expect(await isActive(application, token)).toBe(false);
  });

  it('stamps faulty answers by its clock as well', async () => {
    const genauth = await started({ ...QUICK, clock: new VirtualClock(0) });
    genauth.fault('*', 'html');
    const response = await fetch(jwksUrl(genauth.application));
    expect(response.headers.get('date')).toBe('Thu, 01 Jan 1970 00:00:00 GMT');
  });

  it('can be off by a fixed time', async () => {
    const genauth = await started({ ...QUICK, clock: new VirtualClock(0) });
    genauth.switches.clockOffsetMs = 90_000;
    expect(decodeJwt(genauth.token()).iat).toBe(90);
    expect(genauth.now()).toBe(90_000);
  });
});

describe('virtual clock', () => {
  it('moves both clocks on advance and only the wall clock on jump', () => {
    const clock = new VirtualClock(1000);
    clock.advance(5);
    clock.jump(-100);
    expect([clock.now(), clock.wall(), clock.mono()]).toEqual([905, 905, 5]);
  });

  it('fires timers in order of due time, also those set on the way, at their own time', () => {
    const clock = new VirtualClock(0);
    const fired: [string, number][] = [];
    const note = (name: string) => () => void fired.push([name, clock.now()]);
    clock.setTimeout(note('late'), 30);
    clock.setTimeout(() => {
      note('early')();
      clock.setTimeout(note('nested'), 5);
    }, 10);
    clock.setTimeout(note('beyond'), 31);
    clock.advance(30);
    expect(fired).toEqual([
      ['early', 10],
      ['nested', 15],
      ['late', 30],
    ]);
    expect(clock.pendingTimers).toBe(1);
  });

  it('cancels timers', () => {
    const clock = new VirtualClock();
    let fired = false;
    clock.setTimeout(() => (fired = true), 10)();
    clock.advance(10);
    expect([fired, clock.pendingTimers]).toEqual([false, 0]);
  });

  it('lets promises settle between timers when advanced asynchronously', async () => {
    const clock = new VirtualClock(0);
    const seen: number[] = [];
    const pause = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
    const ticking = (async () => {
      for (let i = 0; i < 3; i += 1) {
        await pause(10);
        seen.push(clock.mono());
      }
    })();
    await clock.advanceAsync(30);
    await ticking;
    expect(seen).toEqual([10, 20, 30]);
  });
});
