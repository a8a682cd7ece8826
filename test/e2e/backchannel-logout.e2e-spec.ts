import { createPublicKey } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { BackchannelLogoutModule, type BackchannelLogoutOptions } from '../../src/doors.js';
import type { GenAuthModuleOptions } from '../../src/index.js';
import type { Delivery, LogoutTokenOptions } from '../../src/testing.js';
import { ControlledLog } from '../harness/controlled-log.js';
import {
  type DoorApp,
  type DoorAppOptions,
  startDoorApp,
  surroundings,
} from '../harness/door-app.js';
import { platforms } from '../harness/guarded-app.js';
import { NewsWatch } from '../harness/news-watch.js';
import { Scene } from '../harness/scene.js';

const MINUTE = 60_000;
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const NOT_ACCEPTED = {
  error: 'invalid_request',
  error_description: 'the logout token is not accepted',
};
const NO_TOKEN = {
  error: 'invalid_request',
  error_description: 'a form with one logout_token is expected',
};

let scene: Scene;
let watch: NewsWatch;
let running: DoorApp[];

beforeEach(async () => {
  scene = await Scene.set();
  watch = new NewsWatch();
  running = [];
});

afterEach(async () => {
  watch[Symbol.dispose]();
  await Promise.all(running.map((app) => app.close()));
  await scene.close();
});

async function start(
  how: DoorAppOptions = {},
  door: BackchannelLogoutOptions = {},
  module: Partial<GenAuthModuleOptions> = {},
): Promise<DoorApp> {
  const doors = [BackchannelLogoutModule.forRoot(door)];
  const app = await startDoorApp(scene.options(module), doors, { clock: scene.clock, ...how });
  running.push(app);
  scene.clock.advance(MINUTE);
  return app;
}

/** An access token; `sid` is left out when it is undefined, as GenAuth does. */
const signIn = (sub: string, sid?: string): string =>
  scene.genauth.signIn({ sub, scope: 'openid', claims: { sid } }).access_token;

const logOut = (
  app: DoorApp,
  claims: Record<string, unknown>,
  options?: LogoutTokenOptions,
): Promise<Delivery> =>
  scene.genauth.sendLogoutToken(app.at('backchannel-logout'), claims, options);

const post = (app: DoorApp, body: string, type = 'application/x-www-form-urlencoded') =>
  fetch(app.at('backchannel-logout'), {
    method: 'POST',
    body,
    headers: { 'content-type': type },
  }).then(async (response) => ({ status: response.status, body: await response.text() }));

describe.each(surroundings)('A logout on %j', (how) => {
  it('of a session ends the tokens of that session, and no others', async () => {
    const app = await start(how);
    const [one, two, other] = [signIn('ada', 's1'), signIn('ada', 's2'), signIn('bob', 's3')];
    expect(await app.statusOf(one)).toBe(200);
    scene.clock.advance(MINUTE);
    const { status, headers, body } = await logOut(app, { sub: 'ada', sid: 's1' });
    expect([status, body, headers.get('cache-control')]).toEqual([200, '', 'no-store']);
    expect(await Promise.all([one, two, other].map(app.statusOf))).toEqual([401, 200, 200]);
    expect(watch.outcomes).toEqual(['taken']);
  });

  it('of a user, without a session, ends all tokens of the user', async () => {
    const app = await start(how);
    const tokens = [signIn('ada', 's1'), signIn('ada'), signIn('bob')];
    scene.clock.advance(MINUTE);
    expect((await logOut(app, { sub: 'ada' })).status).toBe(200);
    expect(await Promise.all(tokens.map(app.statusOf))).toEqual([401, 401, 200]);
    scene.clock.advance(2_000);
    expect(await app.statusOf(signIn('ada'))).toBe(200);
  });

  it('is refused when it is told a second time, and what it has ended stays so', async () => {
    const app = await start(how);
    const token = signIn('ada', 's1');
    scene.clock.advance(MINUTE);
    const logoutToken = scene.genauth.logoutToken({ sid: 's1' });
    const form = `logout_token=${logoutToken}`;
    expect((await post(app, form)).status).toBe(200);
    const again = await post(app, form);
    expect([again.status, JSON.parse(again.body)]).toEqual([400, NOT_ACCEPTED]);
    const malleated = await post(app, `logout_token=${scene.genauth.malleate(logoutToken)}`);
    expect(malleated.status).toBe(400);
    expect(await app.statusOf(token)).toBe(401);
    expect(watch.outcomes).toEqual(['taken', 'repeated', 'repeated']);
  });
});

describe('A logout of a session of a user', () => {
  it('ends the tokens of the user that name no session: they may be of that one', async () => {
    const app = await start();
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    await logOut(app, { sub: 'ada', sid: 's1' });
    expect(await app.statusOf(token)).toBe(401);
  });

  it("leaves them alone with sessionless: 'keep'", async () => {
    const app = await start({}, { sessionless: 'keep' });
    const [token, named] = [signIn('ada'), signIn('ada', 's1')];
    scene.clock.advance(MINUTE);
    await logOut(app, { sub: 'ada', sid: 's1' });
    expect(await Promise.all([token, named].map(app.statusOf))).toEqual([200, 401]);
  });

  it('cannot reach them when it does not say whose session it was', async () => {
    const app = await start();
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    expect((await logOut(app, { sid: 's1' })).status).toBe(200);
    expect(await app.statusOf(token)).toBe(200);
  });

  it('is dated by its iat: who has signed in since gets in, however late it comes', async () => {
    const app = await start();
    const old = signIn('ada');
    scene.clock.advance(MINUTE);
    const logoutToken = scene.genauth.logoutToken({ sub: 'ada', sid: 's1' });
    scene.clock.advance(MINUTE);
    const fresh = signIn('ada');
    expect((await post(app, `logout_token=${logoutToken}`)).status).toBe(200);
    expect(await Promise.all([old, fresh].map(app.statusOf))).toEqual([401, 200]);
  });
});

describe('A logout token', () => {
  it.each([
    ['says JWT in typ', {}, { header: { typ: 'JWT' } }],
    ['says no typ', {}, { header: { typ: undefined } }],
    ['says application/logout+jwt in typ', {}, { header: { typ: 'application/LOGOUT+jwt' } }],
    ['has no exp, as in the drafts', { exp: undefined }, {}],
    ['has claims that nobody knows', { trace: 'x', auth_time: 1 }, {}],
    ['tells of another event as well', { events: { [EVENT]: {}, 'https://e.example': {} } }, {}],
    ['says something of the event', { events: { [EVENT]: { why: 'so' } } }, {}],
    ['names several audiences', { aud: ['someone-else', 'APP'] }, {}],
    ['has no kid, and one key fits', {}, { kid: null }],
    ['is a few seconds ahead of our clock', { iat: 4 }, {}],
    ['has an iat with a fraction', { iat: -2.5 }, {}],
  ] as const)('is believed when it %s', async (_, claims, options) => {
    const app = await start();
    const token = signIn('ada', 's1');
    scene.clock.advance(MINUTE);
    expect((await logOut(app, placed({ sid: 's1', ...claims }), options)).status).toBe(200);
    expect(await app.statusOf(token)).toBe(401);
  });

  it('is to come again when its key is new, and a stranger has just named an unknown one', async () => {
    const app = await start();
    const token = signIn('ada');
    expect(await app.statusOf(token)).toBe(200);
    expect(await app.statusOf(scene.genauth.token({}, { kid: 'never-published' }))).toBe(401);
    scene.genauth.application.keys.add('ES256');
    scene.clock.advance(1_000);
    const logout = `logout_token=${scene.genauth.logoutToken({ sub: 'ada' })}`;
    expect((await post(app, logout)).status).toBe(503);
    scene.clock.advance(MINUTE);
    expect((await post(app, logout)).status).toBe(200);
    expect(await app.statusOf(token)).toBe(401);
    expect(watch.outcomes).toEqual(['unavailable', 'taken']);
  });

  it('may name a configured audience: another client, whose tokens are accepted here', async () => {
    const app = await start({}, {}, { audience: ['web', 'api'] });
    const token = scene.genauth.signIn({ sub: 'ada', claims: { aud: 'web' } }).access_token;
    scene.clock.advance(MINUTE);
    expect((await logOut(app, { sub: 'ada', aud: 'web' })).status).toBe(200);
    expect((await logOut(app, { sub: 'ada' })).status).toBe(200);
    expect((await logOut(app, { sub: 'ada', aud: 'cli' })).status).toBe(400);
    expect(await app.statusOf(token)).toBe(401);
  });

  it('is for the application that its issuer and audience name', async () => {
    await scene.close();
    scene = await Scene.set({ applications: [{ alg: 'ES256' }, { alg: 'ES256' }] });
    const [one, two] = scene.genauth.applications.map((application) => ({
      ...application.options(),
      algorithms: ['ES256' as const],
    }));
    const app = await start({}, {}, { applications: [one!, two!] });
    const tokens = [one, two].map((each) => {
      return scene.genauth.signIn({ sub: 'ada', appId: each!.appId }).access_token;
    });
    scene.clock.advance(MINUTE);
    const { status } = await logOut(app, { sub: 'ada' }, { appId: two!.appId });
    expect(status).toBe(200);
    expect(await Promise.all(tokens.map(app.statusOf))).toEqual([200, 401]);
    const foreign = await logOut(app, { sub: 'ada', aud: one!.appId }, { appId: two!.appId });
    expect(foreign.status).toBe(400);
  });

  it.each(platforms)('is no access token, and an access token is none (%s)', async (platform) => {
    const app = await start({ platform });
    const all = { sub: 'ada', sid: 's1', scope: 'openid' };
    for (const typ of ['logout+jwt', 'JWT', 'at+jwt', undefined]) {
      const token = scene.genauth.logoutToken(all, { header: { typ } });
      expect(await app.statusOf(token)).toBe(401);
    }
    const token = signIn('ada', 's1');
    expect((await post(app, `logout_token=${token}`)).status).toBe(400);
    expect(await app.statusOf(token)).toBe(200);
  });
});

/** `iat` and the like as so many seconds from now, and the application or its issuer where `APP` stands. */
function placed(claims: Record<string, unknown>): Record<string, unknown> {
  const now = Math.floor(scene.clock.now() / 1_000);
  const dated = ['iat', 'exp', 'nbf'].filter((name) => typeof claims[name] === 'number');
  const { aud } = claims;
  const { appId, issuer } = scene.genauth.application;
  const named = (one: unknown) => (one === 'APP' ? appId : one);
  return {
    ...claims,
    ...Object.fromEntries(dated.map((name) => [name, now + (claims[name] as number)])),
    ...(Array.isArray(aud) && { aud: aud.map(named) }),
    ...(claims['iss'] === 'APP/' && { iss: `${issuer}/` }),
  };
}

type Refused = (app: DoorApp) => Promise<{ readonly status: number; readonly body: string }>;

const told = (claims: Record<string, unknown>, options?: LogoutTokenOptions): Refused => {
  return (app) => logOut(app, placed({ sub: 'ada', sid: 's1', ...claims }), options);
};
const forged = (options: () => LogoutTokenOptions): Refused => {
  return (app) => logOut(app, { sub: 'ada', sid: 's1' }, options());
};
const sent = (body: () => string, type?: string): Refused => {
  return (app) => post(app, body(), type);
};
const good = () => scene.genauth.logoutToken({ sub: 'ada', sid: 's1' });
const payload = (more: string) => {
  const { application } = scene.genauth;
  const iat = Math.floor(scene.clock.now() / 1_000);
  return `{"iss":"${application.issuer}","aud":"${application.appId}","iat":${iat},"jti":"x","sid":"s1","events":{"${EVENT}":{}}${more}}`;
};
const foreignJwk = () =>
  createPublicKey(scene.genauth.foreignKey('ES256')).export({ format: 'jwk' });

const REFUSED: readonly (readonly [what: string, send: Refused, body?: object])[] = [
  ['signed by a stranger', forged(() => ({ key: scene.genauth.foreignKey('ES256') }))],
  ['signed by nobody, alg none', forged(() => ({ alg: 'none' }))],
  ['without a signature', forged(() => ({ sign: false }))],
  ['HMAC with the public key', forged(hmacWithPublicKey)],
  ['HMAC with the secret', forged(() => ({ alg: 'HS256' }))],
  ['by an algorithm that is not allowed', forged(() => ({ alg: 'RS256' }))],
  ['of an unknown kid', forged(() => ({ kid: 'never-published' }))],
  ['with a kid that is no string', forged(() => ({ header: { kid: 7 } }))],
  ['with its own key in jwk', forged(() => strange({ jwk: foreignJwk() }))],
  ['with its own key behind jku', forged(() => strange({ jku: 'https://evil.example/jwks' }))],
  ['with crit', forged(() => ({ header: { crit: ['exp'] } }))],
  ['compressed', forged(() => ({ header: { zip: 'DEF' } }))],
  ['nested', forged(() => ({ header: { cty: 'JWT' } }))],
  ['of the type of an access token', forged(() => ({ header: { typ: 'at+jwt' } }))],
  ['of the type of a security event', forged(() => ({ header: { typ: 'secevent+jwt' } }))],
  ['of a type that is no string', forged(() => ({ header: { typ: 1 } }))],
  ['of another issuer', told({ iss: 'https://evil.example/oidc' })],
  ['of the issuer with a slash more', told({ iss: 'APP/' })],
  ['without issuer', told({ iss: undefined })],
  ['for another audience', told({ aud: 'another-application' })],
  ['for nobody', told({ aud: undefined })],
  ['for an empty list', told({ aud: [] })],
  ['for a list with what is no string', told({ aud: ['APP', 7] })],
  ['expired', told({ exp: -6 })],
  ['with an exp that is no number', told({ exp: 'tomorrow' })],
  ['with an exp of null', told({ exp: null })],
  ['issued in the future', told({ iat: 6 })],
  ['too old, whatever its exp says', told({ iat: -306, exp: 3_600 })],
  ['too old, without exp', told({ iat: -306, exp: undefined })],
  ['without iat', told({ iat: undefined })],
  ['with an iat that is no number', told({ iat: '1' })],
  ['not valid yet', told({ nbf: 6 })],
  ['with a nbf that is no number', told({ nbf: {} })],
  ['without jti', told({ jti: undefined })],
  ['with an empty jti', told({ jti: '' })],
  ['with a jti that is no string', told({ jti: 7 })],
  ['without events', told({ events: undefined })],
  ['with events that are no object', told({ events: [EVENT] })],
  ['of another event', told({ events: { 'https://schemas.openid.net/secevent/caep': {} } })],
  ['with an event that is no object', told({ events: { [EVENT]: true } })],
  ['with an event that is a list', told({ events: { [EVENT]: [] } })],
  ['with an event of null', told({ events: { [EVENT]: null } })],
  ['with a nonce', told({ nonce: 'n' })],
  ['with a nonce of null', told({ nonce: null })],
  ['of neither sub nor sid', told({ sub: undefined, sid: undefined })],
  ['with a sub that is no string', told({ sub: 7 })],
  ['with an empty sub', told({ sub: '' })],
  ['with a sid that is no string', told({ sid: ['s1'] })],
  ['with an empty sid', told({ sid: '' })],
  ['re-spelled', sent(() => `logout_token=${scene.genauth.respell(good())}`)],
  ['padded', sent(() => `logout_token=${encodeURIComponent(`${good()}==`)}`)],
  ['of two segments', sent(() => `logout_token=${good().split('.').slice(0, 2).join('.')}`)],
  ['of five segments', sent(() => `logout_token=${good()}.a.b`)],
  ['no token at all', sent(() => 'logout_token=never-a-token')],
  ['longer than 16 KiB', told({ padding: 'x'.repeat(16_384) })],
  ['naming a member twice', forged(() => ({ rawPayload: payload(',"sid":"s2"') }))],
  ['nested too deeply', forged(() => ({ rawPayload: payload(`,"x":${deep(70)}`) }))],
  ['not JSON', forged(() => ({ rawPayload: '{' }))],
  ['a list', forged(() => ({ rawPayload: '[]' }))],
  ['a header that is no JSON', forged(() => ({ rawHeader: '{' }))],
  ['missing from the form', sent(() => 'token=x'), NO_TOKEN],
  ['empty', sent(() => 'logout_token='), NO_TOKEN],
  ['twice in the form', sent(() => `logout_token=${good()}&logout_token=${good()}`), NO_TOKEN],
  ['an object in the form', sent(() => `logout_token[x]=${good()}`), NO_TOKEN],
  ['missing with the body', sent(() => ''), NO_TOKEN],
  ['in JSON', sent(() => JSON.stringify({ logout_token: good() }), 'application/json'), NO_TOKEN],
  ['in plain text', sent(() => `logout_token=${good()}`, 'text/plain'), NO_TOKEN],
];

function hmacWithPublicKey(): LogoutTokenOptions {
  const { publicKey } = scene.genauth.application.keys.current;
  return { alg: 'HS256', key: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

function strange(header: Record<string, unknown>): LogoutTokenOptions {
  return { header, key: scene.genauth.foreignKey('ES256') };
}

function deep(levels: number): string {
  return `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
}

describe.each(platforms)(
  'A logout token on %s is refused, and changes nothing, when it is',
  (platform) => {
    it.each(REFUSED)('%s', async (_, send, body = NOT_ACCEPTED) => {
      const app = await start({ platform });
      const [accepted, sessionless, revoked] = [signIn('ada', 's1'), signIn('ada'), signIn('bob')];
      scene.clock.advance(MINUTE);
      await logOut(app, { sub: 'bob' });
      const before = [200, 200, 401];
      const tokens = [accepted, sessionless, revoked];
      expect(await Promise.all(tokens.map(app.statusOf))).toEqual(before);

      const answer = await send(app);
      expect([answer.status, JSON.parse(answer.body)]).toEqual([400, body]);

      expect(await Promise.all(tokens.map(app.statusOf))).toEqual(before);
      expect(watch.outcomes).toEqual(['taken', 'refused']);
    });
  },
);

describe.each(platforms)('The route on %s', (platform) => {
  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('is for POST, and not for %s', async (method) => {
    const app = await start({ platform });
    const url = `${app.at('backchannel-logout')}?logout_token=${good()}`;
    const token = signIn('ada', 's1');
    expect((await fetch(url, { method })).status).toBe(404);
    expect(await app.statusOf(token)).toBe(200);
  });

  it('takes no token from the query', async () => {
    const app = await start({ platform });
    const url = `${app.at('backchannel-logout')}?logout_token=${good()}`;
    expect((await fetch(url, { method: 'POST', body: new URLSearchParams() })).status).toBe(400);
  });

  it('refuses a form that is larger than the platform takes', async () => {
    const app = await start({ platform });
    const { status } = await post(app, `logout_token=${'x'.repeat(2_000_000)}`);
    expect(status).toBe(413);
  });

  it('is where path says', async () => {
    const door = BackchannelLogoutModule.forRoot({ path: '/oidc/logout' });
    const app = await startDoorApp(scene.options(), [door], { platform, clock: scene.clock });
    running.push(app);
    expect((await scene.genauth.sendLogoutToken(app.at('oidc/logout'), { sub: 'a' })).status).toBe(
      200,
    );
    expect((await logOut(app, { sub: 'a' })).status).toBe(404);
  });
});

describe('A logout that cannot be taken now', () => {
  it.each(platforms)(
    'is answered 503 while the log is away, and 200 later (%s)',
    async (platform) => {
      const log = new ControlledLog();
      const app = await start({ platform }, {}, { revocation: { log } });
      const token = signIn('ada', 's1');
      scene.clock.advance(MINUTE);
      const form = `logout_token=${scene.genauth.logoutToken({ sid: 's1' })}`;
      log.failure = new Error('away');
      const response = await fetch(app.at('backchannel-logout'), {
        method: 'POST',
        body: new URLSearchParams(form),
      });
      expect(response.status).toBe(503);
      expect(response.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(response.headers.get('cache-control')).toBe('no-store');
      expect(await app.statusOf(token)).toBe(401);
      expect(log.appended).toEqual([]);
      log.failure = undefined;
      expect((await post(app, form)).status).toBe(200);
      expect(log.appended.map(({ kind }) => kind)).toEqual(['session', 'message']);
      expect((await post(app, form)).status).toBe(400);
      expect(watch.outcomes).toEqual(['unavailable', 'taken', 'repeated']);
    },
  );

  it('is answered 503 while the keys cannot be fetched, and 200 later', async () => {
    const app = await start();
    const token = signIn('ada', 's1');
    scene.clock.advance(MINUTE);
    const form = `logout_token=${scene.genauth.logoutToken({ sid: 's1', exp: undefined })}`;
    scene.genauth.fault('jwks', 'down');
    const response = await fetch(app.at('backchannel-logout'), {
      method: 'POST',
      body: new URLSearchParams(form),
    });
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '30']);
    scene.genauth.recover();
    scene.clock.advance(30_000);
    expect((await post(app, form)).status).toBe(200);
    expect(await app.statusOf(token)).toBe(401);
  });

  it('is answered 503 when there is no room for it', async () => {
    const app = await start({}, {}, { revocation: { maxEntries: 1 } });
    expect((await logOut(app, { sub: 'ada' })).status).toBe(200);
    expect((await logOut(app, { sub: 'bob' })).status).toBe(503);
  });
});

describe('What was told once', () => {
  it('counts once for all that share the log', async () => {
    const log = new ControlledLog();
    const first = await start({}, {}, { revocation: { log } });
    const second = await start();
    const form = `logout_token=${scene.genauth.logoutToken({ sub: 'ada' })}`;
    expect((await post(first, form)).status).toBe(200);
    const other = new ControlledLog();
    const third = await start({}, {}, { revocation: { log: other } });
    other.deliver(log.appended);
    expect((await post(third, form)).status).toBe(400);
    expect((await post(second, form)).status).toBe(200);
  });

  it('is remembered for no longer than it could be told again', async () => {
    const log = new ControlledLog();
    const app = await start({}, { maxAge: 10_000 }, { revocation: { log } });
    await logOut(app, { sub: 'ada', exp: undefined });
    const [, message] = log.appended;
    const iat = Math.floor(scene.clock.now() / 1_000) * 1_000;
    expect(message?.keepUntilAt).toBe(iat + 10_000 + 5_000);
    expect((await logOut(app, placed({ sub: 'ada', iat: -16, exp: 60 }))).status).toBe(400);
  });

  it('is taken by several at once, and cuts once', async () => {
    const app = await start();
    const form = `logout_token=${scene.genauth.logoutToken({ sub: 'ada' })}`;
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(app, form)));
    expect(answers.every(({ status }) => status === 200 || status === 400)).toBe(true);
    expect(answers.some(({ status }) => status === 200)).toBe(true);
  });
});

describe('Nothing that a logout token says', () => {
  it('is logged, published or answered, taken or refused', async () => {
    const app = await start({ logger: watch.logger });
    const claims = { sub: 'sub-of-ada', sid: 'sid-of-ada', jti: 'jti-of-this', x: 'unknown-claim' };
    const tokens = [claims, { ...claims, nonce: 'n' }, { ...claims, iss: 'https://evil.example' }];
    const answers = [];
    for (const each of tokens) answers.push(await logOut(app, each));
    answers.push(await logOut(app, claims));
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 400, 400]);
    const said = watch.text + answers.map(({ body }) => body).join('');
    expect(watch.news.map(({ source }) => source)).toContain('backchannelLogout');
    for (const secret of ['of-ada', 'jti-of', 'unknown-claim', 'evil', 'eyJ']) {
      expect(said).not.toContain(secret);
    }
  });
});

describe('The module', () => {
  it('is configured later, by a factory, with a path that is known before', async () => {
    const door = BackchannelLogoutModule.forRootAsync({
      path: 'later',
      useFactory: () => ({ maxAge: 1_000 }),
    });
    const app = await startDoorApp(scene.options(), [door], { clock: scene.clock });
    running.push(app);
    const old = placed({ sub: 'ada', iat: -7, exp: 60 });
    expect((await scene.genauth.sendLogoutToken(app.at('later'), old)).status).toBe(400);
    expect((await scene.genauth.sendLogoutToken(app.at('later'), { sub: 'a' })).status).toBe(200);
  });

  it('names every fault in its options, and itself', async () => {
    const wrong = { maxAge: 1, sessionless: 'drop', maxage: 5 } as unknown as object;
    const starting = startDoorApp(scene.options(), [BackchannelLogoutModule.forRoot(wrong)]);
    await expect(starting).rejects.toMatchObject({
      code: 'invalid_options',
      faults: [
        'maxAge must be a whole number from 1000 to 3600000',
        "sessionless must be one of 'revoke', 'keep'",
        expect.stringContaining('maxage'),
      ],
      message: expect.stringContaining('BackchannelLogoutModule'),
    });
  });

  it.each(['', '/', undefined, 7])('refuses the path %j', (path) => {
    const options = { path } as { path: string };
    expect(() => BackchannelLogoutModule.forRoot(options)).toThrow(/path must be a route/);
  });
});
