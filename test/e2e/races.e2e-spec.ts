import { generateKeyPairSync } from 'node:crypto';

import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  jest,
} from '@jest/globals';
import fc from 'fast-check';

import { GenAuthError, reaches, type Principal, type RevocationEvent } from '../../src/index.js';
import { opaqueKey, signedKey } from '../../src/core/revocation.js';
import { signWith } from '../../src/testing/signing-keys.js';
import { PrincipalCache } from '../../src/verify/principal-cache.js';
import { SigningKey } from '../../src/verify/signing-key.js';
import type { GuardedApp } from '../harness/guarded-app.js';
import { eventually, Scene, statusOf } from '../harness/scene.js';
import {
  assemble,
  type Known,
  ScheduledGenAuth,
  TickingClock,
} from '../harness/scheduled-world.js';

const APP_ID = 'app-1';
const HOST = 'http://127.0.0.1:1';
const ISSUER = `${HOST}/oidc`;
const START = Date.UTC(2031, 0, 6, 9) + 500;
const RUNS = 12_000;

/** Seconds between the start of the log and the first step: everything issued since is covered. */
const SETTLED_S = 20;
const now = Math.floor(START / 1_000) + SETTLED_S;

const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };

interface Spec {
  readonly name: string;
  readonly sub: string;
  readonly grant: string;
  readonly iat: number;
  readonly lifetime: number;
  readonly form: 'jwt' | 'opaque' | 'refresh';
}

/** `old`: certainly issued before any cut. `edge`: within the second in which cuts are made. */
const SPECS = [
  { name: 'old JWT', sub: 'ann', grant: 'g1', iat: now - 9, lifetime: 3_600, form: 'jwt' },
  { name: 'old opaque', sub: 'ann', grant: 'g1', iat: now - 9, lifetime: 3_600, form: 'opaque' },
  { name: 'edge JWT', sub: 'ann', grant: 'g1', iat: now, lifetime: 3_600, form: 'jwt' },
  { name: 'edge opaque', sub: 'ann', grant: 'g1', iat: now, lifetime: 3_600, form: 'opaque' },
  { name: 'short JWT', sub: 'ann', grant: 'g1', iat: now - 9, lifetime: 15, form: 'jwt' },
  { name: 'refresh', sub: 'ann', grant: 'g1', iat: now - 9, lifetime: 9_999, form: 'refresh' },
  { name: "bob's JWT", sub: 'bob', grant: 'g2', iat: now - 9, lifetime: 3_600, form: 'jwt' },
] as const satisfies readonly Spec[];
type Name = (typeof SPECS)[number]['name'];
const NAMES = SPECS.map(({ name }) => name);

const texts = new Map<Name, string>(SPECS.map((spec) => [spec.name, textOf(spec)]));
const server = new Map<string, Known>(SPECS.map((spec) => [textOf(spec), knownOf(spec)]));

function claimsOf({ name, sub, iat, lifetime }: Spec) {
  const exp = iat + lifetime;
  return { jti: `jti ${name}`, sub, iat, exp, scope: 'openid', iss: ISSUER };
}

function textOf(spec: Spec): string {
  if (spec.form !== 'jwt') return `opaque-${spec.name.replaceAll(/\W/g, '-')}`;
  const parts = [
    { alg: 'RS256', typ: 'JWT', kid: 'k1' },
    { ...claimsOf(spec), aud: APP_ID },
  ];
  const content = parts
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${content}.${signWith('RS256', pair.privateKey, content).toString('base64url')}`;
}

function knownOf(spec: Spec): Known {
  const claims = { ...claimsOf(spec), client_id: APP_ID };
  return { claims, grant: spec.grant, kind: spec.form === 'refresh' ? 'refresh' : 'access' };
}

type Step =
  | { readonly act: 'verify' | 'introspect' | 'revoke'; readonly token: Name }
  | { readonly act: 'revokeSubject'; readonly subject: 'ann' | 'bob' }
  | { readonly act: 'advance'; readonly ms: number };

const token = fc.constantFrom(...NAMES);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: token.map((name) => ({ act: 'verify' as const, token: name })) },
  { weight: 2, arbitrary: token.map((name) => ({ act: 'introspect' as const, token: name })) },
  { weight: 2, arbitrary: token.map((name) => ({ act: 'revoke' as const, token: name })) },
  { weight: 2, arbitrary: fc.constant({ act: 'revoke' as const, token: 'refresh' as const }) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom('ann' as const, 'bob' as const)
      .map((subject) => ({ act: 'revokeSubject' as const, subject })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(200, 7_000, 61_000).map((ms) => ({ act: 'advance' as const, ms })),
  },
);

/** How often anything was accepted in all runs: a world in which nothing is proves nothing. */
const accepted = { verify: 0, introspect: 0 };

/** What one run saw: when each token was denied for certain, and what was accepted afterwards. */
class Observer {
  #place = 0;
  readonly deniedAt = new Map<Name, number>();
  /** Cuts on whose boundary a token lies; only an answer asked for later may let it pass. */
  readonly cutAt = new Map<Name, number>();
  readonly failures: string[] = [];

  next = (): number => (this.#place += 1);

  see = (event: RevocationEvent): void => {
    const place = this.next();
    for (const spec of SPECS) {
      if (!reaches(event, likenessOf(spec))) continue;
      const certain =
        event.kind === 'token' || spec.iat * 1_000 <= (event.refusedThroughAt ?? -Infinity);
      // Only GenAuth's own word may let pass what a refresh token takes with it, and it says no.
      const cascade = event.kind === 'client';
      if ((certain || cascade) && !this.deniedAt.has(spec.name))
        this.deniedAt.set(spec.name, place);
      if (!certain) this.cutAt.set(spec.name, place);
    }
  };

  accept(what: 'verify' | 'introspect', name: Name, asked: readonly number[]): void {
    accepted[what] += 1;
    if (this.deniedAt.has(name)) this.failures.push(`${what} accepted the denied '${name}'`);
    const cut = this.cutAt.get(name);
    if (cut !== undefined && !asked.some((place) => place > cut)) {
      this.failures.push(`${what} accepted '${name}' on the boundary without GenAuth's word`);
    }
  }
}

const ids = new Map<Name, string>();

function likenessOf(spec: Spec): Principal {
  const text = texts.get(spec.name as Name) as string;
  const id = ids.get(spec.name as Name) ?? idOf(spec, text);
  const { jti, ...claims } = { ...claimsOf(spec), aud: APP_ID };
  return {
    appId: APP_ID,
    id,
    issuer: ISSUER,
    sub: spec.sub,
    clientId: APP_ID,
    audience: [APP_ID],
    scopes: ['openid'],
    expiresAt: claims.exp * 1_000,
    issuedAt: spec.iat * 1_000,
    tokenId: jti,
    claims: { ...claims, jti, client_id: APP_ID },
  };
}

function idOf(spec: Spec, text: string): string {
  const id =
    spec.form === 'jwt' ? signedKey(text.slice(0, text.lastIndexOf('.'))) : opaqueKey(text);
  ids.set(spec.name as Name, id);
  return id;
}

/** One world, one order of events. @returns what must be empty */
async function play(
  scheduler: fc.Scheduler,
  steps: readonly Step[],
  pauses: readonly number[],
  cacheMax: number,
): Promise<readonly string[]> {
  const clock = new TickingClock(START);
  const observer = new Observer();
  const genauth = new ScheduledGenAuth(scheduler, clock, [jwk], server, observer.next);
  const { tokens, cache } = assemble(genauth, clock, {
    appId: APP_ID,
    appHost: HOST,
    appSecret: 'secret',
    cache: { max: cacheMax },
    // A remembered refusal would only hide what is asked here.
    refusalTtl: 0,
    introspectionTtl: 5_000,
  });
  clock.advance(SETTLED_S * 1_000 - 400);
  tokens.revocations$.subscribe(observer.see);

  let running = 0;
  const run = (act: Step): Promise<unknown> => {
    if (act.act === 'advance') return Promise.resolve(clock.advance(act.ms));
    if (act.act === 'revokeSubject') return tokens.revokeSubject(act.subject);
    const text = texts.get(act.token) as string;
    if (act.act === 'revoke') return tokens.revoke(text);
    const asked = () => genauth.asked.get(text) ?? [];
    if (act.act === 'introspect') {
      return tokens.introspect(text).then((answer) => {
        if (answer['active'] === true) observer.accept('introspect', act.token, asked());
      });
    }
    if (tokens.verifyAtOnce(text)) observer.accept('verify', act.token, asked());
    return tokens.verify(text).then((principal) => {
      // As the guard does. Where every event waits for the last one's promises, verify() needs no help.
      if (pauses.some((ticks) => ticks > 0)) tokens.check(principal);
      observer.accept('verify', act.token, asked());
    });
  };
  for (const each of steps) {
    running += 1;
    void scheduler
      .schedule(Promise.resolve(), JSON.stringify(each))
      .then(() => run(each))
      // Whatever the library says on purpose is allowed here; acceptance is what counts.
      .catch((error: unknown) => {
        if (!(error instanceof GenAuthError)) observer.failures.push(String(error));
      })
      .finally(() => (running -= 1));
  }
  for (let turn = 0; running > 0; turn += 1) {
    if (turn > 10_000) throw new Error('the run does not end');
    // Now and then the next event comes in the middle of a chain of promises.
    const ticks = pauses[turn % pauses.length] ?? 0;
    if (ticks === 0 || scheduler.count() === 0) await new Promise((done) => setImmediate(done));
    else for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
    if (scheduler.count() > 0) await scheduler.waitNext(1);
  }
  for (const [name, text] of texts) {
    if (!observer.deniedAt.has(name) || observer.cutAt.has(name)) continue;
    if (cache.get(cache.keyOf(text))) observer.failures.push(`'${name}' is still remembered`);
  }
  return observer.failures;
}

describe('a revocation that overlaps verifications', () => {
  beforeAll(async () => {
    const imported = await SigningKey.import(jwk, ['RS256']);
    // Imported once, by a thread of its own: what is left is for the scheduler to order.
    jest.spyOn(SigningKey, 'import').mockImplementation(() => Promise.resolve(imported));
  });
  afterAll(() => void jest.restoreAllMocks());

  it('is outlived by no acceptance, in whatever order promises settle', async () => {
    let interleavings = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(step, { minLength: 3, maxLength: 14 }),
        fc.oneof(fc.constant([0]), fc.array(fc.nat(24), { minLength: 1, maxLength: 12 })),
        fc.constantFrom(1, 2, 100),
        async (scheduler, steps, pauses, cacheMax) => {
          interleavings += 1;
          expect(await play(scheduler, steps, pauses, cacheMax)).toEqual([]);
        },
      ),
      { numRuns: RUNS },
    );
    expect(interleavings).toBeGreaterThanOrEqual(10_000);
    expect(accepted.verify).toBeGreaterThan(10_000);
    expect(accepted.introspect).toBeGreaterThan(1_000);
  }, 600_000);
});

describe('a revocation while GenAuth keeps its answer back', () => {
  let scene: Scene;
  let app: GuardedApp;
  beforeEach(async () => {
    scene = await Scene.set();
  });
  afterEach(() => scene.close());

  it('refuses the token whose key was being fetched', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    const keys = scene.genauth.hold('jwks');
    const answer = statusOf(app, access_token);
    await keys.arrived;
    await app.tokens.revoke(access_token);
    keys.release();
    expect(await answer).toBe(401);
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('refuses the opaque token that GenAuth had just called active', async () => {
    app = await scene.start({ protocol: 'oauth' });
    const { access_token } = scene.genauth.opaqueToken();
    const word = scene.genauth.hold('introspection');
    const answer = statusOf(app, access_token);
    await word.arrived;
    await app.tokens.revoke(access_token, { cascade: false });
    word.release();
    expect(await answer).toBe(401);
    expect(await remembers(access_token)).toBe(false);
  });

  it('says of it that it is not active', async () => {
    app = await scene.start();
    const { access_token } = scene.genauth.signIn();
    const word = scene.genauth.hold('introspection');
    const answer = app.tokens.introspect(access_token);
    await word.arrived;
    await app.tokens.revoke(access_token);
    word.release();
    expect(await answer).toEqual({ active: false });
  });

  it.each(['revokeSubject', 'revokeClient', 'revokeIssuer'] as const)(
    'refuses what %s reached in the middle of its verification',
    async (cut) => {
      app = await scene.start();
      const { access_token } = scene.genauth.signIn({ sub: 'ann' });
      scene.clock.advance(30_000);
      const keys = scene.genauth.hold('jwks');
      const answer = statusOf(app, access_token);
      await keys.arrived;
      const { appId, issuer } = scene.genauth.application;
      const target = { revokeSubject: 'ann', revokeClient: appId, revokeIssuer: issuer }[cut];
      await app.tokens[cut](target);
      keys.release();
      expect(await answer).toBe(401);
      expect(await remembers(access_token)).toBe(false);
    },
  );

  it('accepts nothing of a sign-in while GenAuth is being told that it ended', async () => {
    app = await scene.start();
    const { access_token, refresh_token } = scene.genauth.signIn({ sub: 'ann' });
    const telling = scene.genauth.hold('revocation');
    const revoked = app.tokens.revoke(refresh_token);
    await telling.arrived;
    // Never seen here, and issued within the second of the cut: only GenAuth will be able to tell.
    expect(await statusOf(app, access_token)).toBe(503);
    telling.release();
    await revoked;
    expect(await statusOf(app, access_token)).toBe(401);
  });

  it('lets nobody join a question that was asked before it', async () => {
    app = await scene.start({ protocol: 'oauth' });
    const { access_token } = scene.genauth.opaqueToken({ sub: 'ann' });
    const word = scene.genauth.hold('introspection');
    const early = [statusOf(app, access_token), statusOf(app, access_token)];
    await word.arrived;
    await eventually(() => word.waiting === 1);
    await app.tokens.revokeSubject('somebody else');
    const late = statusOf(app, access_token);
    await scene.genauth.requests.until('introspection', 2);
    word.release();
    expect(await Promise.all([...early, late])).toEqual([200, 200, 200]);
    expect(scene.genauth.requests.count('introspection')).toBe(2);
  });

  async function remembers(text: string): Promise<boolean> {
    const cache = app.app.get(PrincipalCache);
    return cache.get(cache.keyOf(text)) !== undefined;
  }
});

describe('a token that dies while GenAuth keeps its answer back', () => {
  let scene: Scene;
  let app: GuardedApp;
  beforeEach(async () => {
    scene = await Scene.set();
    app = await scene.start();
  });
  afterEach(() => scene.close());

  /** Why the token is refused to a caller of `verify` that wanted GenAuth's word, after `meanwhile`. */
  async function reasonAfter(token: string, meanwhile: () => Promise<void>): Promise<unknown> {
    await app.tokens.verify(token);
    const word = scene.genauth.hold('introspection');
    const reason = app.tokens.verify(token, { maxAge: 0 }).then(
      () => undefined,
      (error: unknown) => (error as { reason?: unknown }).reason,
    );
    await word.arrived;
    await meanwhile();
    word.release();
    return reason;
  }

  it('is refused when it has expired', async () => {
    const exp = Math.floor(scene.clock.now() / 1_000) + 10;
    const { access_token } = scene.genauth.signIn({ claims: { exp } });
    const meanwhile = () => Promise.resolve(scene.clock.advance(60_000));
    expect(await reasonAfter(access_token, meanwhile)).toBe('expired');
  });

  it('is refused when its key was withdrawn', async () => {
    const { access_token } = scene.genauth.signIn();
    scene.clock.advance(1_000);
    const reason = reasonAfter(access_token, async () => {
      scene.genauth.application.keys.replace('ES256');
      await app.tokens.verify(scene.genauth.signIn().access_token);
    });
    expect(await reason).toBe('unknown_key');
  });
});
