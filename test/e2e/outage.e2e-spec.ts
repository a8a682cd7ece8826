import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { GuardedApp } from '../harness/guarded-app.js';
import { eventually, failureOf, Scene, statusOf } from '../harness/scene.js';
import { FakeGenAuth, type Fault } from '../../src/testing.js';

type CalledEndpoint = 'jwks' | 'introspection' | 'revocation';

/** Where redirects lead: a stand-in that would answer, and that nobody may ever call. */
let elsewhere: FakeGenAuth;
let scene: Scene;
let app: GuardedApp;

beforeAll(async () => {
  elsewhere = await FakeGenAuth.start({ applications: [{ alg: 'ES256' }] });
});
afterAll(() => elsewhere.stop());

beforeEach(async () => {
  scene = await Scene.set();
});
afterEach(async () => {
  expect(elsewhere.requests.count()).toBe(0);
  await scene.close();
});

interface Outage {
  readonly name: string;
  begin(endpoint: CalledEndpoint): void | Promise<void>;
  end(): void | Promise<void>;
  /** Everything is away at once: no call succeeds whose turn comes before the one that is to fail. */
  readonly total?: true;
  /** Whether the request has had its effect on the server all the same: the answer alone is lost. */
  readonly effective?: true;
}

function faulty(name: string, fault: Fault | (() => Fault), more: Partial<Outage> = {}): Outage {
  return {
    name,
    begin: (endpoint) =>
      scene.genauth.fault(endpoint, typeof fault === 'function' ? fault() : fault),
    end: () => scene.genauth.recover(),
    ...more,
  };
}

const outages: readonly Outage[] = [
  {
    name: 'refuses connections',
    begin: () => scene.genauth.goDown(),
    end: () => scene.genauth.comeBack(),
    total: true,
  },
  faulty('cuts the connection before it answers', 'down'),
  faulty('never answers', 'slow', { effective: true }),
  faulty('cuts the connection within its answer', 'reset', { effective: true }),
  faulty('answers 429', { status: 429, retryAfter: 7 }),
  faulty('answers 500', { status: 500 }),
  faulty('answers 503', { status: 503, retryAfter: 'Wed, 21 Oct 2015 07:28:00 GMT' }),
  faulty('answers 504 with a body that claims success', { status: 504, body: { active: true } }),
  faulty('answers with an HTML page', 'html'),
  faulty('answers garbage', 'garbage'),
  faulty('answers without end', 'endless'),
  faulty('answers with a gzip bomb', 'bomb'),
  faulty('redirects', () => ({ redirect: `${elsewhere.application.issuer}/token/introspection` })),
  faulty('redirects to keys', () => ({
    redirect: `${elsewhere.application.issuer}/.well-known/jwks.json`,
  })),
];

/** Nobody could tell: the caller learns that and when to come back, and nothing else. */
async function expectNoVerdict(token: string, atLeastS = 1): Promise<void> {
  const { status, headers, body } = await app.call('/me', token);
  expect(status).toBe(503);
  expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(atLeastS);
  expect(headers.get('www-authenticate')).toBeNull();
  expect(JSON.parse(body)).toEqual({
    statusCode: 503,
    error: 'temporarily_unavailable',
    message: 'Service Unavailable',
  });
}

describe.each(outages)('when GenAuth $name', (outage) => {
  it('answers 503 to a token whose key is yet to be fetched, and 200 once the pause is over', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    await outage.begin('jwks');

    await expectNoVerdict(access_token);
    await outage.end();

    // Whoever asks within the pause learns how long it lasts.
    await expectNoVerdict(access_token, 30);
    scene.clock.advance(30_000);
    expect(await statusOf(app, access_token)).toBe(200);
  });

  it('answers 503 to an opaque token, and 200 as soon as it is back', async () => {
    app = await scene.start({ protocol: 'oauth' });
    const { access_token } = scene.genauth.opaqueToken();
    await outage.begin('introspection');

    await expectNoVerdict(access_token);
    await outage.end();

    expect(await statusOf(app, access_token)).toBe(200);
  });

  it('answers 503 to a JWT that only GenAuth can settle, and 200 as soon as it is back', async () => {
    const { access_token } = scene.genauth.signIn();
    app = await scene.start();
    await statusOf(app, scene.genauth.signIn().access_token);
    await outage.begin('introspection');

    await expectNoVerdict(access_token);
    await outage.end();

    expect(await statusOf(app, access_token)).toBe(200);
  });

  it.each(['oidc', 'oauth'] as const)(
    'denies an access token (%s) that GenAuth could not be told of, and says so',
    async (protocol) => {
      app = await scene.start({ protocol });
      const { access_token } =
        protocol === 'oidc' ? scene.genauth.signIn() : scene.genauth.opaqueToken();
      const told = () => scene.genauth.revoked(access_token);
      expect(await statusOf(app, access_token)).toBe(200);
      await outage.begin('revocation');
      // Without this an opaque token is introspected first, which the next case is about.
      const options = { cascade: false };

      const { code, receipt } = await failureOf(app.tokens.revoke(access_token, options));
      expect(code).toBe('genauth_unreachable');
      expect(receipt).toEqual({
        success: false,
        log: 'acknowledged',
        genauth: 'unreachable',
      });
      expect(told()).toBe(outage.effective === true);
      expect(await statusOf(app, access_token)).toBe(401);

      await outage.end();
      expect(await statusOf(app, access_token)).toBe(401);
      expect(await app.tokens.revoke(access_token, options)).toEqual({
        success: true,
        log: 'acknowledged',
        genauth: 'confirmed',
      });
      expect(told()).toBe(true);
      expect(await statusOf(app, access_token)).toBe(401);
    },
  );

  it('keeps a refresh token denied that could not be introspected, and finishes later', async () => {
    app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    await outage.begin('introspection');

    const { code, receipt } = await failureOf(app.tokens.revoke(refresh_token));
    expect(code).toBe('genauth_unreachable');
    expect(receipt).toEqual({ success: false, log: 'acknowledged', genauth: 'unreachable' });
    expect(scene.genauth.requests.count('revocation')).toBe(0);
    expect(scene.genauth.revoked(refresh_token)).toBe(false);

    await outage.end();
    expect(await app.tokens.introspect(refresh_token)).toEqual({ active: false });
    expect(await app.tokens.revoke(refresh_token)).toEqual({
      success: true,
      log: 'acknowledged',
      genauth: 'confirmed',
    });
    expect(scene.genauth.revoked(refresh_token)).toBe(true);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  if (outage.total) return;

  it('denies the access tokens of a refresh token that GenAuth could not be told of', async () => {
    app = await scene.start();
    const { access_token, refresh_token, sub } = signedIn();
    expect(await statusOf(app, access_token)).toBe(200);
    await outage.begin('revocation');

    const { code, receipt } = await failureOf(app.tokens.revoke(refresh_token));
    expect(code).toBe('genauth_unreachable');
    expect(receipt).toEqual({ success: false, log: 'acknowledged', genauth: 'unreachable' });
    expect(scene.genauth.revoked(refresh_token)).toBe(outage.effective === true);
    expect(await statusOf(app, access_token)).toBe(401);

    await outage.end();
    expect(await statusOf(app, access_token)).toBe(401);
    expect(await app.tokens.revoke(refresh_token)).toMatchObject({ genauth: 'confirmed' });
    expect(scene.genauth.revoked(refresh_token)).toBe(true);
    expect(await statusOf(app, access_token)).toBe(401);
    // The second of the cut is GenAuth's to judge, and it has been told: its word lets the user back in.
    expect(await statusOf(app, scene.genauth.signIn({ sub }).access_token)).toBe(200);
  });
});

function signedIn() {
  const sub = 'user-1';
  return { ...scene.genauth.signIn({ sub }), sub };
}

describe('keys while GenAuth is away', () => {
  const minute = 60_000;

  async function knowsKeys(): Promise<string> {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    await scene.genauth.goDown();
    return access_token;
  }

  it('go on verifying for as long as keys.staleLimit', async () => {
    const known = await knowsKeys();
    const firstSeen = scene.genauth.signIn().access_token;
    for (let passed = 0; passed < 60; passed += 12) {
      scene.clock.advance(passed === 0 ? 11 * minute : 12 * minute);
      expect(await statusOf(app, known)).toBe(200);
      expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
    }
    expect(await statusOf(app, firstSeen)).toBe(200);
  });

  it('answer 503, never 401, from keys.staleLimit on, to known and new tokens alike', async () => {
    const known = await knowsKeys();
    scene.clock.advance(60 * minute + 1);

    await expectNoVerdict(known);
    await expectNoVerdict(scene.genauth.signIn().access_token);
    scene.clock.advance(10 * 60 * minute);
    await expectNoVerdict(known);

    await scene.genauth.comeBack();
    scene.clock.advance(30_000);
    expect(await statusOf(app, known)).toBe(200);
  });

  it('answer 503, never 401, for a key that is not known, and 401 once GenAuth says it is none', async () => {
    await knowsKeys();
    const unknown = scene.genauth.token({}, { kid: 'unheard-of' });

    await expectNoVerdict(unknown);
    await expectNoVerdict(unknown);

    await scene.genauth.comeBack();
    scene.clock.advance(30_000);
    expect(await statusOf(app, unknown)).toBe(401);
  });

  it('keep a principal that was handed out usable until staleLimit, and then call for another look', async () => {
    const token = await knowsKeys();
    const principal = await app.tokens.verify(token);
    scene.clock.advance(59 * minute);
    expect(() => app.tokens.check(principal)).not.toThrow();
    scene.clock.advance(2 * minute);
    expect(() => app.tokens.check(principal)).toThrow(
      expect.objectContaining({ code: 'temporarily_unavailable' }),
    );
  });

  it('are not thrown away for a bad answer', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    for (const fault of [
      'garbage',
      'html',
      'reset',
      'endless',
      { body: { keys: 'none' } },
    ] as const) {
      scene.genauth.fault('jwks', fault);
      scene.clock.advance(10 * minute + 1);
      await expectFetch(access_token);
      scene.genauth.recover();
      await expectFetch(access_token);
    }
  });

  /** The token passes all the while, and the keys are fetched on the way. */
  async function expectFetch(token: string): Promise<void> {
    const fetched = scene.genauth.requests.count('jwks');
    await eventually(async () => {
      expect(await statusOf(app, token)).toBe(200);
      scene.clock.advance(1_000);
      return scene.genauth.requests.count('jwks') > fetched;
    });
    expect(await statusOf(app, token)).toBe(200);
  }

  it('take what they signed with them when they leave the set, at the next refresh', async () => {
    app = await scene.start({ cache: { ttl: 3_600_000 } });
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    const principal = await app.tokens.verify(access_token);
    scene.genauth.application.keys.replace('ES256');
    expect(await statusOf(app, access_token)).toBe(200);

    scene.clock.advance(10 * minute + 1);
    await statusOf(app, access_token);
    await eventually(() => refused(() => app.tokens.check(principal)));

    expect(await statusOf(app, access_token)).toBe(401);
    expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
  });

  it('are fetched once for any number of requests that wait for them', async () => {
    app = await scene.start();
    const hold = scene.genauth.hold('jwks');
    const tokens = Array.from({ length: 12 }, () => scene.genauth.signIn().access_token);
    const answers = Promise.all(tokens.map((token) => statusOf(app, token)));
    await hold.arrived;
    hold.release();
    expect(await answers).toEqual(tokens.map(() => 200));
    expect(scene.genauth.requests.count('jwks')).toBe(1);
  });
});

function refused(act: () => void): boolean {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}
