import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';

import { type GenAuthModuleOptions, RevocationError } from '../../src/index.js';
import {
  type AuthorizationServer,
  BACKEND,
  OTHER_RESOURCE,
  RESOURCE,
  startAuthorizationServer,
  STRANGER,
} from '../harness/authorization-server.js';
import { type GuardedApp, startGuardedApp } from '../harness/guarded-app.js';
import { ShiftedClock } from '../harness/shifted-clock.js';

const HOUR_MS = 3_600_000;
const CONFIRMED = { success: true, log: 'acknowledged', genauth: 'confirmed' };

let server: AuthorizationServer;
let running: GuardedApp[];

beforeEach(async () => {
  running = [];
  server = await startAuthorizationServer();
});

afterEach(async () => {
  await Promise.all(running.map((each) => each.close()));
  await server.close();
});

/** An application that speaks to the server; `upForMs` is how long it has been running. */
async function start(more: Partial<GenAuthModuleOptions> = {}, upForMs = 0): Promise<GuardedApp> {
  const clock = new ShiftedClock(-upForMs);
  const app = await startGuardedApp({ ...server.options(), ...more } as GenAuthModuleOptions, {
    clock,
  });
  running.push(app);
  await app.tokens.ready();
  clock.shiftMs = 0;
  return app;
}

const statusOf = async (app: GuardedApp, token: string) => (await app.call('/me', token)).status;
const minuteAgo = () => Date.now() - 60_000;
const asked = (path: string) => server.requests.filter((each) => each === path).length;

describe('opaque tokens of oidc-provider', () => {
  it('are accepted on the word of its introspection endpoint', async () => {
    const app = await start();
    const { accessToken } = await server.signIn({ sub: 'alice' });
    const { status, body } = await app.call('/me', accessToken);
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      sub: 'alice',
      appId: BACKEND.clientId,
      scopes: ['openid', 'offline_access'],
    });
    expect(asked('/token/introspection')).toBe(1);
  });

  it('are accepted when a machine fetched them with client credentials, and name no user', async () => {
    const app = await start();
    const { status, body } = await app.call('/me', await server.machineToken());
    expect([status, JSON.parse(body).sub]).toEqual([200, null]);
  });

  it('are refused when they were issued to another client', async () => {
    const app = await start();
    const { accessToken } = await server.signIn({ sub: 'alice', clientId: STRANGER.clientId });
    expect(await server.isActive(accessToken)).toBe(true);
    expect(await statusOf(app, accessToken)).toBe(401);
  });

  it('cannot be revoked when they were issued to another client: the server refuses', async () => {
    const app = await start();
    const { accessToken } = await server.signIn({ sub: 'alice', clientId: STRANGER.clientId });
    const revoking = app.tokens.revoke(accessToken);
    await expect(revoking).rejects.toMatchObject({ code: 'genauth_refused' });
    expect(await server.isActive(accessToken)).toBe(true);
  });

  it('are refused here and dead at the server once they are revoked', async () => {
    const app = await start();
    const { accessToken } = await server.signIn({ sub: 'alice' });
    expect(await statusOf(app, accessToken)).toBe(200);
    expect(await app.tokens.revoke(accessToken)).toEqual(CONFIRMED);
    expect(await statusOf(app, accessToken)).toBe(401);
    expect(await server.isActive(accessToken)).toBe(false);
    expect(await app.tokens.introspect(accessToken)).toEqual({ active: false });
  });

  it('are revoked for a process that never saw them as well', async () => {
    const [here, there] = [await start(), await start()];
    const { accessToken } = await server.signIn({ sub: 'alice' });
    await here.tokens.revoke(accessToken);
    expect(await statusOf(there, accessToken)).toBe(401);
  });

  it('can be revoked twice, and so can a token nobody ever issued', async () => {
    const app = await start();
    const { accessToken } = await server.signIn({ sub: 'alice' });
    await app.tokens.revoke(accessToken);
    const success = { success: true, genauth: 'confirmed' };
    expect(await app.tokens.revoke(accessToken)).toMatchObject(success);
    expect(await app.tokens.revoke('never-issued-by-anyone')).toMatchObject(success);
  });

  it('are refused when they are refresh tokens', async () => {
    const app = await start();
    const { refreshToken } = await server.signIn({ sub: 'alice' });
    expect(await statusOf(app, refreshToken)).toBe(401);
    expect(await app.tokens.introspect(refreshToken)).toMatchObject({ active: true, sub: 'alice' });
  });

  it('die with their refresh token, here although remembered and at the server', async () => {
    const app = await start();
    const { accessToken, refreshToken } = await server.signIn({ sub: 'alice' });
    const bystander = await server.signIn({ sub: 'bob' });
    expect(await statusOf(app, accessToken)).toBe(200);
    expect(await statusOf(app, bystander.accessToken)).toBe(200);

    expect(await app.tokens.revoke(refreshToken)).toEqual(CONFIRMED);

    expect(await statusOf(app, accessToken)).toBe(401);
    expect(await server.isActive(accessToken)).toBe(false);
    expect(await server.isActive(refreshToken)).toBe(false);
    expect(await statusOf(app, bystander.accessToken)).toBe(200);
  });

  it('get in when they were issued right after the sign-out', async () => {
    const app = await start();
    const { refreshToken } = await server.signIn({ sub: 'alice' });
    await app.tokens.revoke(refreshToken);
    const { accessToken } = await server.signIn({ sub: 'alice' });
    expect(await statusOf(app, accessToken)).toBe(200);
  });

  it.each(['client_secret_post', 'client_secret_basic'] as const)(
    'are verified and revoked with %s although id and secret need escaping',
    async (method) => {
      const app = await start({
        introspectionEndPointAuthMethod: method,
        revocationEndPointAuthMethod: method,
      });
      const { accessToken } = await server.signIn({ sub: 'alice' });
      expect(await statusOf(app, accessToken)).toBe(200);
      expect(await app.tokens.revoke(accessToken)).toEqual(CONFIRMED);
      expect(await server.isActive(accessToken)).toBe(false);
    },
  );
});

describe('JWTs of oidc-provider', () => {
  it('are verified with its published keys, without asking about them', async () => {
    const app = await start({}, HOUR_MS);
    const { accessToken } = await server.signIn({ sub: 'alice', resource: RESOURCE });
    expect(decodeProtectedHeader(accessToken)).toMatchObject({ typ: 'at+jwt', alg: 'RS256' });
    const { status, body } = await app.call('/books', accessToken);
    expect([status, body]).toEqual([200, '{"books":[]}']);
    expect(await statusOf(app, accessToken)).toBe(200);
    expect([asked('/jwks'), asked('/token/introspection')]).toEqual([1, 0]);
  });

  it('are read by jose as they are read here', async () => {
    const app = await start({}, HOUR_MS);
    const token = await server.machineToken({ resource: RESOURCE, scope: 'book:read' });
    const { payload } = await jwtVerify(
      token,
      createRemoteJWKSet(new URL(`${server.issuer}/jwks`)),
      { issuer: server.issuer, audience: RESOURCE, typ: 'at+jwt' },
    );
    expect((await app.tokens.verify(token)).claims).toEqual(payload);
  });

  it('are refused when they are for another API of the same server', async () => {
    const app = await start({}, HOUR_MS);
    const { accessToken } = await server.signIn({ sub: 'alice', resource: OTHER_RESOURCE });
    expect(await statusOf(app, accessToken)).toBe(401);
  });

  it('are revoked here alone, because the server does not revoke such tokens', async () => {
    const app = await start({}, HOUR_MS);
    const { accessToken } = await server.signIn({ sub: 'alice', resource: RESOURCE });
    expect(await statusOf(app, accessToken)).toBe(200);
    expect(await app.tokens.revoke(accessToken)).toEqual({
      success: true,
      log: 'acknowledged',
      genauth: 'unsupported',
    });
    expect(asked('/token/revocation')).toBe(1);
    expect(await statusOf(app, accessToken)).toBe(401);
    const another = await server.signIn({ sub: 'alice', resource: RESOURCE });
    expect(await statusOf(app, another.accessToken)).toBe(200);
  });

  it('die with the refresh token of their user and client, and no others do', async () => {
    const app = await start({}, HOUR_MS);
    const minuteOld = { resource: RESOURCE, issuedAt: minuteAgo() };
    const alice = await server.signIn({ sub: 'alice', ...minuteOld });
    const bob = await server.signIn({ sub: 'bob', ...minuteOld });
    const elsewhere = await server.signIn({
      sub: 'alice',
      clientId: STRANGER.clientId,
      ...minuteOld,
    });
    for (const { accessToken } of [alice, bob, elsewhere]) {
      expect(await statusOf(app, accessToken)).toBe(200);
    }
    expect(await app.tokens.revoke(alice.refreshToken)).toEqual(CONFIRMED);
    expect(await statusOf(app, alice.accessToken)).toBe(401);
    expect(await statusOf(app, bob.accessToken)).toBe(200);
    expect(await statusOf(app, elsewhere.accessToken)).toBe(200);
  });

  it('get no verdict when they were issued in the very second of a sign-out: only the server knows, and will not say', async () => {
    const app = await start({}, HOUR_MS);
    const cuts: number[] = [];
    app.tokens.revocations$.subscribe(({ askedThroughAt }) => {
      if (askedThroughAt !== undefined) cuts.push(askedThroughAt);
    });
    const { refreshToken } = await server.signIn({ sub: 'alice', resource: RESOURCE });
    await app.tokens.revoke(refreshToken);
    const issuedAt = Math.max(...cuts);
    const { accessToken } = await server.signIn({ sub: 'alice', resource: RESOURCE, issuedAt });
    const { status, headers } = await app.call('/me', accessToken);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  });
});

describe('JWTs of oidc-provider that are older than the application, which the in-process log does not cover', () => {
  it('get no verdict by default: the server is asked, and does not introspect them', async () => {
    const app = await start();
    const { accessToken } = await server.signIn({
      sub: 'a',
      resource: RESOURCE,
      issuedAt: minuteAgo(),
    });
    const { status, headers } = await app.call('/me', accessToken);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(headers.get('www-authenticate')).toBeNull();
    expect(asked('/token/introspection')).toBe(1);
  });

  it("get no verdict with whenStale 'refuse', and the server is left in peace", async () => {
    const app = await start({ revocation: { whenStale: 'refuse' } });
    const { accessToken } = await server.signIn({
      sub: 'a',
      resource: RESOURCE,
      issuedAt: minuteAgo(),
    });
    expect(await statusOf(app, accessToken)).toBe(503);
    expect(asked('/token/introspection')).toBe(0);
  });

  it("are accepted with whenStale 'accept', until they are revoked", async () => {
    const app = await start({ revocation: { whenStale: 'accept' } });
    const { accessToken } = await server.signIn({
      sub: 'a',
      resource: RESOURCE,
      issuedAt: minuteAgo(),
    });
    expect(await statusOf(app, accessToken)).toBe(200);
    await app.tokens.revoke(accessToken);
    expect(await statusOf(app, accessToken)).toBe(401);
  });
});

describe('a secret that oidc-provider does not know', () => {
  const failureOf = async (revoking: Promise<unknown>) => {
    const error = await revoking.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(RevocationError);
    return error as RevocationError;
  };

  it.each(['client_secret_post', 'client_secret_basic'] as const)(
    'makes a revocation fail with %s, and the token stays denied here while the server honours it',
    async (revocationEndPointAuthMethod) => {
      const app = await start({ appSecret: 'wrong', revocationEndPointAuthMethod });
      const { accessToken } = await server.signIn({ sub: 'alice' });
      const failure = await failureOf(app.tokens.revoke(accessToken, { cascade: false }));
      expect(failure.code).toBe('genauth_refused');
      expect(failure.receipt).toEqual({
        success: false,
        log: 'acknowledged',
        genauth: 'refused',
      });
      expect(await server.isActive(accessToken)).toBe(true);
      await expect(app.tokens.introspect(accessToken)).resolves.toEqual({ active: false });
    },
  );

  it('makes the revocation of a JWT fail as well, instead of passing for unsupported', async () => {
    const app = await start({ appSecret: 'wrong' }, HOUR_MS);
    const { accessToken } = await server.signIn({ sub: 'alice', resource: RESOURCE });
    expect(await statusOf(app, accessToken)).toBe(200);
    expect((await failureOf(app.tokens.revoke(accessToken))).code).toBe('genauth_refused');
    expect(await statusOf(app, accessToken)).toBe(401);
  });

  it('leaves opaque tokens without a verdict, which is not the fault of who sent them', async () => {
    const app = await start({ appSecret: 'wrong' });
    const { accessToken } = await server.signIn({ sub: 'alice' });
    expect(await statusOf(app, accessToken)).toBe(503);
  });
});
