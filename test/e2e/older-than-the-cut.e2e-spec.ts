import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';

import { RevocationIndex } from '../../src/revocation/revocation-index.js';
import type { GuardedApp } from '../harness/guarded-app.js';
import { eventually, Scene, statusOf } from '../harness/scene.js';

let scene: Scene;
let app: GuardedApp;

beforeEach(async () => {
  scene = await Scene.set();
});

afterEach(() => scene.close());

/** Another scene, whose application issues opaque tokens. */
async function opaque(more: object = {}): Promise<void> {
  await scene.close();
  scene = await Scene.set({ applications: [{ protocol: 'oauth' }] });
  app = await scene.start({ ...scene.genauth.application.options(), ...more });
}

/** A store that gives its first answer when it is told to. */
class HeldMap extends Map<string, unknown> {
  asked = 0;
  release = (): void => {};
  readonly #released = new Promise<void>((resolve) => (this.release = resolve));

  override get(key: string): unknown {
    this.asked += 1;
    return this.asked === 1 ? this.#released.then(() => super.get(key)) : super.get(key);
  }
}

describe('a token that was in our hands before a cut', () => {
  it('is refused though only the cache of the application was asked before, and GenAuth after it', async () => {
    const store = new HeldMap();
    await opaque({ cache: { store: createCache({ stores: [new Keyv({ store })] }) } });
    const { access_token: token } = scene.genauth.opaqueToken({ sub: 'ann' });
    const first = app.call('/me', token);
    await eventually(() => store.asked === 1);
    await app.tokens.revokeSubject('ann');
    store.release();
    expect((await first).status).toBe(401);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('is refused though who brings it after the cut is answered before who brought it first', async () => {
    const store = new HeldMap();
    await opaque({ cache: { store: createCache({ stores: [new Keyv({ store })] }) } });
    const { access_token: token } = scene.genauth.opaqueToken({ sub: 'ann' });
    const first = app.call('/me', token);
    await eventually(() => store.asked === 1);
    await app.tokens.revokeSubject('ann');
    const second = await statusOf(app, token);
    store.release();
    expect([second, (await first).status]).toEqual([401, 401]);
    expect(await statusOf(app, token)).toBe(401);
  });

  it.each([0, -3_000])(
    'is refused though an earlier cut reaches as far (an opaque token, a clock set back %i ms)',
    async (set) => {
      await opaque();
      scene.clock.jump(set);
      await app.tokens.revokeSubject('ann');
      if (set < 0) scene.clock.advance(500);
      const { access_token: token } = scene.genauth.opaqueToken({ sub: 'ann' });
      const asking = scene.genauth.hold('introspection');
      const first = app.call('/me', token);
      await asking.arrived;
      if (set < 0) scene.clock.advance(500);
      await app.tokens.revokeSubject('ann');
      asking.release();
      expect((await first).status).toBe(401);
      expect(await statusOf(app, token)).toBe(401);
    },
  );

  it('is refused though an earlier cut reaches as far (a JWT that waits for its key)', async () => {
    app = await scene.start();
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
    scene.clock.advance(60_000);
    scene.genauth.application.keys.add('ES256');
    const fetching = scene.genauth.hold('jwks');
    await app.tokens.revokeSubject('ann');
    const { access_token: token } = scene.genauth.signIn({ sub: 'ann' });
    const first = app.call('/me', token);
    await fetching.arrived;
    await app.tokens.revokeSubject('ann');
    fetching.release();
    expect((await first).status).toBe(401);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('stays refused when GenAuth names another expiry later', async () => {
    await opaque();
    const second = Math.floor(scene.clock.now() / 1_000);
    const { appId } = scene.genauth.application;
    const says = (exp: number) => {
      const answer = { active: true, sub: 'ann', client_id: appId, token_type: 'Bearer' };
      scene.genauth.recover();
      scene.genauth.fault('introspection', { body: { ...answer, iat: second, exp } });
    };
    says(second + 3_600);
    const token = 'a'.repeat(40);
    expect(await statusOf(app, token)).toBe(200);
    await app.tokens.revokeSubject('ann');
    expect(await statusOf(app, token)).toBe(401);
    says(second + 90_000);
    scene.clock.advance(10_001);
    expect(await statusOf(app, token)).toBe(401);
    scene.clock.advance(2 * 3_600_000);
    app.app.get(RevocationIndex).apply([]);
    expect(await statusOf(app, token)).toBe(401);
  });
});

it('a token that was revoked before a restart is asked about, though the clock was slow at the start', async () => {
  app = await scene.start();
  const { access_token: token } = scene.genauth.signIn();
  scene.clock.advance(60_000);
  await app.tokens.revoke(token);
  await scene.end(app);
  scene.clock.jump(-3_600_000);
  app = await scene.start();
  scene.clock.jump(3_600_000);
  expect(await statusOf(app, token)).toBe(401);
  expect(scene.genauth.requests.count('introspection')).toBe(1);
});

describe('a JWT whose key is not published yet', () => {
  it.each(['alive', 'dead'])(
    'is denied for good when it is revoked and GenAuth calls it alive; junk is not (%s)',
    async (is) => {
      app = await scene.start();
      expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
      scene.clock.advance(60_000);
      const { keys } = scene.genauth.application;
      const { kid } = keys.add('ES256');
      keys.unpublish(kid);
      const { access_token: token } = scene.genauth.signIn();
      if (is === 'dead') scene.genauth.fault('introspection', { body: { active: false } });
      const receipt = await app.tokens.revoke(token);
      expect(receipt.log).toBe(is === 'alive' ? 'acknowledged' : 'not_needed');
      if (is === 'dead') return;
      keys.publish(kid);
      scene.clock.advance(20 * 60_000);
      app.app.get(RevocationIndex).apply([]);
      expect(await statusOf(app, token)).toBe(401);
    },
  );
});

it('a JWT is revoked for good under the name of another application as well', async () => {
  await scene.close();
  scene = await Scene.set({ applications: [{ alg: 'ES256' }, { alg: 'ES256' }] });
  const applications = scene.genauth.applications.map((one) => ({
    ...one.options(),
    algorithms: ['ES256' as const],
  }));
  const [mine, other] = applications.map(({ appId }) => appId);
  app = await scene.start({ applications } as never);
  const { access_token: token } = scene.genauth.signIn({ appId: mine as string });
  const receipt = await app.tokens.revoke(token, { appId: other as string });
  expect(receipt).toEqual({ success: true, log: 'acknowledged', genauth: 'confirmed' });
  expect(scene.genauth.revoked(token)).toBe(true);
  scene.clock.advance(20 * 60_000);
  app.app.get(RevocationIndex).apply([]);
  expect(await statusOf(app, token)).toBe(401);
});

it('whose an opaque token is does not depend on who was asked first', async () => {
  await scene.close();
  scene = await Scene.set({ applications: [{ protocol: 'oauth' }, { protocol: 'oauth' }] });
  const applications = scene.genauth.applications.map((one) => one.options());
  const appIds = applications.map(({ appId }) => appId);
  app = await scene.start({ applications } as never);
  const second = Math.floor(scene.clock.now() / 1_000);
  const times = { iat: second, exp: second + 3_600 };
  const body = { active: true, sub: 'ann', aud: appIds, token_type: 'Bearer', ...times };
  scene.genauth.fault('introspection', { body });
  for (const appId of [...appIds, ...appIds.toReversed()]) {
    expect((await app.tokens.verify('a'.repeat(40), { appId })).appId).toBe(appId);
  }
  expect(scene.genauth.requests.count('introspection')).toBe(2);
});
