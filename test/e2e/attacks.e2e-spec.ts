import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Post } from '@nestjs/common';
import { BearerToken, Public, TokenService } from '../../src/index.js';
import { failureOf, Scene, statusOf } from '../harness/scene.js';

let scene: Scene;
beforeEach(async () => {
  scene = await Scene.set();
});
afterEach(() => scene.close());
const b64 = (s: string) => Buffer.from(s).toString('base64url');
@Controller()
class Open {
  constructor(readonly t: TokenService) {}
  @Public() @Post('open') open(@BearerToken() t: string) {
    return this.t.revoke(t);
  }
}

describe('an attack', () => {
  it('by members that are no numbers gives no 500', async () => {
    const app = await scene.start();
    const t = `${b64('{"alg":"ES256"}')}.${b64('{"iss":"x","exp":{"toString":1,"valueOf":1}}')}.${b64('x'.repeat(64))}`;
    expect(await statusOf(app, t)).toBe(401);
    expect((await app.call('/optional', t)).status).toBe(401);
    await app.tokens.revoke(t).catch((e) => expect(e.name).toBe('RevocationError'));
    const iss = scene.genauth.application.issuer;
    const t2 = `${b64('{"alg":"ES256"}')}.${b64(`{"iss":"${iss}","exp":{"toString":1,"valueOf":1}}`)}.${b64('x'.repeat(64))}`;
    expect(await statusOf(app, t2)).toBe(401);
    await app.tokens.revoke(t2).catch((e) => expect(e.name).toBe('RevocationError'));
    const { refresh_token } = scene.genauth.signIn();
    scene.genauth.fault('introspection', {
      body: {
        active: true,
        statusCode: { toString: 1, valueOf: 1 },
        client_id: { toString: 1 },
        exp: { toString: 1 },
      },
    });
    expect([401, 503]).toContain(await statusOf(app, 'opaque'));
    await app.tokens.revoke(refresh_token).catch((e) => expect(e.name).toBe('RevocationError'));
  });
  it('is not helped by a receipt for what is no token', async () => {
    const app = await scene.start();
    const { access_token: t } = scene.genauth.signIn();
    for (const x of ['Bearer ' + t, ' ' + t, `"${t}"`])
      expect((await failureOf(app.tokens.revoke(x))).code).toBe('invalid_request');
  });
  it('fails on keys that were replaced before the revocation', async () => {
    scene.genauth.switches.accessTokenWithoutKid = true;
    const app = await scene.start();
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
    scene.genauth.application.keys.replace('ES256');
    const { access_token } = scene.genauth.signIn();
    expect(await app.tokens.revoke(access_token)).toEqual({
      success: true,
      log: 'acknowledged',
      genauth: 'confirmed',
    });
    scene.clock.advance(11 * 60_000);
    expect(await statusOf(app, access_token)).toBe(401);
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
  });
  it('fails on an audience that is not the client', async () => {
    const app = await scene.start({ audience: 'https://api' });
    const { access_token, refresh_token } = scene.genauth.signIn({
      claims: { aud: 'https://api' },
    });
    expect(await statusOf(app, access_token)).toBe(200);
    scene.clock.advance(20_000);
    await app.tokens.revoke(refresh_token);
    expect(await statusOf(app, access_token)).toBe(401);
  });
  it('fails on odd answers about the refresh token', async () => {
    const app = await scene.start();
    for (const [change, code] of [
      [{ client_id: undefined }, undefined],
      [{ client_id: ['x'] }, undefined],
      [{ sub: undefined }, 'cascade_unknown'],
      [{ exp: null }, undefined],
      [{ exp: 0 }, undefined],
    ] as const) {
      const { access_token, refresh_token } = scene.genauth.signIn();
      expect(await statusOf(app, access_token)).toBe(200);
      const claims = JSON.parse(Buffer.from(access_token.split('.')[1]!, 'base64url').toString());
      scene.clock.advance(20_000);
      scene.genauth.fault(
        'introspection',
        {
          body: {
            active: true,
            sub: claims.sub,
            client_id: scene.genauth.application.appId,
            exp: 9e9,
            ...change,
          },
        },
        1,
      );
      const r = await app.tokens.revoke(refresh_token).catch((e) => e);
      expect([r.code, r.log ?? r.receipt.log]).toEqual([code, 'acknowledged']);
      if (!code) expect(await statusOf(app, access_token)).toBe(401);
    }
  });
  it('does not gain by a clock that was ahead during the revocation', async () => {
    const app = await scene.start();
    const { access_token: a } = scene.genauth.signIn({ lifetime: 3600 });
    scene.clock.jump(2 * 3_600_000);
    await app.tokens.revoke(a);
    scene.clock.jump(-2 * 3_600_000);
    expect(await statusOf(app, a)).toBe(401);
  });
  it('does not gain by a clock that was behind during the cut', async () => {
    const app = await scene.start();
    const { access_token: a } = scene.genauth.signIn({ sub: 'a' });
    expect(await statusOf(app, a)).toBe(200);
    scene.clock.jump(-600_000);
    await app.tokens.revokeSubject('a');
    scene.clock.jump(600_000);
    expect(await statusOf(app, a)).toBe(401);
  });
  it('fails on the second of a cut that lies ahead', async () => {
    const app = await scene.start();
    const { access_token: a } = scene.genauth.signIn({ sub: 'a' });
    await app.tokens.revokeSubject('a', { issuedBefore: new Date(scene.clock.now() + 5_000) });
    expect(await statusOf(app, a)).toBe(401);
    expect(scene.genauth.requests.count('introspection')).toBe(0);
  });
  it('through an open route gets 400 or 503, never 500', async () => {
    const app = await scene.start({}, { controllers: [Open] });
    expect(
      (
        await app.call('/open', undefined, {
          method: 'POST',
          headers: { authorization: 'Bearer a b' },
        })
      ).status,
    ).toBe(400);
    expect((await app.call('/open', undefined, { method: 'POST' })).status).toBe(400);
    await scene.genauth.goDown();
    const r = await app.call('/open', scene.genauth.signIn().access_token, { method: 'POST' });
    expect([r.status, r.headers.get('retry-after')]).toEqual([503, '1']);
    await scene.genauth.comeBack();
  });
  it('in flight during a cut is refused', async () => {
    const app = await scene.start();
    const { access_token: a } = scene.genauth.signIn({ sub: 'a' });
    const hold = scene.genauth.hold('jwks');
    const flying = statusOf(app, a);
    await hold.arrived;
    await app.tokens.revokeSubject('a');
    hold.release();
    expect(await flying).toBe(401);
  });
});
