import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { connect } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';

import { GenAuthModule, TokenService } from '../../src/index.js';
import { type NewsMessage, SecurityEventsModule } from '../../src/doors.js';
import { FakeTransmitter, SigningKeys } from '../../src/testing.js';
import { ControlledLog } from '../harness/controlled-log.js';
import { platforms } from '../harness/guarded-app.js';
import { eventually, type NestApp, startNestApp } from '../harness/nest-app.js';
import { SignalsScene, statusOf } from '../harness/signals-scene.js';

const PATH = '/security-events';
const SET = 'application/secevent+jwt';
const TYPES = FakeTransmitter.eventTypes;

/** What operators learn while something is done. */
async function newsDuring(act: () => Promise<unknown>): Promise<NewsMessage[]> {
  const news: NewsMessage[] = [];
  const note = (message: unknown): void => void news.push(message as NewsMessage);
  subscribe('genauth:news', note);
  try {
    await act();
  } finally {
    unsubscribe('genauth:news', note);
  }
  return news;
}

describe.each(platforms)('A pushed security event token (%s)', (platform) => {
  let scene: SignalsScene;
  let app: NestApp;
  let count = 0;

  beforeAll(async () => {
    scene = await SignalsScene.set();
    app = await scene.start({ platform });
  });
  afterAll(() => scene.close());

  const nextUser = () => `user-${(count += 1)}`;
  const seconds = () => Math.floor(scene.clock.now() / 1_000);
  const push = (set: string, options = {}) => scene.transmitter.push(app.url + PATH, set, options);

  /** A token that is older than what happens next. */
  const olderToken = (sub: string, claims: Record<string, unknown> = {}): string => {
    const { access_token: token } = scene.genauth.signIn({ sub, scope: 'openid', claims });
    scene.clock.advance(5_000);
    return token;
  };

  it.each([
    ['session-revoked', {}],
    ['credential-change', { credential_type: 'password', change_type: 'update' }],
    ['token-claims-change', { claims: { role: 'guest' } }],
    ['account-disabled', { reason: 'hijacking' }],
    ['account-purged', {}],
    ['sessions-revoked', {}],
  ])('refuses every token that its subject had: %s', async (type, payload) => {
    const sub = nextUser();
    const token = olderToken(sub);
    const foreign = olderToken(nextUser());
    expect(await statusOf(app, token)).toBe(200);
    const answer = await push(
      scene.transmitter.set({ [type]: payload }, { subject: scene.user(sub) }),
    );
    expect([answer.status, answer.body]).toEqual([202, '']);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await statusOf(app, token)).toBe(401);
    expect(await statusOf(app, foreign)).toBe(200);
    scene.clock.advance(2_000);
    expect(await statusOf(app, scene.signIn(sub))).toBe(200);
  });

  it.each([
    [
      'a complex subject of a session',
      (sid: string) => ({
        format: 'complex',
        session: { format: 'opaque', id: sid },
        user: { format: 'email', email: 'x' },
      }),
    ],
    ['an opaque subject', (sid: string) => ({ format: 'opaque', id: sid })],
    [
      'a complex subject without a format',
      (sid: string) => ({ session: { format: 'opaque', id: sid } }),
    ],
  ])('refuses the tokens of the session that it names: %s', async (_, subject) => {
    const [sid, sub] = [`sid-${(count += 1)}`, nextUser()];
    const token = olderToken(sub, { sid });
    const other = olderToken(sub, { sid: `${sid}-other` });
    const set = scene.transmitter.set({ 'session-revoked': {} }, { subject: subject(sid) });
    expect((await push(set)).status).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
    expect(await statusOf(app, other)).toBe(200);
  });

  it.each([
    ['revoke', 401],
    ['keep', 200],
  ] as const)('may mean the tokens that name no session: %s', async (sessionless, status) => {
    const strict = await scene.start({ platform, door: { sessionless } });
    const sub = nextUser();
    const nameless = olderToken(sub);
    const other = olderToken(sub, { sid: 'another' });
    const subject = {
      format: 'complex',
      user: scene.user(sub),
      session: { format: 'opaque', id: `sid-${sub}` },
    };
    const set = scene.transmitter.set({ 'session-revoked': {} }, { subject });
    expect((await scene.transmitter.push(strict.url + PATH, set)).status).toBe(202);
    expect(await statusOf(strict, nameless)).toBe(status);
    expect(await statusOf(strict, other)).toBe(200);
    await scene.end(strict);
  });

  it.each([
    [
      'aliases',
      (sub: string) => ({
        format: 'aliases',
        identifiers: [
          { format: 'email', email: 'x@example.com' },
          { format: 'opaque', id: sub },
        ],
      }),
    ],
    [
      'a complex user',
      (sub: string) => ({
        format: 'complex',
        user: { format: 'opaque', id: sub },
        session: { format: 'opaque', id: 's' },
      }),
    ],
    [
      'iss-sub, as it was written before RFC 9493',
      (sub: string) => ({
        subject_type: 'iss-sub',
        iss: scene.genauth.application.issuer,
        sub,
      }),
    ],
  ])('finds its subject by %s', async (_, subject) => {
    const sub = nextUser();
    const token = olderToken(sub);
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject: subject(sub) });
    expect((await push(set)).status).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('may name its subject inside of the event, as was done before SSF 1.0', async () => {
    const sub = nextUser();
    const token = olderToken(sub);
    const set = scene.transmitter.set({ 'account-disabled': { subject: scene.user(sub) } });
    expect((await push(set)).status).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
  });

  type When = [payload: object, claims: Record<string, unknown>];
  it.each([
    ['event_timestamp', (at: number): When => [{ event_timestamp: at }, {}]],
    [
      'event_timestamp in milliseconds',
      (at: number): When => [{ event_timestamp: at * 1_000 + 321 }, {}],
    ],
    ['toe', (at: number): When => [{}, { toe: at }]],
  ] as const)('cuts when it happened and not when it was told: %s', async (_, when) => {
    const sub = nextUser();
    const before = olderToken(sub);
    const at = seconds();
    scene.clock.advance(5_000);
    const after = olderToken(sub);
    const [payload, claims] = when(at);
    const set = scene.transmitter.set(
      { 'account-disabled': payload },
      { subject: scene.user(sub), claims },
    );
    expect((await push(set)).status).toBe(202);
    expect(await statusOf(app, before)).toBe(401);
    expect(await statusOf(app, after)).toBe(200);
  });

  it('changes nothing when it comes again, and is acknowledged', async () => {
    const sub = nextUser();
    const set = scene.transmitter.set({ 'session-revoked': {} }, { subject: scene.user(sub) });
    const events: unknown[] = [];
    const heard = app.tokens.revocations$.subscribe((event) => events.push(event));
    const news = await newsDuring(async () => {
      expect((await push(set)).status).toBe(202);
      scene.clock.advance(3_000);
      expect((await push(set)).status).toBe(202);
    });
    heard.unsubscribe();
    expect(news.map(({ outcome }) => outcome)).toEqual(['taken', 'repeated']);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ kind: 'subject', source: 'securityEvent' });
    expect(await statusOf(app, scene.signIn(sub))).toBe(200);
  });

  it.each([
    [
      'a verification event',
      { verification: { state: 'abc' } },
      { format: 'opaque', id: 'stream' },
      'taken',
    ],
    [
      'a change of the stream',
      { 'stream-updated': { status: 'paused' } },
      { format: 'opaque', id: 's' },
      'taken',
    ],
    [
      'a credential that was added',
      { 'credential-change': { change_type: 'create' } },
      undefined,
      'taken',
    ],
    [
      'an event of an unknown type',
      { 'https://example.com/other': {} },
      undefined,
      'not_understood',
    ],
    [
      'a back-channel logout event',
      { 'http://schemas.openid.net/event/backchannel-logout': {} },
      undefined,
      'not_understood',
    ],
    [
      'an e-mail address',
      { 'account-disabled': {} },
      { format: 'email', email: 'ada@example.com' },
      'not_understood',
    ],
    [
      'a telephone number',
      { 'account-disabled': {} },
      { format: 'phone_number', phone_number: '+1' },
      'not_understood',
    ],
    [
      'an account',
      { 'account-disabled': {} },
      { format: 'account', uri: 'acct:a@example.com' },
      'not_understood',
    ],
    [
      'a DID',
      { 'account-disabled': {} },
      { format: 'did', url: 'did:example:1' },
      'not_understood',
    ],
    [
      'a JWT id',
      { 'account-disabled': {} },
      { format: 'jwt_id', iss: 'x', jti: 'y' },
      'not_understood',
    ],
    [
      'a subject of another issuer',
      { 'account-disabled': {} },
      { format: 'iss_sub', iss: 'https://other.example.com', sub: 'ada' },
      'not_understood',
    ],
    [
      'a subject without its members',
      { 'account-disabled': {} },
      { format: 'iss_sub', iss: 5 },
      'not_understood',
    ],
    [
      'aliases within aliases',
      { 'account-disabled': {} },
      {
        format: 'aliases',
        identifiers: [{ format: 'aliases', identifiers: [{ format: 'opaque', id: 'ada' }] }],
      },
      'not_understood',
    ],
    [
      'a complex subject of a device',
      { 'session-revoked': {} },
      { format: 'complex', device: { format: 'opaque', id: 'ada' } },
      'not_understood',
    ],
    ['no subject at all', { 'account-disabled': {} }, undefined, 'not_understood'],
  ] as const)('is acknowledged and revokes nothing: %s', async (_, events, subject, outcome) => {
    const token = olderToken('ada');
    const set = scene.transmitter.set(events as never, { ...(subject && { subject }) });
    const news = await newsDuring(async () => {
      const answer = await push(set);
      expect([answer.status, answer.body]).toEqual([202, '']);
    });
    expect(news).toMatchObject([{ source: 'securityEvent', outcome }]);
    expect(await statusOf(app, token)).toBe(200);
  });

  it('follows the keys of its transmitter, and a withdrawn key signs nothing more', async () => {
    const { keys } = scene.transmitter;
    const old = keys.current;
    keys.add('ES256');
    scene.clock.advance(31_000);
    const sub = nextUser();
    const token = olderToken(sub);
    const subject = scene.user(sub);
    expect(
      (await push(scene.transmitter.set({ 'account-disabled': {} }, { subject }))).status,
    ).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
    keys.drop(old.kid);
    scene.clock.advance(11 * 60_000);
    const by = { header: { kid: old.kid }, key: old.privateKey };
    // The older keys serve while new ones are fetched.
    await eventually('the withdrawn key is refused', async () => {
      const set = scene.transmitter.set({ verification: {} }, by);
      return (await push(set)).error?.err === 'invalid_key';
    });
  });

  it('keeps to itself what it says, whatever becomes of it', async () => {
    const secret = 'ada-lovelace-secret';
    const seen: unknown[] = [];
    const note = (message: unknown): void => void seen.push(message);
    const names = ['genauth:news', 'genauth:alarm', 'genauth:refusal', 'genauth:revocation'];
    for (const name of names) subscribe(name, note);
    const user = scene.user(secret);
    // Past the pause of the unknown keys before.
    scene.clock.advance(60_000);
    const answers = [
      await push(scene.transmitter.set({ 'account-disabled': {} }, { subject: user })),
      await push(scene.transmitter.set({ [secret]: {} }, { subject: user })),
      await push(scene.transmitter.set({ 'account-disabled': {} }, { claims: { iss: secret } })),
      await push(scene.transmitter.set({ 'account-disabled': {} }, { claims: { aud: secret } })),
      await push(scene.transmitter.set({ 'account-disabled': {} }, { claims: { sub: secret } })),
      await push(scene.transmitter.set({ 'account-disabled': {} }, { header: { kid: secret } })),
    ];
    for (const name of names) unsubscribe(name, note);
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 400, 400, 400, 400]);
    expect(seen.length).toBeGreaterThan(5);
    const said = JSON.stringify([seen, answers.map(({ body, headers }) => [body, [...headers]])]);
    expect(said).not.toContain(secret);
  });
});

describe.each(platforms)('A refused security event token (%s)', (platform) => {
  let scene: SignalsScene;
  let app: NestApp;
  let good: string;
  let dead: string;
  const foreign = new SigningKeys('ES256');

  beforeAll(async () => {
    scene = await SignalsScene.set({ transmitter: { pushAuthorization: 'Bearer s3cret' } });
    app = await scene.start({
      platform,
      door: { authorization: 's3cret', verificationState: 'expected', maxAge: 3_600_000 },
    });
    good = scene.signIn('ada');
    dead = scene.signIn('bob');
    scene.clock.advance(5_000);
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject: scene.user('bob') });
    const taken = await scene.transmitter.push(app.url + PATH, set);
    expect(taken.status).toBe(202);
    scene.clock.advance(5_000);
  });
  afterAll(() => scene.close());

  type Built = Parameters<FakeTransmitter['set']>[1];
  const seconds = (more = 0) => Math.floor(scene.clock.now() / 1_000) + more;
  const set = (options: Built = {}, events: object = { 'account-disabled': {} }) =>
    scene.transmitter.set(events as never, { subject: scene.user('ada'), ...options });
  const claims = (more: Record<string, unknown>) => () => set({ claims: more });
  const header = (more: Record<string, unknown>) => () => set({ header: more });
  const publicKey = () =>
    scene.transmitter.keys.current.publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const payload = (more: object) => ({
    iss: scene.transmitter.issuer,
    aud: scene.transmitter.audience,
    jti: 'j',
    iat: seconds(),
    sub_id: scene.user('ada'),
    events: { [TYPES['account-disabled']]: {} },
    ...more,
  });
  const respelled = () => {
    const text = set();
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const spare = last.charAt(last.indexOf(text.charAt(text.length - 1)) ^ 1);
    return text.slice(0, -1) + spare;
  };
  const withSegment = (place: number, change: (part: string) => string) => () =>
    set()
      .split('.')
      .map((part, at) => (at === place ? change(part) : part))
      .join('.');

  /** The token, and the answer: status and error code, or status alone where the RFC leaves it to HTTP. */
  const cases: [title: string, build: () => string, err: string][] = [
    ['an empty body', () => '', 'invalid_request'],
    ['a word', () => 'hello', 'invalid_request'],
    ['JSON', () => '{"iss":"x"}', 'invalid_request'],
    ['a token with white space around', () => ` ${set()}\n`, 'invalid_request'],
    ['two tokens', () => `${set()}.${set()}`, 'invalid_request'],
    ['a JWE', () => `${set()}.a.b`, 'invalid_request'],
    ['two segments', () => set().split('.').slice(0, 2).join('.'), 'invalid_request'],
    ['padded base64', withSegment(1, (part) => `${part}=`), 'invalid_request'],
    ['a signature that is spelled anew', respelled, 'invalid_request'],
    ['a header that is no JSON', () => set({ rawHeader: 'x' }), 'invalid_request'],
    ['a payload that is no object', () => set({ rawPayload: '[1]' }), 'invalid_request'],
    [
      'a member that comes twice',
      () => set({ rawPayload: JSON.stringify(payload({})).replace('{', '{"iss":"x",') }),
      'invalid_request',
    ],
    [
      'a member of an event that comes twice',
      () => set({ rawPayload: JSON.stringify(payload({})).replace(':{}}', ':{"a":1,"a":2}}') }),
      'invalid_request',
    ],
    ["no 'typ'", header({ typ: undefined }), 'invalid_request'],
    ["the 'typ' of any JWT", header({ typ: 'JWT' }), 'invalid_request'],
    ["the 'typ' of an access token", header({ typ: 'at+jwt' }), 'invalid_request'],
    ["the 'typ' of a logout token", header({ typ: 'logout+jwt' }), 'invalid_request'],
    ["a 'typ' that is no string", header({ typ: ['secevent+jwt'] }), 'invalid_request'],
    ["a 'crit' header", header({ crit: ['b64'], b64: false }), 'invalid_request'],
    ['a compressed payload', header({ zip: 'DEF' }), 'invalid_request'],
    ['a nested token', header({ cty: 'JWT' }), 'invalid_request'],
    ["a 'kid' that is no string", header({ kid: 5 }), 'invalid_request'],
    ['no signature', () => set({ alg: 'none', header: { kid: undefined } }), 'invalid_request'],
    [
      'an algorithm none with a signature',
      () => `${set({ alg: 'none', header: { kid: undefined } })}${set().split('.')[2] ?? ''}`,
      'invalid_key',
    ],
    ['HMAC with the public key', () => set({ alg: 'HS256', key: publicKey() }), 'invalid_key'],
    [
      'an algorithm that is not allowed',
      () => set({ alg: 'EdDSA', key: new SigningKeys('EdDSA').current.privateKey }),
      'invalid_key',
    ],
    ['a key that is not published', header({ kid: 'unknown' }), 'invalid_key'],
    ['a forged signature', () => set({ key: foreign.current.privateKey }), 'invalid_key'],
    [
      'a key that it brings along',
      () =>
        set({
          key: foreign.current.privateKey,
          header: { kid: undefined, jwk: foreign.current.jwk, jku: 'http://127.0.0.1:1/' },
        }),
      'invalid_key',
    ],
    [
      'a changed payload',
      () => {
        const [head, , signature] = set().split('.');
        const [, other] = set().split('.');
        return [head, other, signature].join('.');
      },
      'invalid_key',
    ],
    ['another issuer', claims({ iss: 'https://other.example.com' }), 'invalid_issuer'],
    ["no 'iss'", claims({ iss: undefined }), 'invalid_issuer'],
    [
      "an 'iss' that is a list",
      () => set({ claims: { iss: [scene.transmitter.issuer] } }),
      'invalid_issuer',
    ],
    [
      "an 'iss' that almost fits",
      () => set({ claims: { iss: `${scene.transmitter.issuer}/` } }),
      'invalid_issuer',
    ],
    ['another audience', claims({ aud: 'https://other.example.com' }), 'invalid_audience'],
    ["no 'aud'", claims({ aud: undefined }), 'invalid_audience'],
    ["an empty 'aud'", claims({ aud: [] }), 'invalid_audience'],
    [
      "an 'aud' with what is no string",
      () => set({ claims: { aud: [scene.transmitter.audience, 5] } }),
      'invalid_audience',
    ],
    [
      'more audiences than anyone has',
      () => set({ claims: { aud: Array.from({ length: 65 }, () => scene.transmitter.audience) } }),
      'invalid_audience',
    ],
    ["no 'jti'", claims({ jti: undefined }), 'invalid_request'],
    ["an empty 'jti'", claims({ jti: '' }), 'invalid_request'],
    ["a 'jti' that is a number", claims({ jti: 7 }), 'invalid_request'],
    ["no 'iat'", claims({ iat: undefined }), 'invalid_request'],
    [
      "an 'iat' that is a string",
      () => set({ claims: { iat: String(seconds()) } }),
      'invalid_request',
    ],
    ["an 'iat' in the future", () => set({ claims: { iat: seconds(60) } }), 'invalid_request'],
    ["an 'iat' too long ago", () => set({ claims: { iat: seconds(-3_700) } }), 'invalid_request'],
    ["a negative 'iat'", claims({ iat: -1 }), 'invalid_request'],
    ["an 'exp' that has passed", () => set({ claims: { exp: seconds(-60) } }), 'invalid_request'],
    ["an 'exp' that is a string", () => set({ claims: { exp: '9999999999' } }), 'invalid_request'],
    ["a 'toe' in the future", () => set({ claims: { toe: seconds(60) } }), 'invalid_request'],
    ["a 'sub'", claims({ sub: 'ada' }), 'invalid_request'],
    ["a 'sub_id' that is no object", claims({ sub_id: 'ada' }), 'invalid_request'],
    ["no 'events'", claims({ events: undefined }), 'invalid_request'],
    [
      "'events' that are a list",
      claims({ events: [TYPES['account-disabled']] }),
      'invalid_request',
    ],
    ['no event', () => set({}, {}), 'invalid_request'],
    ['an event that is no object', () => set({}, { 'account-disabled': true }), 'invalid_request'],
    [
      'more events than are about one thing',
      () =>
        set(
          {},
          Object.fromEntries(
            Array.from({ length: 11 }, (_, n) => [`https://example.com/${n}`, {}]),
          ),
        ),
      'invalid_request',
    ],
    [
      'an event in the future',
      () => set({}, { 'account-disabled': { event_timestamp: seconds(60) } }),
      'invalid_request',
    ],
    [
      'an event in the future, in milliseconds',
      () => set({}, { 'account-disabled': { event_timestamp: seconds(60) * 1_000 } }),
      'invalid_request',
    ],
    [
      'an event at a time that is no number',
      () => set({}, { 'account-disabled': { event_timestamp: 'now' } }),
      'invalid_request',
    ],
    [
      'a verification with another state',
      () => set({}, { verification: { state: 'another' } }),
      'invalid_state',
    ],
    ['an access token', () => scene.signIn('ada'), 'invalid_issuer'],
    ['an ID token', () => scene.genauth.signIn({ sub: 'ada' }).id_token, 'invalid_issuer'],
  ];

  it.each(cases)('is answered as RFC 8935 says, and nothing changes: %s', async (_, build, err) => {
    const answer = await scene.transmitter.push(app.url + PATH, build());
    expect({ status: answer.status, err: answer.error?.err }).toEqual({ status: 400, err });
    expect(answer.error?.description).toMatch(/\w/);
    expect(Object.keys(JSON.parse(answer.body) as object)).toEqual(['err', 'description']);
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/);
    expect(answer.headers.get('content-language')).toBe('en');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await statusOf(app, good)).toBe(200);
    expect(await statusOf(app, dead)).toBe(401);
  });

  it.each([
    ['none', null],
    ['another secret', 'Bearer other'],
    ['another scheme', 'Basic s3cret'],
    ['the secret alone', 's3cret'],
    ['a longer secret', 'Bearer s3cret2'],
  ])('did not show what was agreed: %s', async (_, authorization) => {
    const answer = await scene.transmitter.push(app.url + PATH, set(), { authorization });
    expect([answer.status, answer.error?.err]).toEqual([400, 'authentication_failed']);
    expect(await statusOf(app, good)).toBe(200);
  });

  it.each([
    ['text/plain', 415],
    ['application/jwt', 415],
    ['application/octet-stream', 415],
    ['application/x-www-form-urlencoded', 415],
    [null, 415],
    // What JSON parsers take for themselves never comes here.
    ['application/json', 400],
  ])('is not told to be one: %s', async (contentType, status) => {
    const answer = await scene.transmitter.push(app.url + PATH, set(), { contentType });
    expect(answer.status).toBe(status);
    expect(answer.error).toBeUndefined();
    expect(await statusOf(app, good)).toBe(200);
  });

  it.each(['GET', 'PUT', 'DELETE', 'PATCH'])('comes by another method: %s', async (method) => {
    const answer = await scene.transmitter.push(app.url + PATH, set(), { method });
    expect(answer.status).toBe(404);
    expect(await statusOf(app, good)).toBe(200);
  });

  it.each([16 * 1024 + 1, 200_000, 3_000_000])(
    'is too long, and not read to its end: %i',
    async (length) => {
      const answer = await scene.transmitter.push(app.url + PATH, 'a'.repeat(length));
      expect(answer.status).toBe(413);
      expect(await statusOf(app, good)).toBe(200);
    },
  );

  it('breaks off in the middle, which is not answered and harms nobody', async () => {
    const { hostname, port } = new URL(app.url);
    const news = await newsDuring(async () => {
      const before = scene.transmitter.count('jwks');
      const socket = connect(Number(port), hostname);
      const head = [
        `POST ${PATH} HTTP/1.1`,
        'Host: x',
        `Content-Type: ${SET}`,
        'Content-Length: 900',
      ];
      await new Promise<void>((resolve) => {
        socket.write(`${head.join('\r\n')}\r\n\r\n${set().slice(0, 100)}`, () => resolve());
      });
      expect(await statusOf(app, good)).toBe(200);
      socket.destroy();
      expect(await statusOf(app, good)).toBe(200);
      expect(scene.transmitter.count('jwks')).toBe(before);
    });
    expect(news.map(({ outcome }) => outcome)).not.toContain('taken');
  });

  it('is never taken for an access token, whoever signs it', async () => {
    const { current } = scene.genauth.application.keys;
    const { appId, issuer } = scene.genauth.application;
    const both = { iss: issuer, aud: appId, sub: 'ada', scope: 'openid', exp: seconds(600) };
    const built = set({ claims: both, key: current.privateKey, header: { kid: current.kid } });
    expect(await statusOf(app, built)).toBe(401);
    expect(await statusOf(app, set())).toBe(401);
  });
});

describe.each(platforms)('The route for security event tokens (%s)', (platform) => {
  it.each([
    ['under a global prefix', { prefix: 'api' }, {}, '/api/security-events', '/api/me'],
    ['at a path of its own', {}, { path: 'hooks/signals' }, '/hooks/signals', '/me'],
  ])('stands %s', async (_, how, extras, path, me) => {
    const scene = await SignalsScene.set();
    const app = await scene.start({ platform, ...how, extras });
    const token = scene.signIn('ada');
    scene.clock.advance(5_000);
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject: scene.user('ada') });
    expect(await statusOf(app, token, me)).toBe(200);
    expect((await scene.transmitter.push(app.url + path, set)).status).toBe(202);
    expect(await statusOf(app, token, me)).toBe(401);
    await scene.close();
  });

  it('is not there when SETs are only polled, or the door is not imported', async () => {
    const scene = await SignalsScene.set();
    const polling = await scene.start({ platform, extras: { path: false } });
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject: scene.user('ada') });
    const answer = await scene.transmitter.push(polling.url + PATH, set);
    expect(answer.status).toBe(404);
    await scene.close();
  });

  it('takes a body that the application has read already, and any spelling of its type', async () => {
    const scene = await SignalsScene.set();
    const app = await scene.start({
      platform,
      prepare: (nest) => {
        if (platform === 'express') {
          (nest as NestExpressApplication).useBodyParser('text', { type: SET });
        } else (nest as NestFastifyApplication).useBodyParser(SET);
      },
    });
    const token = scene.signIn('ada');
    scene.clock.advance(5_000);
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject: scene.user('ada') });
    const contentType = 'Application/SecEvent+JWT; charset=utf-8';
    const answer = await scene.transmitter.push(app.url + PATH, set, { contentType });
    expect(answer.status).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
    await scene.close();
  });

  it.each([
    ['the log', 'log'],
    ['the keys of the transmitter', 'keys'],
    ["the application's mapSubject", 'mapSubject'],
    ["the application's mapSubject in time", 'late'],
  ])('answers 503 while %s cannot be reached, and the next attempt succeeds', async (_, what) => {
    const scene = await SignalsScene.set();
    const log = new ControlledLog();
    let isDown = false;
    const mapSubject = () => {
      if (isDown && what === 'late') return new Promise<undefined>(() => {});
      if (isDown) throw new Error('ada@example.com is not reachable');
      return Promise.resolve('ada');
    };
    const app = await scene.start({
      platform,
      module: {
        revocation: { log },
        keys: { cooldown: 1_000 },
        ...(what === 'late' && { timeout: 1_000 }),
      },
      door: { mapSubject },
    });
    const token = scene.signIn('ada');
    scene.clock.advance(5_000);
    const subject = { format: 'email', email: 'ada@example.com' };
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject });
    if (what === 'log') log.failure = new Error('away');
    else if (what === 'keys') scene.transmitter.fault('jwks', { status: 500 });
    else isDown = true;
    const news = await newsDuring(async () => {
      const answer = await scene.transmitter.push(app.url + PATH, set);
      expect(answer.status).toBe(503);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(answer.body).not.toContain('ada');
    });
    expect(news.map(({ outcome }) => outcome)).toEqual(['unavailable']);
    expect(JSON.stringify(news)).not.toContain('ada');
    // The denial here comes first, and stays.
    expect(await statusOf(app, token)).toBe(what === 'log' ? 401 : 200);
    expect(log.appended).toHaveLength(0);
    log.failure = undefined;
    scene.transmitter.recover();
    isDown = false;
    scene.clock.advance(2_000);
    expect((await scene.transmitter.push(app.url + PATH, set)).status).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
    expect(log.appended.map(({ kind }) => kind)).toEqual(['subject', 'message']);
    await scene.close();
  });
});

describe('What the log is told of a security event', () => {
  it('has whole instants, whatever fractions the SET has, and is bounded', async () => {
    const scene = await SignalsScene.set();
    const log = new ControlledLog();
    const app = await scene.start({ module: { revocation: { log } } });
    const at = scene.clock.now() / 1_000 - 7.123_456_7;
    const identifiers = Array.from({ length: 100 }, (_, n) => ({ format: 'opaque', id: `u${n}` }));
    const set = scene.transmitter.set(
      { 'account-disabled': { event_timestamp: at - 1.5 } },
      { subject: { format: 'aliases', identifiers }, claims: { iat: at } },
    );
    expect((await scene.transmitter.push(app.url + PATH, set)).status).toBe(202);
    expect(log.appended).toHaveLength(17);
    const instants = log.appended.flatMap((fact) =>
      Object.values(fact).filter((value) => typeof value === 'number'),
    );
    expect(instants.length).toBeGreaterThan(17);
    expect(instants.filter((instant) => !Number.isInteger(instant))).toEqual([]);
    const happenedAt = Math.floor(at - 1.5) * 1_000;
    expect(log.appended[0]).toMatchObject({ refusedThroughAt: happenedAt - 1_000 });
    await scene.close();
  });
});

describe('The options of a transmitter', () => {
  it('let the application name subjects, and map events', async () => {
    const scene = await SignalsScene.set();
    const app = await scene.start({
      door: {
        mapSubject: ({ email }) => (email === 'ada@example.com' ? 'ada' : undefined),
        map: (type) =>
          type === 'https://example.com/fired'
            ? 'subject'
            : type.endsWith('/token-claims-change')
              ? 'nothing'
              : undefined,
      },
    });
    const token = scene.signIn('ada');
    scene.clock.advance(5_000);
    const subject = { format: 'email', email: 'ada@example.com' };
    const push = (events: object) =>
      scene.transmitter.push(app.url + PATH, scene.transmitter.set(events as never, { subject }));
    expect((await push({ 'token-claims-change': { claims: {} } })).status).toBe(202);
    expect(await statusOf(app, token)).toBe(200);
    expect((await push({ 'https://example.com/fired': {} })).status).toBe(202);
    expect(await statusOf(app, token)).toBe(401);
    await scene.close();
  });

  it.each([
    ['a promise', () => Promise.resolve('nothing')],
    ['a promise that fails', () => Promise.reject(new Error('never'))],
    ['a word of its own', () => 'everything'],
  ])('let a SET come again while map gives %s', async (_, map) => {
    const scene = await SignalsScene.set();
    const app = await scene.start({ door: { map: map as never } });
    const token = scene.signIn('ada');
    scene.clock.advance(5_000);
    const set = scene.transmitter.set({ 'account-disabled': {} }, { subject: scene.user('ada') });
    expect((await scene.transmitter.push(app.url + PATH, set)).status).toBe(503);
    expect(await statusOf(app, token)).toBe(200);
    await scene.close();
  });

  it('say which applications it may speak of, and what else it calls them', async () => {
    const scene = await SignalsScene.set({
      genauth: { applications: [{ alg: 'ES256' }, { alg: 'ES256' }] },
    });
    const [first, second] = scene.genauth.applications;
    if (!first || !second) throw new Error('two applications are wanted');
    const applications = [first, second].map((one) => ({
      ...one.options(),
      algorithms: ['ES256' as const],
    }));
    const app = await scene.start({
      module: { applications },
      door: { appId: second.appId, subjectIssuer: 'https://directory.example.com' },
    });
    const signIn = (appId: string, sub: string) =>
      scene.genauth.signIn({ appId, sub, scope: 'openid' }).access_token;
    const push = async (subject: Record<string, unknown>) => {
      scene.clock.advance(5_000);
      const set = scene.transmitter.set({ 'account-disabled': {} }, { subject });
      expect((await scene.transmitter.push(app.url + PATH, set)).status).toBe(202);
    };
    const tokens = ['ada', 'bob'].map((sub) => [
      signIn(first.appId, sub),
      signIn(second.appId, sub),
    ]);
    const statuses = () => Promise.all(tokens.flat().map((token) => statusOf(app, token)));
    await push({ format: 'iss_sub', iss: first.issuer, sub: 'ada' });
    expect(await statuses()).toEqual([200, 200, 200, 200]);
    await push({ format: 'opaque', id: 'ada' });
    expect(await statuses()).toEqual([200, 401, 200, 200]);
    await push({ format: 'iss_sub', iss: 'https://directory.example.com', sub: 'bob' });
    expect(await statuses()).toEqual([200, 401, 200, 401]);
    await scene.close();
  });

  it('name several transmitters, each with its own keys', async () => {
    const scene = await SignalsScene.set();
    const other = await FakeTransmitter.start({ clock: scene.clock });
    const app = await scene.start({
      door: { transmitters: [scene.transmitter.options(), other.options()] },
    });
    const push = (set: string) => other.push(app.url + PATH, set);
    const events = { 'account-disabled': {} };
    const subject = scene.user('ada');
    expect((await push(other.set(events, { subject }))).status).toBe(202);
    expect((await push(scene.transmitter.set(events, { subject }))).status).toBe(202);
    const { issuer } = scene.transmitter;
    const forged = await push(other.set(events, { subject, claims: { iss: issuer } }));
    expect([forged.status, forged.error?.err]).toEqual([400, 'invalid_key']);
    await other.stop();
    await scene.close();
  });

  it('can be made later, and the module can be local', async () => {
    const scene = await SignalsScene.set();
    const local = GenAuthModule.forRoot({
      ...scene.genauth.application.options(),
      algorithms: ['ES256'],
      isGlobal: false,
    } as Parameters<typeof GenAuthModule.forRoot>[0]);
    const app = await startNestApp({
      imports: [
        local,
        SecurityEventsModule.forRootAsync({
          imports: [local],
          useFactory: async () => Promise.resolve(scene.transmitter.options()),
          path: 'signals',
        }),
      ],
    });
    expect(app.app.get(TokenService)).toBeDefined();
    const real = await FakeTransmitter.start();
    const answer = await real.push(`${app.url}/signals`, real.set({ verification: {} }));
    expect([answer.status, answer.error?.err]).toEqual([400, 'invalid_issuer']);
    await Promise.all([app.close(), real.stop(), scene.close()]);
  });
});
