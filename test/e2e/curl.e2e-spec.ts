import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { FakeGenAuth } from '../../src/testing.js';
import { curl, hasCurl } from '../harness/curl.js';
import { type GuardedApp, platforms, startGuardedApp } from '../harness/guarded-app.js';

// Where everything has to run, a missing curl fails each case; elsewhere it is one line.
const skip = !hasCurl && !process.env['CI'];
if (skip) console.warn('curl is not installed: its cases are skipped');

(skip ? describe.skip : describe).each(platforms)('somebody with curl, on %s', (platform) => {
  let genauth: FakeGenAuth;
  let guarded: GuardedApp;

  beforeEach(async () => {
    genauth = await FakeGenAuth.start();
    guarded = await startGuardedApp(genauth.application.options(), { platform });
  });

  afterEach(async () => {
    await guarded.close();
    await genauth.stop();
  });

  const bearer = (token: string) => ['--header', `Authorization: Bearer ${token}`];

  it('is asked for a bearer token, and told no more, when none was sent', async () => {
    const { statusLine, headers, body } = await curl(`${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(headers['www-authenticate']).toEqual(['Bearer']);
    expect(headers['content-type']).toEqual(['application/json; charset=utf-8']);
    expect(JSON.parse(body)).toEqual({ statusCode: 401, message: 'Unauthorized' });
  });

  it('gets the resource with a good token, and no challenge', async () => {
    const { access_token: token } = genauth.signIn({ sub: 'alice', scope: 'openid' });
    const { statusLine, headers, body } = await curl(...bearer(token), `${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 200 OK');
    expect(headers['www-authenticate']).toBeUndefined();
    expect(JSON.parse(body)).toEqual({
      sub: 'alice',
      appId: genauth.application.appId,
      scopes: ['openid'],
    });
  });

  it('is refused with the token it signed out with', async () => {
    const { access_token: token } = genauth.signIn();
    const signOut = await curl('--request', 'POST', ...bearer(token), `${guarded.url}/logout`);
    expect(signOut.statusLine).toBe('HTTP/1.1 201 Created');
    expect(JSON.parse(signOut.body)).toMatchObject({ success: true, genauth: 'confirmed' });

    const { statusLine, headers, body } = await curl(...bearer(token), `${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(headers['www-authenticate']).toEqual(['Bearer error="invalid_token"']);
    expect(JSON.parse(body)).toEqual({
      statusCode: 401,
      error: 'invalid_token',
      message: 'Unauthorized',
    });
  });

  it('cannot tell a revoked token from a forged one', async () => {
    const { access_token: token } = genauth.signIn();
    await guarded.tokens.revoke(token);
    const forged = genauth.token({}, { key: genauth.foreignKey() });
    const [revoked, invented] = await Promise.all(
      [token, forged].map((each) => curl(...bearer(each), `${guarded.url}/me`)),
    );
    expect({ ...revoked, headers: { ...revoked?.headers, date: [] } }).toEqual({
      ...invented,
      headers: { ...invented?.headers, date: [] },
    });
  });

  it('gets nothing for a token in the query', async () => {
    const { access_token: token } = genauth.signIn();
    const { statusLine, headers } = await curl(`${guarded.url}/me?access_token=${token}`);
    expect(statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(headers['www-authenticate']).toEqual(['Bearer']);
  });

  it('is told off for a token in the header and another one in the query', async () => {
    const { access_token: token } = genauth.signIn();
    const url = `${guarded.url}/me?access_token=${token}`;
    const { statusLine, headers } = await curl(...bearer(token), url);
    expect(statusLine).toBe('HTTP/1.1 400 Bad Request');
    expect(headers['www-authenticate']).toEqual(['Bearer error="invalid_request"']);
  });

  it('is told off for two Authorization headers, good as both are', async () => {
    const [one, two] = [genauth.signIn().access_token, genauth.signIn().access_token];
    const { statusLine, headers } = await curl(...bearer(one), ...bearer(two), `${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 400 Bad Request');
    expect(headers['www-authenticate']).toEqual(['Bearer error="invalid_request"']);
  });

  it('has user and password read as no bearer token at all', async () => {
    const { statusLine, headers } = await curl('--user', 'alice:secret', `${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 401 Unauthorized');
    expect(headers['www-authenticate']).toEqual(['Bearer']);
  });

  it('gets in with its own way of sending a bearer token', async () => {
    const { access_token: token } = genauth.signIn();
    const { statusLine } = await curl('--oauth2-bearer', token, `${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 200 OK');
  });

  it('is told which scope is missing', async () => {
    const { access_token: token } = genauth.signIn({ scope: 'openid' });
    const { statusLine, headers } = await curl(...bearer(token), `${guarded.url}/books`);
    expect(statusLine).toBe('HTTP/1.1 403 Forbidden');
    expect(headers['www-authenticate']).toEqual([
      'Bearer error="insufficient_scope", scope="book:read"',
    ]);
  });

  it('is asked to come back when nobody can tell', async () => {
    await genauth.goDown();
    const { statusLine, headers } = await curl(...bearer(genauth.token()), `${guarded.url}/me`);
    expect(statusLine).toBe('HTTP/1.1 503 Service Unavailable');
    expect(headers['retry-after']?.map(Number)).toEqual([expect.any(Number)]);
    expect(headers['www-authenticate']).toBeUndefined();
  });

  it('meets the same guard with HEAD, and gets no body', async () => {
    const { access_token: token } = genauth.signIn();
    const passed = await curl('--head', ...bearer(token), `${guarded.url}/me`);
    expect([passed.statusLine, passed.body]).toEqual(['HTTP/1.1 200 OK', '']);
    const refused = await curl('--head', `${guarded.url}/me`);
    expect([refused.statusLine, refused.body]).toEqual(['HTTP/1.1 401 Unauthorized', '']);
    expect(refused.headers['www-authenticate']).toEqual(['Bearer']);
  });
});
