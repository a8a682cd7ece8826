import { inspect } from 'node:util';

import { Controller, Post } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { BearerToken, Public, RevocationError, TokenService } from '../../src/index.js';
import { RevocationIndex } from '../../src/revocation/revocation-index.js';
import type { GuardedApp } from '../harness/guarded-app.js';
import { eventually, failureOf, Scene, statusOf } from '../harness/scene.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What every member of an answer or a token may be instead of what it should be. */
const ODD = { toString: 1, valueOf: 1 };

let scene: Scene;

beforeEach(async () => {
  scene = await Scene.set();
});

afterEach(() => scene.close());

function b64(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function forged(payload: object, header: object = { alg: 'ES256' }): string {
  return [JSON.stringify(header), JSON.stringify(payload), 'x'.repeat(64)].map(b64).join('.');
}

function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ''] = token.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
}

/** The name of what a promise rejects with; undefined when it resolves. */
function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => (error instanceof RevocationError ? error.code : error),
  );
}

@Controller()
class OpenController {
  constructor(private readonly tokens: TokenService) {}

  @Public()
  @Post('open')
  revoke(@BearerToken() token: string) {
    return this.tokens.revoke(token);
  }
}

describe('members of the wrong type', () => {
  it.each(['x', 'the application'])('in a token of %s give no 500', async (issuer) => {
    const app = await scene.start();
    const iss = issuer === 'x' ? issuer : scene.genauth.application.issuer;
    const token = forged({ iss, exp: ODD });
    expect(await statusOf(app, token)).toBe(401);
    expect((await app.call('/optional', token)).status).toBe(401);
    expect(await rejectionOf(app.tokens.revoke(token))).toBeUndefined();
  });

  it('in an introspection answer give no 500, and no error of any other kind', async () => {
    const app = await scene.start();
    const { refresh_token } = scene.genauth.signIn();
    scene.genauth.fault('introspection', {
      body: { active: true, statusCode: ODD, client_id: ODD, exp: ODD, sub: 'ada' },
    });
    expect(await statusOf(app, 'opaque')).toBe(401);
    expect(await rejectionOf(app.tokens.revoke(refresh_token))).toBeUndefined();
  });
});

describe('what is handed to revoke', () => {
  it('is refused when it is a token with something around it', async () => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    for (const text of [`Bearer ${access_token}`, ` ${access_token}`, `"${access_token}"`]) {
      expect((await failureOf(app.tokens.revoke(text))).code).toBe('invalid_request');
    }
  });

  it('through an open route gets 400 or 503, never 500', async () => {
    const app = await scene.start({}, { controllers: [OpenController] });
    const post = { method: 'POST' };
    const malformed = { ...post, headers: { authorization: 'Bearer a b' } };
    expect((await app.call('/open', undefined, malformed)).status).toBe(400);
    expect((await app.call('/open', undefined, post)).status).toBe(400);
    await scene.genauth.goDown();
    const { access_token } = scene.genauth.signIn();
    const { status, headers } = await app.call('/open', access_token, post);
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  });

  it('leaves nothing lasting when it is junk', async () => {
    const app = await scene.start();
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
    const index = app.app.get(RevocationIndex);
    const before = index.size;
    const iss = scene.genauth.application.issuer;
    const exp = Math.floor(scene.clock.now() / 1_000) + 3_600;
    for (let n = 0; n < 50; n += 1) {
      await app.tokens.revoke(`junk-${n}`);
      // Each beyond the pause that the one before has begun, so that keys can be fetched.
      scene.clock.advance(31_000);
      await app.tokens.revoke(forged({ iss, exp: exp + n }, { alg: 'ES256', kid: `unknown-${n}` }));
    }
    expect(index.size).toBeGreaterThan(before);
    scene.clock.advance(10 * MINUTE);
    index.apply([]);
    expect(index.size).toBe(before);
  });

  it.each(['e30', 'eyJ'])('is revoked when it is opaque and begins with %s', async (beginning) => {
    const app = await scene.start();
    const token = `${beginning}${'0'.repeat(37)}`;
    const answer = {
      active: true,
      sub: 'ada',
      client_id: scene.genauth.application.appId,
      exp: Math.floor(scene.clock.now() / 1_000) + 3_600,
      token_type: 'Bearer',
    };
    scene.genauth.fault('introspection', { body: answer });
    expect(await statusOf(app, token)).toBe(200);
    expect(await app.tokens.revoke(token)).toMatchObject({ log: 'acknowledged' });
    expect(await statusOf(app, token)).toBe(401);
  });
});

describe('a revocation', () => {
  it('reaches a token whose key replaced the one that is known here', async () => {
    scene.genauth.switches.accessTokenWithoutKid = true;
    const app = await scene.start();
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
    scene.genauth.application.keys.replace('ES256');
    const { access_token } = scene.genauth.signIn();
    const receipt = { success: true, log: 'acknowledged', genauth: 'confirmed' };
    expect(await app.tokens.revoke(access_token)).toEqual(receipt);
    scene.clock.advance(11 * MINUTE);
    expect(await statusOf(app, access_token)).toBe(401);
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
  });

  it('of a refresh token reaches access tokens for an audience that is not the client', async () => {
    const audience = 'https://api.example';
    const app = await scene.start({ audience });
    const { access_token, refresh_token } = scene.genauth.signIn({ claims: { aud: audience } });
    expect(await statusOf(app, access_token)).toBe(200);
    scene.clock.advance(20_000);
    await app.tokens.revoke(refresh_token);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it.each([
    ['no client_id', { client_id: undefined }, undefined],
    ['a list as client_id', { client_id: ['x'] }, undefined],
    ['no sub', { sub: undefined }, 'cascade_unknown'],
    ['null as exp', { exp: null }, undefined],
    ['0 as exp', { exp: 0 }, undefined],
  ])('of a refresh token with %s is complete, or says that it is not', async (_, change, code) => {
    const app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    scene.clock.advance(20_000);
    const { appId } = scene.genauth.application;
    const { sub } = claimsOf(access_token);
    const body = { active: true, sub, client_id: appId, exp: 9e9, ...change };
    scene.genauth.fault('introspection', { body }, 1);
    const outcome = app.tokens.revoke(refresh_token);
    if (code === undefined) {
      expect(await outcome).toMatchObject({ success: true, log: 'acknowledged' });
      expect(await statusOf(app, access_token)).toBe(401);
    } else {
      const failure = await failureOf(outcome);
      expect(failure.code).toBe(code);
      expect(failure.receipt).toMatchObject({ success: false, genauth: 'confirmed' });
    }
  });

  it('of a refresh token that was renewed during an outage never claims to be complete', async () => {
    scene.genauth.switches.refreshRotation = true;
    const app = await scene.start();
    const { refresh_token } = scene.genauth.signIn();
    scene.genauth.fault('introspection', 'down');
    expect((await failureOf(app.tokens.revoke(refresh_token))).code).toBe('genauth_unreachable');
    scene.genauth.recover();
    const { appId, appSecret, appHost } = scene.genauth.application;
    const renewed = await fetch(`${appHost}/oidc/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token,
        client_id: appId,
        client_secret: appSecret,
      }),
    });
    expect(renewed.status).toBe(200);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect((await failureOf(app.tokens.revoke(refresh_token))).code).toBe('cascade_unknown');
    }
  });

  it('is not kept waiting by a flood of bearer tokens', async () => {
    const app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn();
    const hold = scene.genauth.hold('introspection');
    const flood = Array.from({ length: 70 }, (_, n) => statusOf(app, `junk-${n}`));
    await eventually(() => hold.waiting === 64);
    const revoking = app.tokens.revoke(refresh_token);
    await eventually(() => hold.waiting === 65);
    hold.release();
    expect(await revoking).toMatchObject({ success: true, genauth: 'confirmed' });
    expect(new Set(await Promise.all(flood))).toEqual(new Set([401, 503]));
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('is told to the owner of an opaque token, though another application refuses it', async () => {
    await scene.close();
    scene = await Scene.set({ applications: [{ alg: 'ES256' }, { alg: 'ES256' }] });
    const [first, second] = scene.genauth.applications;
    if (!first || !second) throw new Error('two applications were asked for');
    const algorithms = ['ES256'] as const;
    const applications = [first, second].map((one) => ({ ...one.options(), algorithms }));
    const app = await scene.start({ applications });
    const { refresh_token } = scene.genauth.signIn({ appId: second.appId });
    scene.genauth.fault('revocation', { status: 400, body: { error: 'invalid_request' } }, 1);
    const receipt = await app.tokens.revoke(refresh_token, { cascade: false });
    expect(receipt).toMatchObject({ success: true, genauth: 'confirmed' });
  });

  it.each([
    ['garbage', 'genauth_unreachable'],
    ['false', 'genauth_unreachable'],
    ['[{"error":"x"}]', 'genauth_unreachable'],
    ['{"success":false}', 'genauth_unreachable'],
    ['{"error":"x","error":null}', 'genauth_unreachable'],
    ['<html></html>', 'genauth_refused'],
    ['', undefined],
    ['true', undefined],
    ['{}', undefined],
  ])('is confirmed by nothing but a confirmation: 200 %s', async (body, code) => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    scene.genauth.fault('revocation', { body, status: 200 }, 1);
    expect(await rejectionOf(app.tokens.revoke(access_token))).toBe(code);
    expect(await statusOf(app, access_token)).toBe(401);
  });
});

describe('a clock', () => {
  it('that was ahead during a revocation brings nothing back when it is set right', async () => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn({ lifetime: 3_600 });
    scene.clock.jump(2 * HOUR);
    await app.tokens.revoke(access_token);
    scene.clock.jump(-2 * HOUR);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('that was behind during a cut does not make the cut too early', async () => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn({ sub: 'ada' });
    expect(await statusOf(app, access_token)).toBe(200);
    scene.clock.jump(-10 * MINUTE);
    await app.tokens.revokeSubject('ada');
    scene.clock.jump(10 * MINUTE);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('of GenAuth that lies does not turn a refusal into a question', async () => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn({ sub: 'ada' });
    scene.clock.advance(30 * MINUTE);
    const date = new Date(scene.clock.now() - HOUR).toUTCString();
    const body = scene.genauth.application.keys.jwks();
    scene.genauth.fault('jwks', { body, headers: { date } });
    expect(await statusOf(app, scene.genauth.signIn({ sub: 'eve' }).access_token)).toBe(200);
    await app.tokens.revokeSubject('ada');
    expect(await statusOf(app, access_token)).toBe(401);
    expect(scene.genauth.requests.count('introspection')).toBe(0);
  });

  it('that nothing is known of does not soften a cut that lies ahead', async () => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn({ sub: 'ada' });
    const issuedBefore = new Date(scene.clock.now() + 5_000);
    await app.tokens.revokeSubject('ada', { issuedBefore });
    expect(await statusOf(app, access_token)).toBe(401);
    expect(scene.genauth.requests.count('introspection')).toBe(0);
  });
});

describe('a token in flight', () => {
  it('during the cut of its subject is refused, though GenAuth calls it active', async () => {
    const app = await scene.start();
    const { access_token } = scene.genauth.signIn({ sub: 'ada' });
    const hold = scene.genauth.hold('jwks');
    const flying = statusOf(app, access_token);
    await hold.arrived;
    await app.tokens.revokeSubject('ada');
    hold.release();
    expect(await flying).toBe(401);
  });

  it('while its refresh token is revoked in the same millisecond is refused', async () => {
    await scene.close();
    scene = await Scene.set({ applications: [{ protocol: 'oauth' }] });
    const app: GuardedApp = await scene.start({ timeout: 3_000 });
    const { access_token, refresh_token } = scene.genauth.opaqueToken();
    scene.genauth.fault('introspection', { slow: 800 }, 1);
    const flying = statusOf(app, access_token);
    await scene.genauth.requests.until('introspection', 1);
    await app.tokens.revoke(refresh_token);
    expect(await flying).toBe(401);
    expect(await statusOf(app, access_token)).toBe(401);
  });
});

describe('a principal', () => {
  it('holds its token nowhere, though GenAuth names an opaque token by itself', async () => {
    await scene.close();
    scene = await Scene.set({ applications: [{ protocol: 'oauth' }] });
    const app = await scene.start();
    const { access_token } = scene.genauth.opaqueToken();
    const principal = await app.tokens.verify(access_token);
    const shown = inspect(principal, { depth: 20, showHidden: true });
    expect(shown).toContain(scene.genauth.application.appId);
    expect(shown).not.toContain(access_token);
  });
});
