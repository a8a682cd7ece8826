import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, type ExecutionContext, Get, Injectable, UseGuards } from '@nestjs/common';

import {
  Audience,
  GenAuthError,
  GenAuthGuard,
  type Principal,
  type Revocation,
  Scopes,
  TokenService,
} from '../../src/index.js';
import { cutAt, watermarkKey } from '../../src/core/revocation.js';
import { ControlledLog } from '../harness/controlled-log.js';
import { type GuardedApp, platforms } from '../harness/guarded-app.js';
import { eventually, Scene, statusOf } from '../harness/scene.js';

let scene: Scene;
let app: GuardedApp;
let log: ControlledLog;

beforeEach(async () => {
  scene = await Scene.set();
  log = new ControlledLog();
});
afterEach(() => scene.close());

const introspections = () => scene.genauth.requests.count('introspection');

/** A token that was verified here a moment ago. */
async function remembered(options: Parameters<typeof scene.genauth.signIn>[0] = {}) {
  const { access_token: token } = scene.genauth.signIn(options);
  const principal = await app.tokens.verify(token);
  expect(app.tokens.verifyAtOnce(token)).toBe(principal);
  return { token, principal };
}

/** The code and reason of what a call throws, or what it returns. */
function outcomeOf(call: () => Principal | undefined): unknown {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof GenAuthError)) throw error;
    return [error.code, (error as { reason?: string }).reason];
  }
}
const atOnce = (token: string) => outcomeOf(() => app.tokens.verifyAtOnce(token));
const REVOKED = ['invalid_token', 'revoked'];

/** Of everything issued to the principal's subject, client or issuer up to now. */
function cut(
  kind: 'subject' | 'client' | 'issuer',
  { issuer, sub = '', clientId = '' }: Principal,
  id = { subject: sub, client: clientId, issuer: '' }[kind],
): Revocation {
  const key = watermarkKey(kind, issuer, ...(kind === 'issuer' ? [] : [id]));
  const at = scene.clock.wall();
  return { kind, key, keepUntilAt: at + 1e9, ...cutAt(at, { lowMs: 0, highMs: 0 }) };
}

describe('verifyAtOnce', () => {
  beforeEach(async () => {
    app = await scene.start({ cache: { ttl: 60_000 }, revocation: { log } });
  });

  it('gives the very principal that verify gave, and asks nobody', async () => {
    const { token, principal } = await remembered();
    await scene.genauth.goDown();
    expect(app.tokens.verifyAtOnce(token)).toBe(principal);
    expect(() => app.tokens.check(principal)).not.toThrow();
  });

  it('gives what verify has been asked for in the same tick, once the keys are known', async () => {
    await remembered();
    const { access_token: token } = scene.genauth.signIn();
    const pending = app.tokens.verify(token);
    const principal = app.tokens.verifyAtOnce(token);
    expect(principal).toBeDefined();
    expect(await pending).toBe(principal);
  });

  it('refuses what verify has refused in the same tick', async () => {
    const { token } = await remembered();
    const { access_token: other } = scene.genauth.signIn();
    const forged = `${token.slice(0, token.lastIndexOf('.'))}.${other.slice(other.lastIndexOf('.') + 1)}`;
    const pending = app.tokens.verify(forged);
    expect(atOnce(forged)).toEqual(['invalid_token', 'signature']);
    await expect(pending).rejects.toMatchObject({ reason: 'signature' });
  });

  it('verifies what was not seen before as verify does, once the keys are known', async () => {
    const { token, principal } = await remembered();
    await scene.genauth.goDown();
    const another = scene.genauth.signIn().access_token;
    expect(app.tokens.verifyAtOnce(another)).toBe(await app.tokens.verify(another));
    expect(atOnce(scene.genauth.malleate(token))).toMatchObject({ id: principal.id });
    expect(atOnce(scene.genauth.respell(token))).toEqual(['invalid_token', 'not_canonical']);
    expect(atOnce(`${token}=`)).toEqual(['invalid_token', 'not_canonical']);
  });

  it('says nothing of a token whose keys were not asked for yet, nor of an opaque one', async () => {
    expect(atOnce(scene.genauth.signIn().access_token)).toBeUndefined();
    expect(atOnce(scene.genauth.signIn().refresh_token as string)).toBeUndefined();
  });

  it.each([
    ['', 'malformed'] as const,
    [7 as never, 'malformed'],
    ['a'.repeat(16_385), 'oversized'],
  ])('refuses what is no token as verify does (%#)', (text, reason) => {
    expect(atOnce(text)).toEqual(['invalid_token', reason]);
  });

  it('refuses a token that was revoked between two requests, in the same tick', async () => {
    const { token } = await remembered();
    const revoking = app.tokens.revoke(token);
    expect(atOnce(token)).toEqual(REVOKED);
    await expect(app.tokens.verify(token)).rejects.toMatchObject({ reason: 'revoked' });
    await revoking;
  });

  it('refuses what it sees for the first time: another spelling of a revoked token, and a token that a cut reaches', async () => {
    const { token, principal } = await remembered();
    const unseen = scene.genauth.signIn({ sub: principal.sub as string }).access_token;
    await app.tokens.revoke(token);
    expect(atOnce(scene.genauth.malleate(token))).toEqual(REVOKED);
    scene.clock.advance(30_000);
    log.deliver([cut('subject', principal)]);
    expect(atOnce(unseen)).toEqual(REVOKED);
  });

  it('refuses a token that another process revoked, from the tick in which the log says so', async () => {
    const { token, principal } = await remembered();
    const { id, expiresAt } = principal;
    log.deliver([{ kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt }]);
    expect(atOnce(token)).toEqual(REVOKED);
    await expect(app.tokens.verify(token)).rejects.toMatchObject({ reason: 'revoked' });
    expect(outcomeOf(() => app.tokens.check(principal) as undefined)).toEqual(REVOKED);
  });

  it.each(['subject', 'client', 'issuer'] as const)(
    'refuses a token whose %s was cut after it had been clear of everything known',
    async (kind) => {
      const { token, principal } = await remembered();
      scene.clock.advance(30_000);
      log.deliver([cut('subject', principal, 'somebody else')]);
      expect(atOnce(token)).toBe(principal);
      log.deliver([cut(kind, principal)]);
      // Remembered or forgotten by now, it does not pass.
      expect([undefined, REVOKED]).toContainEqual(atOnce(token));
      await expect(app.tokens.verify(token)).rejects.toMatchObject({ reason: 'revoked' });
    },
  );

  it('refuses all that a cut reaches in the same tick, also what is still remembered', async () => {
    const tokens: string[] = [];
    let principal: Principal | undefined;
    for (let n = 0; n < 1_200; n += 1) {
      const token = scene.genauth.token({ sub: 'ann' });
      principal = await app.tokens.verify(token);
      tokens.push(token);
    }
    expect(tokens.every((token) => app.tokens.verifyAtOnce(token) !== undefined)).toBe(true);
    scene.clock.advance(30_000);
    log.deliver([cut('subject', principal as Principal)]);
    const outcomes = tokens.map((token) => JSON.stringify(atOnce(token) ?? 'forgotten'));
    expect(outcomes).toContain(JSON.stringify(REVOKED));
    const refused = ['"forgotten"', JSON.stringify(REVOKED)];
    expect(outcomes.filter((outcome) => !refused.includes(outcome))).toEqual([]);
  });

  it('leaves the boundary of a cut to verify, which has GenAuth asked once', async () => {
    const { token, principal } = await remembered();
    const { issuedAt = 0 } = principal;
    log.deliver([
      { ...cut('subject', principal), refusedThroughAt: issuedAt - 1, askedThroughAt: issuedAt },
    ]);
    expect(atOnce(token)).toBeUndefined();
    const confirmed = await app.tokens.verify(token);
    expect(introspections()).toBe(1);
    expect(atOnce(token)).toBe(confirmed);
    expect(introspections()).toBe(1);
  });

  it('forgets with the key that signed the token', async () => {
    const keys = { maxAge: 5_000, cooldown: 1_000 };
    app = await scene.start({ keys, revocation: { log } });
    const { token } = await remembered();
    scene.genauth.application.keys.replace('ES256');
    scene.clock.advance(1_001);
    await app.tokens.verify(scene.genauth.signIn().access_token);
    expect(atOnce(token)).toBeUndefined();
    await expect(app.tokens.verify(token)).rejects.toMatchObject({ reason: 'unknown_key' });
  });

  it('does not rely on keys that are too old, although they are the same', async () => {
    const keys = { maxAge: 1_000, staleLimit: 2_000 };
    app = await scene.start({ keys, revocation: { log } });
    const { token } = await remembered();
    await scene.genauth.goDown();
    scene.clock.advance(2_001);
    expect(atOnce(token)).toBeUndefined();
    await expect(app.tokens.verify(token)).rejects.toMatchObject({
      code: 'temporarily_unavailable',
    });
  });

  it('refuses a token that has expired, also when the clock is then set back', async () => {
    const { token } = await remembered({ lifetime: 30 });
    const { token: other } = await remembered({ lifetime: 30 });
    scene.clock.advance(40_000);
    expect(atOnce(token)).toEqual(['invalid_token', 'expired']);
    await expect(app.tokens.verify(token)).rejects.toMatchObject({ reason: 'expired' });
    scene.clock.jump(-3_600_000);
    expect(atOnce(token)).toEqual(['invalid_token', 'expired']);
    await expect(app.tokens.verify(other)).rejects.toMatchObject({ reason: 'expired' });
  });
});

describe('a principal that was accepted before a cut', () => {
  it('stays refused when GenAuth’s word on it was asked for before the cut, and came while no key could be relied on', async () => {
    const keys = { maxAge: 1_000, staleLimit: 1_000, cooldown: 100 };
    app = await scene.start({ keys });
    scene.clock.advance(600);
    await app.tokens.verify(scene.genauth.signIn().access_token);
    scene.clock.advance(920);
    const { token, principal } = await remembered();
    const asking = scene.genauth.hold('introspection');
    const first = app.tokens.verify(token, { maxAge: 0 });
    await eventually(() => introspections() === 1);
    const fetching = scene.genauth.hold('jwks');
    scene.clock.advance(90);
    expect(atOnce(token)).toBeUndefined();
    await app.tokens.revokeSubject(principal.sub as string);
    asking.release();
    await expect(first).rejects.toMatchObject({ reason: 'keys_stale' });
    fetching.release();
    scene.clock.advance(101);
    await eventually(async () =>
      Boolean(await app.tokens.verify(scene.genauth.signIn().access_token)),
    );
    await expect(app.tokens.verify(token)).rejects.toMatchObject({ reason: 'revoked' });
    expect(introspections()).toBe(1);
  });

  it.each([0, -100, -900])(
    'is remembered while it is used, however many others come, also when the clock is set by %i ms',
    async (shiftMs) => {
      app = await scene.start({ cache: { max: 100, ttl: 86_400_000 } });
      const { token, principal } = await remembered();
      scene.clock.jump(shiftMs);
      for (let n = 0; n < 150; n += 1) {
        app.tokens.verifyAtOnce(token);
        await app.tokens.verify(scene.genauth.signIn().access_token);
      }
      scene.clock.jump(-shiftMs);
      expect(atOnce(token)).toBe(principal);
      await app.tokens.revokeSubject(principal.sub as string);
      expect(atOnce(token)).toEqual(REVOKED);
      expect(introspections()).toBe(0);
    },
  );
});

describe('verifyAtOnce, what the caller demands', () => {
  beforeEach(async () => {
    app = await scene.start({ revocation: { log } });
  });

  it('is held against the token each time', async () => {
    const { token, principal } = await remembered({ scope: 'openid book:read' });
    const asked = (demands: Parameters<TokenService['verify']>[1]) =>
      outcomeOf(() => app.tokens.verifyAtOnce(token, demands));
    const { appId, audience } = principal;
    expect(asked({ scopes: ['book:read'], audience, appId })).toBe(principal);
    expect(asked({ scopes: ['book:write'] })).toEqual(['insufficient_scope', undefined]);
    expect(asked({ audience: 'another' })).toEqual(['invalid_token', 'audience']);
    expect(asked({ appId: 'another' })).toEqual(['invalid_token', 'audience']);
    expect(asked({})).toBe(principal);
  });

  it('comes after what is revoked: 401 before 403', async () => {
    const tokens: string[] = [];
    for (let n = 0; n < 600; n += 1) tokens.push((await remembered({ sub: 'ann' })).token);
    const principal = await app.tokens.verify(tokens.at(-1) as string);
    scene.clock.advance(30_000);
    log.deliver([cut('subject', principal)]);
    // Forgetting begins with what was used last, and pauses.
    const [oldest = ''] = tokens;
    const asked = () => app.tokens.verifyAtOnce(oldest, { scopes: ['book:write'] });
    expect(outcomeOf(asked)).toEqual(REVOKED);
  });

  it('leaves a demand for GenAuth’s own word to verify, until that is new enough', async () => {
    const { token } = await remembered();
    expect(app.tokens.verifyAtOnce(token, { maxAge: 5_000 })).toBeUndefined();
    const confirmed = await app.tokens.verify(token, { maxAge: 5_000 });
    expect(app.tokens.verifyAtOnce(token, { maxAge: 5_000 })).toBe(confirmed);
    scene.clock.advance(5_001);
    expect(app.tokens.verifyAtOnce(token, { maxAge: 5_000 })).toBeUndefined();
    expect(introspections()).toBe(1);
  });
});

describe('verifyAtOnce, in other settings', () => {
  it.each([
    { audience: ['another'] },
    { issuer: 'https://another.example/oidc' },
    { clockTolerance: 1 },
  ])('knows nothing of what was verified under these (%#)', async (other) => {
    app = await scene.start();
    const { token } = await remembered();
    const neighbour = await scene.start(other);
    const outcome = outcomeOf(() => neighbour.tokens.verifyAtOnce(token));
    expect([undefined, ['invalid_token', 'issuer']]).toContainEqual(outcome);
  });

  it.each(['stale', 'catching-up', 'stopped'] as const)(
    'leaves it to verify while the log is %s',
    async (state) => {
      app = await scene.start({ revocation: { log } });
      const { token, principal } = await remembered();
      log.state = state;
      expect(atOnce(token)).toBeUndefined();
      expect(introspections()).toBe(0);
      log.state = 'live';
      expect(atOnce(token)).toBe(principal);
    },
  );

  it('says that nobody can tell while the log is stale, if the application wants no question asked', async () => {
    app = await scene.start({ revocation: { log, whenStale: 'refuse' } });
    const { token } = await remembered();
    log.state = 'stale';
    expect(atOnce(token)).toEqual(['temporarily_unavailable', 'log_stale']);
  });

  it('leaves to verify what the log no longer covers', async () => {
    app = await scene.start({ revocation: { log } });
    const { token } = await remembered();
    log.coveredSince = scene.clock.wall();
    expect(atOnce(token)).toBeUndefined();
  });
});

const answers: unknown[] = [];

@Injectable()
class WatchedGuard extends GenAuthGuard {
  override canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const answer = super.canActivate(context);
    answers.push(answer);
    return answer;
  }
}

@Controller('watched')
@UseGuards(WatchedGuard)
class WatchedController {
  @Get()
  any() {
    return {};
  }

  @Get('scope')
  @Scopes('book:write')
  scoped() {
    return {};
  }

  @Get('audience')
  @Audience('another')
  meant() {
    return {};
  }
}

describe.each(platforms)('the guard on %s', (platform) => {
  it('lets a token in at once when nobody has to be asked, and by a promise while the keys are', async () => {
    answers.length = 0;
    app = await scene.start({}, { platform, controllers: [WatchedController] });
    const { access_token: token } = scene.genauth.signIn();
    const statuses = [];
    for (const path of ['', '', '/scope', '/audience', '']) {
      statuses.push((await app.call(`/watched${path}`, token)).status);
    }
    expect(statuses).toEqual([200, 200, 403, 401, 200]);
    expect(answers).toEqual([expect.any(Promise), true, true]);
    expect((await app.call('/watched', scene.genauth.signIn().access_token)).status).toBe(200);
    expect(answers.at(-1)).toBe(true);
  });

  it('refuses a token that was revoked between two requests', async () => {
    app = await scene.start({}, { platform });
    const { token } = await remembered();
    expect(await statusOf(app, token)).toBe(200);
    await app.tokens.revoke(token);
    expect(await statusOf(app, token)).toBe(401);
  });
});
