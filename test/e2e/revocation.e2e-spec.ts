import { Injectable } from '@nestjs/common';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { OnRevocation, type RevocationEvent, type WhenStale } from '../../src/index.js';
import type { ClientAuthMethod } from '../../src/testing.js';
import { PrincipalCache } from '../../src/verify/principal-cache.js';
import { ControlledLog } from '../harness/controlled-log.js';
import type { GuardedApp } from '../harness/guarded-app.js';
import { eventually, failureOf, Scene, statusOf } from '../harness/scene.js';

const CONFIRMED = { success: true, log: 'acknowledged', genauth: 'confirmed' };

let scene: Scene;
let app: GuardedApp;

beforeEach(async () => {
  scene = await Scene.set();
});
afterEach(() => scene.close());

const introspections = () => scene.genauth.requests.count('introspection');

/** The application has heard from GenAuth, and knows its clock as well as it ever will. */
async function acquainted(): Promise<void> {
  expect(await statusOf(app, scene.genauth.signIn().access_token)).toBe(200);
}

describe('revoke', () => {
  const methods: readonly ClientAuthMethod[] = [
    'client_secret_post',
    'client_secret_basic',
    'none',
  ];
  const table = (['oidc', 'oauth'] as const).flatMap((protocol) =>
    methods.flatMap((introspection) =>
      methods.map((revocation) => ({ protocol, introspection, revocation })),
    ),
  );

  it.each(table)(
    'ends a whole sign-in: $protocol, introspection by $introspection, revocation by $revocation',
    async ({ protocol, introspection, revocation }) => {
      Object.assign(scene.genauth.application.authMethods, { introspection, revocation });
      scene.genauth.switches.strictAuthMethods = true;
      app = await scene.start({ protocol });
      const signIn = () =>
        protocol === 'oidc' ? scene.genauth.signIn() : scene.genauth.opaqueToken();
      const [one, other, third] = [signIn(), signIn(), signIn()];
      for (const { access_token } of [one, other, third])
        expect(await statusOf(app, access_token)).toBe(200);

      expect(await app.tokens.revoke(one.access_token)).toEqual(CONFIRMED);
      expect(await app.tokens.revoke(other.refresh_token)).toEqual(CONFIRMED);

      expect(await statusOf(app, one.access_token)).toBe(401);
      expect(await statusOf(app, other.access_token)).toBe(401);
      expect(await statusOf(app, third.access_token)).toBe(200);
      expect(scene.genauth.revoked(one.access_token)).toBe(true);
      expect(scene.genauth.revoked(one.refresh_token)).toBe(false);
      expect(scene.genauth.revoked(other.refresh_token)).toBe(true);
      const told = scene.genauth.requests.of('revocation').map(({ protocol: spoken }) => spoken);
      expect(told).toEqual([protocol, protocol]);
    },
  );

  it('is idempotent, for access and refresh tokens', async () => {
    app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn();
    for (const token of [access_token, access_token, refresh_token, refresh_token]) {
      expect(await app.tokens.revoke(token)).toMatchObject({ success: true, genauth: 'confirmed' });
    }
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('succeeds for unknown and expired tokens', async () => {
    app = await scene.start();
    const expired = scene.genauth.signIn({ lifetime: 60 }).access_token;
    scene.clock.advance(120_000);
    for (const token of [
      expired,
      scene.genauth.token(),
      'never-issued',
      `${scene.genauth.token().split('.').slice(0, 2).join('.')}.AAAA`,
    ]) {
      expect(await app.tokens.revoke(token)).toMatchObject({ success: true });
    }
  });

  it.each([undefined, 42, null, '', 'two words', 'x'.repeat(20_000)])(
    'rejects what is no token at all (%#) and tells nobody',
    async (nonsense) => {
      app = await scene.start();
      const { code, receipt } = await failureOf(app.tokens.revoke(nonsense as string));
      expect(code).toBe('invalid_request');
      expect(receipt).toEqual({ success: false, log: 'not_acknowledged', genauth: 'not_told' });
      expect(scene.genauth.requests.count()).toBe(0);
    },
  );

  it('leaves the access tokens of a refresh token alone when told not to cascade', async () => {
    app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    expect(await app.tokens.revoke(refresh_token, { cascade: false })).toEqual(CONFIRMED);
    expect(introspections()).toBe(0);
    expect(await statusOf(app, access_token)).toBe(200);
    expect(await app.tokens.introspect(refresh_token)).toEqual({ active: false });
  });

  it.each(['access_token', 'refresh_token'] as const)(
    'passes the hint %s on, and kills the tokens of a refresh token whatever the hint',
    async (tokenTypeHint) => {
      app = await scene.start();
      const { access_token, refresh_token } = scene.genauth.signIn();
      expect(await app.tokens.revoke(refresh_token, { tokenTypeHint })).toEqual(CONFIRMED);
      expect(scene.genauth.requests.last('introspection')?.body).toMatchObject({
        token_type_hint: tokenTypeHint,
      });
      expect(scene.genauth.requests.last('revocation')?.body).toMatchObject({
        token_type_hint: tokenTypeHint,
      });
      expect(await statusOf(app, access_token)).toBe(401);
    },
  );

  it('denies a JWT here that GenAuth does not revoke, and says so', async () => {
    app = await scene.start();
    scene.genauth.switches.jwtRevocation = 'unsupported_token_type';
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    expect(await app.tokens.revoke(access_token)).toEqual({
      success: true,
      log: 'acknowledged',
      genauth: 'unsupported',
    });
    expect(scene.genauth.revoked(access_token)).toBe(false);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('rejects when GenAuth refuses, and denies the token all the same', async () => {
    app = await scene.start({ appSecret: 'not-the-secret' });
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    const { code, receipt, message } = await failureOf(app.tokens.revoke(access_token));
    expect(code).toBe('genauth_refused');
    expect(receipt).toEqual({ success: false, log: 'acknowledged', genauth: 'refused' });
    expect(message).toContain('invalid_client');
    expect(message).not.toContain(access_token);
    expect(scene.genauth.revoked(access_token)).toBe(false);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('answers a logout with the receipt, and the next request with 401', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    const { status, body } = await app.call('/logout', access_token, { method: 'POST' });
    expect(status).toBe(201);
    expect(JSON.parse(body)).toEqual(CONFIRMED);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('denies before it is awaited', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    const principal = await app.tokens.verify(access_token);
    const revoked = app.tokens.revoke(access_token);
    expect(() => app.tokens.check(principal)).toThrow(
      expect.objectContaining({ reason: 'revoked' }),
    );
    await revoked;
  });
});

describe('another spelling of a token', () => {
  it('is refused before and after the token is revoked', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    const copy = scene.genauth.respell(access_token);
    expect(copy).not.toBe(access_token);
    expect(await statusOf(app, copy)).toBe(401);
    expect(await statusOf(app, access_token)).toBe(200);
    await app.tokens.revoke(access_token);
    expect(await statusOf(app, copy)).toBe(401);
  });

  it.each([
    ['respelled', (token: string) => scene.genauth.respell(token)],
    ['padded', (token: string) => `${token}==`],
    ['malleated', (token: string) => scene.genauth.malleate(token)],
  ])('takes the original with it when a copy is revoked: %s', async (_, copyOf) => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    expect(await app.tokens.revoke(copyOf(access_token))).toEqual(CONFIRMED);
    expect(await statusOf(app, access_token)).toBe(401);
    expect(scene.genauth.revoked(access_token)).toBe(true);
  });

  it('with another valid signature is denied with the original, remembered or not', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    const twin = scene.genauth.malleate(access_token);
    expect(await statusOf(app, access_token)).toBe(200);
    expect(await statusOf(app, twin)).toBe(200);
    await app.tokens.revoke(access_token);
    expect(await statusOf(app, twin)).toBe(401);
    expect(await statusOf(app, access_token)).toBe(401);
  });
});

describe('a forged token', () => {
  it('harms nobody when it is revoked', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn({ sub: 'victim', claims: { jti: 'known-id' } });
    expect(await statusOf(app, access_token)).toBe(200);
    const [header, payload] = access_token.split('.');
    const forgeries = [
      scene.genauth.token(
        { jti: 'known-id', sub: 'victim' },
        { key: scene.genauth.foreignKey('ES256') },
      ),
      scene.genauth.token({ jti: 'known-id', sub: 'victim' }, { sign: false }),
      scene.genauth.token({ jti: 'known-id', sub: 'victim' }, { alg: 'none' }),
      `${header}.${payload}.${Buffer.alloc(64, 1).toString('base64url')}`,
      `${header}.${payload}.AAAA`,
      `${header}.${payload}.`,
    ];
    for (const forgery of forgeries) {
      await app.tokens.revoke(forgery);
      expect(await statusOf(app, access_token)).toBe(200);
    }
    expect(scene.genauth.revoked(access_token)).toBe(false);
  });
});

describe('a cut', () => {
  let others: Scene;
  afterEach(() => others.close());

  /** Who is alive before any cut, by name; of two applications, A and B. */
  async function population() {
    others = await Scene.set({ applications: [{ alg: 'ES256' }, { alg: 'ES256' }] });
    const { genauth } = others;
    const [a, b] = genauth.applications.map((one) => one.options());
    if (!a || !b) throw new Error('two applications were asked for');
    const more = { algorithms: ['ES256' as const], acceptAuthorizedParty: true };
    others.clock.advance(1_000);
    const guarded = await others.start({
      applications: [
        { ...a, ...more },
        { ...b, ...more },
      ],
    });
    const build = (claims: Record<string, unknown>) => genauth.token(claims, { register: true });
    const account = genauth.accounts.find(({ appId }) => appId === a.appId);
    const tokens: Record<string, string> = {
      ann: build({ sub: 'ann', sid: 's1' }),
      'ann elsewhere': build({ sub: 'ann', sid: 's2' }),
      bob: build({ sub: 'bob', sid: 's3' }),
      'ann without iat': build({ sub: 'ann', iat: undefined }),
      'ann at a client': build({ sub: 'ann', client_id: 'client-x' }),
      'ann, two audiences': build({ sub: 'ann', aud: [a.appId, 'other-audience'] }),
      machine: genauth.machineToken({ appId: a.appId }),
      'ann at B': genauth.signIn({ appId: b.appId, sub: 'ann' }).access_token,
      'machine at B': genauth.machineToken({ appId: b.appId }),
    };
    return { guarded, tokens, a: genauth.applications[0], b: genauth.applications[1], account };
  }
  type Population = Awaited<ReturnType<typeof population>>;
  const ANN_AT_A = [
    'ann',
    'ann elsewhere',
    'ann without iat',
    'ann at a client',
    'ann, two audiences',
  ];
  const issuerOf = (one: Population['a']) => one?.issuer ?? '';

  const cuts: readonly [
    name: string,
    cut: (people: Population) => Promise<unknown>,
    hit: readonly string[],
  ][] = [
    ['a subject', ({ guarded }) => guarded.tokens.revokeSubject('ann'), [...ANN_AT_A, 'ann at B']],
    [
      'a subject of one application',
      ({ guarded, a }) => guarded.tokens.revokeSubject('ann', { appId: a?.appId ?? '' }),
      ANN_AT_A,
    ],
    ['a session', ({ guarded }) => guarded.tokens.revokeSession('s1'), ['ann']],
    [
      'the application as client',
      ({ guarded, a }) => guarded.tokens.revokeClient(a?.appId ?? ''),
      ['ann', 'ann elsewhere', 'bob', 'ann without iat', 'ann, two audiences', 'machine'],
    ],
    [
      'a client named by client_id',
      ({ guarded }) => guarded.tokens.revokeClient('client-x'),
      ['ann at a client'],
    ],
    [
      "a machine's access key",
      ({ guarded, account }) => guarded.tokens.revokeClient(account?.accessKey ?? ''),
      ['machine'],
    ],
    [
      'an issuer',
      ({ guarded, a }) => guarded.tokens.revokeIssuer(issuerOf(a)),
      [...ANN_AT_A, 'bob', 'machine'],
    ],
    ['nobody who is here', ({ guarded }) => guarded.tokens.revokeSubject('carol'), []],
    ['a session as subject', ({ guarded }) => guarded.tokens.revokeSubject('s1'), []],
    [
      'a name of Object.prototype',
      ({ guarded }) => guarded.tokens.revokeSubject('constructor'),
      [],
    ],
  ];

  it.each(cuts.flatMap((cut) => [[...cut, true] as const, [...cut, false] as const]))(
    'on %s hits exactly whom it must',
    async (_, cut, hit, seen) => {
      const people = await population();
      const { guarded, tokens } = people;
      if (seen)
        for (const token of Object.values(tokens)) expect(await statusOf(guarded, token)).toBe(200);
      others.clock.advance(30_000);
      expect(await cut(people)).toEqual({
        success: true,
        log: 'acknowledged',
        genauth: 'not_told',
      });
      expect(others.genauth.requests.count('revocation')).toBe(0);
      const refused: string[] = [];
      for (const [name, token] of Object.entries(tokens)) {
        if ((await statusOf(guarded, token)) === 401) refused.push(name);
        else expect(await statusOf(guarded, token)).toBe(200);
      }
      expect(refused.sort()).toEqual([...hit].sort());
    },
  );

  it('on an issuer or application that is not configured is an error', async () => {
    const { guarded } = await population();
    for (const cut of [
      guarded.tokens.revokeIssuer('https://elsewhere.example/oidc'),
      guarded.tokens.revokeSubject('ann', { appId: 'unheard-of' }),
      guarded.tokens.revokeSubject(''),
      guarded.tokens.revokeSession(undefined as unknown as string),
      guarded.tokens.revokeSubject('ann', { issuedBefore: new Date(NaN) }),
    ]) {
      expect((await failureOf(cut)).code).toBe('invalid_request');
    }
  });
});

describe('around a cut', () => {
  it('refuses what is older, asks once about what may be either, and accepts what is newer', async () => {
    app = await scene.start();
    await acquainted();
    const signIn = () => scene.genauth.signIn({ sub: 'ann' }).access_token;
    const before = signIn();
    scene.clock.advance(1_000);
    const within = signIn();
    await app.tokens.revokeSubject('ann');

    expect(await statusOf(app, before)).toBe(401);
    expect(introspections()).toBe(0);
    expect(await statusOf(app, within)).toBe(200);
    expect(await statusOf(app, within)).toBe(200);
    expect(introspections()).toBe(1);

    scene.clock.advance(2_000);
    expect(await statusOf(app, signIn())).toBe(200);
    expect(introspections()).toBe(1);
    expect(await statusOf(app, before)).toBe(401);
  });

  it('answers 503 within it while GenAuth is away, and remembers neither that nor a guess', async () => {
    app = await scene.start();
    await acquainted();
    const within = scene.genauth.signIn({ sub: 'ann' }).access_token;
    await app.tokens.revokeSubject('ann');
    await scene.genauth.goDown();
    expect(await statusOf(app, within)).toBe(503);
    expect(await statusOf(app, within)).toBe(503);
    await scene.genauth.comeBack();
    expect(await statusOf(app, within)).toBe(200);
  });

  it('refuses for good a token within it that GenAuth calls dead', async () => {
    app = await scene.start({ refusalTtl: 0 });
    await acquainted();
    const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
    await app.tokens.revoke(refresh_token);
    const asked = introspections();
    expect(await statusOf(app, access_token)).toBe(401);
    expect(introspections()).toBe(asked + 1);
    await scene.genauth.goDown();
    expect(await statusOf(app, access_token)).toBe(401);
    expect(introspections()).toBe(asked + 1);
  });

  it('refuses without asking what was seen here before the cut', async () => {
    app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
    const { access_token: second } = scene.genauth.signIn({ sub: 'bob' });
    expect(await statusOf(app, access_token)).toBe(200);
    expect(await statusOf(app, second)).toBe(200);
    await app.tokens.revoke(refresh_token);
    await app.tokens.revokeSubject('bob');
    const asked = introspections();
    expect(await statusOf(app, access_token)).toBe(401);
    expect(await statusOf(app, second)).toBe(401);
    expect(introspections()).toBe(asked);
  });

  it('refuses a principal that was accepted here before the cut, and forgotten since', async () => {
    app = await scene.start({ cache: { max: 1 } });
    const ann = await app.tokens.verify(scene.genauth.signIn({ sub: 'ann' }).access_token);
    await app.tokens.verify(scene.genauth.signIn({ sub: 'bob' }).access_token);
    await app.tokens.revokeSubject('ann');
    expect(() => app.tokens.check(ann)).toThrow(expect.objectContaining({ reason: 'revoked' }));
    expect(introspections()).toBe(0);
  });

  it('lets in whoever signs in again right after signing out, and again', async () => {
    app = await scene.start();
    const dead: string[] = [];
    for (let round = 0; round < 4; round += 1) {
      const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
      expect(await statusOf(app, access_token)).toBe(200);
      expect(await app.tokens.revoke(refresh_token)).toEqual(CONFIRMED);
      dead.push(access_token);
      for (const each of dead) expect(await statusOf(app, each)).toBe(401);
      scene.clock.advance(100);
    }
  });

  it.each([-4_000, 4_000])(
    'lets in whoever signs in again, and nobody else, when clocks differ by %i ms',
    async (clockOffsetMs) => {
      scene.genauth.switches.clockOffsetMs = clockOffsetMs;
      app = await scene.start();
      const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
      const unseen = scene.genauth.signIn({ sub: 'ann' });
      expect(await statusOf(app, access_token)).toBe(200);
      await app.tokens.revoke(refresh_token);
      scene.genauth.revokeGrantOf(unseen.access_token);
      expect(await statusOf(app, access_token)).toBe(401);
      expect(await statusOf(app, unseen.access_token)).toBe(401);
      expect(await statusOf(app, scene.genauth.signIn({ sub: 'ann' }).access_token)).toBe(200);
    },
  );

  it('gives the word to GenAuth again when an attempt failed and the next one got through', async () => {
    app = await scene.start();
    const { refresh_token } = scene.genauth.signIn({ sub: 'ann' });
    scene.genauth.fault('revocation', { status: 503 }, 1);
    await failureOf(app.tokens.revoke(refresh_token));
    const meanwhile = scene.genauth.signIn({ sub: 'ann' }).access_token;
    expect(await statusOf(app, meanwhile)).toBe(503);
    expect(await app.tokens.revoke(refresh_token)).toEqual(CONFIRMED);
    // Revoked again means revoked up to then: what had come in between was seen before.
    expect(await statusOf(app, meanwhile)).toBe(401);
    const after = scene.genauth.signIn({ sub: 'ann' }).access_token;
    expect(await statusOf(app, after)).toBe(200);
  });

  const seconds = (count: number) => new Date(scene.clock.wall() + count * 1_000);

  it('with issuedBefore in the past spares what was issued since', async () => {
    app = await scene.start();
    await acquainted();
    const old = scene.genauth.signIn({ sub: 'ann' }).access_token;
    scene.clock.advance(60_000);
    const young = scene.genauth.signIn({ sub: 'ann' }).access_token;
    expect(await statusOf(app, young)).toBe(200);
    await app.tokens.revokeSubject('ann', { issuedBefore: seconds(-30) });
    expect(await statusOf(app, old)).toBe(401);
    expect(await statusOf(app, young)).toBe(200);
    expect(introspections()).toBe(0);
  });

  it('with issuedBefore in the future refuses what is issued until then', async () => {
    app = await scene.start();
    await acquainted();
    await app.tokens.revokeSubject('ann', { issuedBefore: seconds(60) });
    scene.clock.advance(30_000);
    expect(await statusOf(app, scene.genauth.signIn({ sub: 'ann' }).access_token)).toBe(401);
    scene.clock.advance(40_000);
    expect(await statusOf(app, scene.genauth.signIn({ sub: 'ann' }).access_token)).toBe(200);
  });

  it('is capped at five minutes ahead', async () => {
    app = await scene.start();
    await acquainted();
    await app.tokens.revokeSubject('ann', { issuedBefore: seconds(86_400) });
    scene.clock.advance(4 * 60_000);
    expect(await statusOf(app, scene.genauth.signIn({ sub: 'ann' }).access_token)).toBe(401);
    scene.clock.advance(70_000);
    expect(await statusOf(app, scene.genauth.signIn({ sub: 'ann' }).access_token)).toBe(200);
  });

  it('never lowers an earlier cut', async () => {
    app = await scene.start();
    await acquainted();
    const token = scene.genauth.signIn({ sub: 'ann' }).access_token;
    scene.clock.advance(60_000);
    await app.tokens.revokeSubject('ann');
    await app.tokens.revokeSubject('ann', { issuedBefore: seconds(-3_600) });
    expect(await statusOf(app, token)).toBe(401);
  });
});

describe('a process that has just started', () => {
  it('asks once about tokens issued before, and remembers the answer', async () => {
    const { access_token } = scene.genauth.signIn();
    app = await scene.start();
    for (let time = 0; time < 3; time += 1) {
      expect(await statusOf(app, access_token)).toBe(200);
      // Beyond cache.ttl, within the life of the token.
      scene.clock.advance(2 * 60_000);
    }
    expect(introspections()).toBe(1);
  });

  it('does not ask about tokens issued since', async () => {
    app = await scene.start();
    await acquainted();
    expect(introspections()).toBe(0);
  });

  it('refuses what was revoked before the restart', async () => {
    app = await scene.start();
    const one = scene.genauth.signIn();
    const other = scene.genauth.signIn();
    for (const { access_token } of [one, other])
      expect(await statusOf(app, access_token)).toBe(200);
    await app.tokens.revoke(one.access_token);
    await app.tokens.revoke(other.refresh_token);
    await scene.end(app);

    app = await scene.start();
    expect(await statusOf(app, one.access_token)).toBe(401);
    expect(await statusOf(app, other.access_token)).toBe(401);
    await scene.genauth.goDown();
    expect(await statusOf(app, one.access_token)).toBe(401);
  });
});

describe('a log that cannot vouch', () => {
  let log: ControlledLog;
  beforeEach(() => {
    log = new ControlledLog();
  });

  const withPolicy = (whenStale: WhenStale, maxStaleness = 10_000) =>
    scene.start({ revocation: { log, whenStale, maxStaleness } });

  it.each(['stale', 'catching-up'] as const)(
    'and refuse: 503 while %s, 200 after',
    async (state) => {
      app = await withPolicy('refuse');
      const { access_token } = scene.genauth.signIn();
      expect(await statusOf(app, access_token)).toBe(200);
      log.state = state;
      expect(await statusOf(app, access_token)).toBe(503);
      expect(introspections()).toBe(0);
      log.state = 'live';
      expect(await statusOf(app, access_token)).toBe(200);
    },
  );

  it.each(['stale', 'catching-up'] as const)(
    'and introspect: asks while %s, and again when the word is too old',
    async (state) => {
      app = await withPolicy('introspect');
      const { access_token } = scene.genauth.signIn();
      log.state = state;
      expect(await statusOf(app, access_token)).toBe(200);
      expect(await statusOf(app, access_token)).toBe(200);
      expect(introspections()).toBe(1);
      scene.clock.advance(10_001);
      expect(await statusOf(app, access_token)).toBe(200);
      expect(introspections()).toBe(2);
      await scene.genauth.goDown();
      scene.clock.advance(10_001);
      expect(await statusOf(app, access_token)).toBe(503);
    },
  );

  it.each(['stale', 'catching-up'] as const)(
    'and accept: 200 while %s, but what is denied here stays denied',
    async (state) => {
      app = await withPolicy('accept');
      const [good, bad] = [scene.genauth.signIn(), scene.genauth.signIn()];
      for (const { access_token } of [good, bad])
        expect(await statusOf(app, access_token)).toBe(200);
      log.state = state;
      await app.tokens.revoke(bad.access_token);
      expect(await statusOf(app, good.access_token)).toBe(200);
      expect(await statusOf(app, bad.access_token)).toBe(401);
      expect(introspections()).toBe(0);
    },
  );

  it.each(['introspect', 'refuse', 'accept'] as const)(
    'because it stopped: 503 whatever the policy (%s), and nothing can be revoked',
    async (whenStale) => {
      app = await withPolicy(whenStale);
      const { access_token } = scene.genauth.signIn();
      expect(await statusOf(app, access_token)).toBe(200);
      log.state = 'stopped';
      expect(await statusOf(app, access_token)).toBe(503);
      const { code, receipt } = await failureOf(app.tokens.revoke(access_token));
      expect(code).toBe('stopped');
      expect(receipt).toEqual({ success: false, log: 'not_acknowledged', genauth: 'not_told' });
    },
  );

  it('for old tokens has GenAuth asked about those alone', async () => {
    app = await withPolicy('introspect');
    const old = scene.genauth.signIn().access_token;
    scene.clock.advance(60_000);
    log.coveredSince = scene.clock.wall();
    scene.clock.advance(60_000);
    const young = scene.genauth.signIn().access_token;
    expect(await statusOf(app, young)).toBe(200);
    expect(introspections()).toBe(0);
    expect(await statusOf(app, old)).toBe(200);
    expect(introspections()).toBe(1);
  });

  it('and does not acknowledge: denied here, GenAuth not told, and the next attempt finishes', async () => {
    app = await withPolicy('introspect');
    const { access_token } = scene.genauth.signIn();
    expect(await statusOf(app, access_token)).toBe(200);
    log.failure = new Error(`could not write ${access_token}`);
    const failure = await failureOf(app.tokens.revoke(access_token));
    expect(failure.code).toBe('log_not_acknowledged');
    expect(failure.receipt).toEqual({
      success: false,
      log: 'not_acknowledged',
      genauth: 'not_told',
    });
    expect(JSON.stringify([failure.message, failure.cause ?? ''])).not.toContain(access_token);
    expect(scene.genauth.requests.count('revocation')).toBe(0);
    expect(await statusOf(app, access_token)).toBe(401);
    expect((await failureOf(app.tokens.revokeSubject('ann'))).code).toBe('log_not_acknowledged');

    log.failure = undefined;
    expect(await app.tokens.revoke(access_token)).toEqual(CONFIRMED);
    expect(log.appended.map(({ kind }) => kind)).toContain('token');
  });

  it('takes facts of other processes in any order, any number of times', async () => {
    app = await withPolicy('introspect');
    const { access_token } = scene.genauth.signIn({ sub: 'ann' });
    const survivor = scene.genauth.signIn({ sub: 'bob' }).access_token;
    expect(await statusOf(app, access_token)).toBe(200);
    scene.clock.advance(30_000);
    const second = new ControlledLog();
    const neighbour = await scene.start({ revocation: { log: second } });
    await neighbour.tokens.revokeSubject('ann');
    await neighbour.tokens.revokeSubject('ann', {
      issuedBefore: new Date(scene.clock.wall() - 9e6),
    });
    log.deliver([...second.appended].reverse());
    log.deliver(second.appended);
    expect(await statusOf(app, access_token)).toBe(401);
    expect(await statusOf(app, survivor)).toBe(200);
  });
});

describe('introspect', () => {
  it('says what GenAuth says, and nothing but { active: false } of what is denied here', async () => {
    app = await scene.start({ protocol: 'oidc' });
    const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
    expect(await app.tokens.introspect(access_token)).toMatchObject({ active: true, sub: 'ann' });
    expect(await app.tokens.introspect(refresh_token)).toMatchObject({ active: true, sub: 'ann' });
    scene.clock.advance(30_000);
    await app.tokens.revokeSubject('ann');
    for (const token of [access_token, refresh_token]) {
      expect(await app.tokens.introspect(token)).toEqual({ active: false });
    }
  });

  it('does not ask about a token that was revoked here, even if GenAuth does not know it', async () => {
    app = await scene.start();
    scene.genauth.switches.jwtRevocation = 'no-op';
    const { access_token } = scene.genauth.signIn();
    await app.tokens.revoke(access_token);
    expect(scene.genauth.revoked(access_token)).toBe(false);
    expect(await app.tokens.introspect(access_token)).toEqual({ active: false });
    expect(introspections()).toBe(0);
  });
});

describe('what is remembered', () => {
  const kinds: readonly [
    name: string,
    revoke: (token: { access: string; refresh: string }) => Promise<unknown>,
  ][] = [
    ['revoke', ({ access }) => app.tokens.revoke(access)],
    ['revoke of its refresh token', ({ refresh }) => app.tokens.revoke(refresh)],
    ['revokeSubject', () => app.tokens.revokeSubject('ann')],
    ['revokeSession', () => app.tokens.revokeSession('s1')],
    ['revokeClient', () => app.tokens.revokeClient(scene.genauth.application.appId)],
    ['revokeIssuer', () => app.tokens.revokeIssuer(scene.genauth.application.issuer)],
  ];

  it.each(kinds)('is dropped by %s, at once and in every spelling', async (_, revoke) => {
    app = await scene.start();
    const { access_token: access, refresh_token: refresh } = scene.genauth.signIn({
      sub: 'ann',
      claims: { sid: 's1' },
    });
    const twin = scene.genauth.malleate(access);
    for (const token of [access, twin]) expect(await statusOf(app, token)).toBe(200);
    const cache = app.app.get(PrincipalCache);
    const remembered = () =>
      Promise.all([access, twin].map(async (each) => !!cache.get(cache.keyOf(each))));
    expect(await remembered()).toEqual([true, true]);
    await revoke({ access, refresh });
    expect(await remembered()).toEqual([false, false]);
    for (const token of [access, twin]) expect(await statusOf(app, token)).toBe(401);
    expect(await remembered()).toEqual([false, false]);
  });
});

describe('a full index', () => {
  it.each([
    ['refuse', 503, 0],
    ['introspect', 200, 1],
  ] as const)(
    'accepts nothing on its own word (%s), keeps what it holds, and says that it is full',
    async (whenStale, status, asked) => {
      app = await scene.start({ revocation: { maxEntries: 1, whenStale } });
      const [first, second, third] = [1, 2, 3].map(() => scene.genauth.signIn().access_token);
      if (!first || !second || !third) throw new Error('three tokens were asked for');
      for (const token of [first, second, third]) expect(await statusOf(app, token)).toBe(200);
      expect(await app.tokens.revoke(first)).toEqual(CONFIRMED);
      expect(await statusOf(app, third)).toBe(200);
      expect(introspections()).toBe(0);

      const { code, receipt } = await failureOf(app.tokens.revoke(second));
      expect(code).toBe('index_full');
      // There was no room to deny it here, so everything rests on GenAuth, which was told.
      expect(receipt).toEqual({ success: false, log: 'acknowledged', genauth: 'confirmed' });
      expect(app.tokens.freshness().state).toBe('stale');
      expect(await statusOf(app, second)).toBe(whenStale === 'refuse' ? 503 : 401);
      expect(await statusOf(app, first)).toBe(401);
      expect(await statusOf(app, third)).toBe(status);
      expect(introspections()).toBe(2 * asked);
    },
  );
});

describe('listeners', () => {
  const heard: RevocationEvent[] = [];

  @Injectable()
  class Audit {
    @OnRevocation()
    async throws() {
      await Promise.reject(new Error('the audit database is away'));
    }

    @OnRevocation()
    never() {
      return new Promise(() => undefined);
    }

    @OnRevocation()
    hears(event: RevocationEvent) {
      heard.push(event);
    }
  }

  it('hear of every revocation, with its reason and without the token, and cannot undo it', async () => {
    heard.length = 0;
    app = await scene.start({}, { providers: [Audit] });
    const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
    expect(await statusOf(app, access_token)).toBe(200);
    let completed = false;
    app.tokens.revocations$.subscribe({ complete: () => (completed = true) });

    await app.tokens.revoke(access_token, { reason: 'stolen' });
    await app.tokens.revokeSubject('bob', { reason: 'left the company' });
    await eventually(() => heard.length >= 2);

    expect(heard).toEqual([
      expect.objectContaining({ kind: 'token', source: 'revoke', reason: 'stolen' }),
      expect.objectContaining({
        kind: 'subject',
        source: 'revokeSubject',
        reason: 'left the company',
      }),
    ]);
    for (const secret of [access_token, refresh_token, 'ann', 'bob', access_token.split('.')[2]]) {
      expect(JSON.stringify(heard)).not.toContain(secret);
    }
    await app.tokens.revoke(access_token);
    expect(await statusOf(app, access_token)).toBe(401);
    // Repeated, it is no news.
    expect(heard).toHaveLength(2);
    await scene.end(app);
    expect(completed).toBe(true);
  });
});
