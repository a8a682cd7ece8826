import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { NestExpressApplication } from '@nestjs/platform-express';

import {
  type EventCut,
  type GenAuthWebhookOptions,
  GenAuthWebhookModule,
} from '../../src/doors.js';
import type { GenAuthModuleOptions, RevocationEvent } from '../../src/index.js';
import type { Delivery, WebhookOptions } from '../../src/testing.js';
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
const SECRET = 'a-secret-of-32-characters-or-so.';
const OLD_SECRET = 'the-secret-before-that-one-here.';

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
  door: Partial<GenAuthWebhookOptions> = {},
  module: Partial<GenAuthModuleOptions> = {},
): Promise<DoorApp> {
  const doors = [GenAuthWebhookModule.forRoot({ secret: SECRET, ...door })];
  const app = await startDoorApp(scene.options(module), doors, { clock: scene.clock, ...how });
  running.push(app);
  scene.clock.advance(MINUTE);
  return app;
}

const signIn = (sub: string, claims: Record<string, unknown> = {}): string =>
  scene.genauth.signIn({ sub, scope: 'openid', claims }).access_token;

const send = (
  app: DoorApp,
  event: string | null,
  data: unknown,
  options: WebhookOptions = {},
): Promise<Delivery> =>
  scene.genauth.sendWebhook(app.at('hooks/genauth'), event, data, { secret: SECRET, ...options });

const post = (app: DoorApp, body: string, type: string, more: Record<string, string> = {}) =>
  fetch(app.at('hooks/genauth'), {
    method: 'POST',
    body,
    headers: { 'content-type': type, 'x-authing-token': SECRET, ...more },
  }).then(async (response) => ({ status: response.status, body: await response.text() }));

const statuses = (app: DoorApp, ...tokens: readonly string[]) =>
  Promise.all(tokens.map(app.statusOf));

describe.each(surroundings)('A webhook on %j', (how) => {
  it('that kicks users ends what they had, and nothing of others', async () => {
    const app = await start(how);
    const tokens = ['ada', 'bob', 'eve'].map((sub) => signIn(sub));
    expect(await app.statusOf(tokens[0]!)).toBe(200);
    scene.clock.advance(MINUTE);
    const answer = await send(app, 'kick', { users: [{ id: 'ada' }, 'bob'] });
    expect([answer.status, answer.body]).toEqual([200, '']);
    expect(await statuses(app, ...tokens)).toEqual([401, 401, 200]);
    expect(watch.outcomes).toEqual(['taken']);
    scene.clock.advance(10_000);
    expect(await app.statusOf(signIn('ada'))).toBe(200);
  });

  it.each(['json', 'form-json', 'form-brackets'] as const)('is read as %s', async (encoding) => {
    const app = await start(how);
    const tokens = ['ada', 'bob', 'eve', 'dan'].map((sub) => signIn(sub));
    scene.clock.advance(MINUTE);
    const users = [
      { id: 'ada', name: '{Ada' },
      { userId: 'bob', tags: ['[x', { a: 1 }] },
    ];
    const kick = await send(app, 'kick', { users }, { encoding });
    expect(kick.status).toBe(200);
    const user = { id: 'eve', status: 'Activated', blocked: true };
    expect((await send(app, 'user:updated', { user }, { encoding })).status).toBe(200);
    expect(await statuses(app, ...tokens)).toEqual([401, 401, 401, 200]);
  });

  it('is read as a form that lists users without indices, as ids or as JSON', async () => {
    const app = await start(how);
    const tokens = ['ada', 'bob', 'eve', 'dan'].map((sub) => signIn(sub));
    scene.clock.advance(MINUTE);
    const form = (...fields: string[]) =>
      post(app, ['eventName=kick', ...fields].join('&'), 'application/x-www-form-urlencoded');
    await form('data[users][]=ada', 'data[users][]={"id":"bob"}');
    await form(`data=${encodeURIComponent('{"users":["eve"]}')}`);
    expect(watch.outcomes).toEqual(['taken', 'taken']);
    expect(await statuses(app, ...tokens)).toEqual([401, 401, 401, 200]);
  });

  it('without the secret is answered 401, and changes nothing', async () => {
    const app = await start(how);
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    const wrong = `${SECRET.slice(0, -1)}?`;
    const answers = [
      await send(app, 'kick', { users: ['ada'] }, { secret: wrong }),
      await send(app, 'kick', { users: ['ada'] }, { header: 'x-another-header' }),
      await send(app, 'kick', { users: ['ada'] }, { secret: '' }),
    ];
    const body = JSON.stringify({ message: 'Unauthorized', statusCode: 401 });
    for (const answer of answers) expect([answer.status, answer.body]).toEqual([401, body]);
    expect(await app.statusOf(token)).toBe(200);
    expect(watch.outcomes).toEqual(['refused', 'refused', 'refused']);
  });
});

describe('The secret', () => {
  it.each([
    'x-authing-webhook-secret',
    'x-authing-token',
    'x-genauth-webhook-secret',
    'X-GenAuth-Token',
  ])('may come in %s', async (header) => {
    const app = await start();
    expect((await send(app, 'test', { description: 'x' }, { header })).status).toBe(200);
  });

  it('may be one of several while one replaces another', async () => {
    const app = await start({}, { secret: [SECRET, OLD_SECRET] });
    const sent = [SECRET, OLD_SECRET, `${OLD_SECRET}x`].map((secret) =>
      send(app, 'test', {}, { secret }),
    );
    expect((await Promise.all(sent)).map(({ status }) => status)).toEqual([200, 200, 401]);
  });

  it('comes in the headers that are configured, and in no other', async () => {
    const app = await start({}, { headers: ['X-Own-Secret'] });
    expect((await send(app, 'test', {}, { header: 'x-own-secret' })).status).toBe(200);
    expect((await send(app, 'test', {})).status).toBe(401);
  });

  it('counts when another header holds something else', async () => {
    const app = await start();
    const headers = { 'x-authing-token': 'something-else' };
    expect((await send(app, 'test', {}, { headers })).status).toBe(200);
  });

  it('is not guessed by sending it twice, or more of it', async () => {
    const app = await start();
    for (const secret of [`${SECRET}, ${SECRET}`, `${SECRET}${SECRET}`, SECRET.toUpperCase()]) {
      expect((await send(app, 'test', {}, { secret })).status).toBe(401);
    }
  });
});

const ENDS: readonly (readonly [event: string, data: unknown])[] = [
  ['kick', { users: ['ada'] }],
  ['kick', { users: [{ id: 'ada', password: 'x', salt: 'y' }] }],
  ['kick', { users: [{ userId: 'ada' }] }],
  ['kick', { user: { id: 'ada' } }],
  ['kick', { userId: 'ada' }],
  ['kick', { userIds: ['ada'] }],
  ['kick', { users: ['ada', 'ada', { id: 'ada' }], application: null }],
  ['kick', { users: ['ada'], application: { name: 'no id' } }],
  ['user:deleted', { users: [{ id: 'ada' }] }],
  ['user:deleted', ['ada']],
  ['user:deleted', { users: 'ada' }],
  ['user:blocked', { user: { id: 'ada' } }],
  ['user:blocked', { id: 'ada', blocked: true }],
  ['user:archived', { user: { id: 'ada' } }],
  ['user:updated', { user: { id: 'ada', status: 'Suspended' }, updates: {} }],
  ['user:updated', { user: { id: 'ada', status: 'Resigned' } }],
  ['user:updated', { user: { id: 'ada', status: 'Activated', blocked: true } }],
  ['user:updated', { user: { id: 'ada', isDeleted: true } }],
  ['user:updated', { user: { id: 'ada', status: 'Activated' }, updates: { status: 'Archived' } }],
  ['user:updated', { id: 'ada', status: 'Deactivated' }],
  ['user:updated', [{ id: 'ada', status: 'Suspended' }]],
  [
    'user:updated',
    {
      users: [
        { id: 'ada', blocked: true },
        { id: 'bob', status: 'Activated' },
      ],
    },
  ],
  ['user:password-changed', { userId: 'ada' }],
  ['user:password-changed', { user: { id: 'ada' } }],
];

const CHANGES_NOTHING: readonly (readonly [event: string | null, data: unknown])[] = [
  ['kick', { users: [] }],
  ['kick', { users: ['ada'], application: { id: 'another-application' } }],
  ['user:updated', { user: { id: 'ada', status: 'Activated', blocked: false }, updates: {} }],
  ['user:updated', { user: { id: 'ada', nickname: 'Suspended' } }],
  ['user:updated', { user: { id: 'ada', blocked: 'false', isDeleted: 0 } }],
  ['user:updated', 'no object'],
  ['user:updated', { users: ['ada', { id: 'ada', status: 'Activated' }] }],
  ['user:unblocked', { user: { id: 'ada' } }],
  ['user:unarchived', { user: { id: 'ada' } }],
  ['login', { user: { id: 'ada' } }],
  ['refresh-token', { user: { id: 'ada' }, currRefreshToken: 'x' }],
  ['permission:revoke', { targetType: 'USER', targetIdentifiers: ['ada'] }],
  ['role:unassigned', { userIds: ['ada'] }],
  ['application:deleted', { id: 'ada' }],
  ['constructor', { users: ['ada'] }],
  ['KICK', { users: ['ada'] }],
  ['test', { description: 'a test' }],
  ['never-heard-of', undefined],
  [null, { description: 'a test' }],
  [null, { id: 'ada', status: 'Suspended', token: 'x' }],
  [null, { users: ['ada'] }],
];

describe('An event', () => {
  it.each(ENDS)('%s with %j ends what ada had, and nothing of bob', async (event, data) => {
    const app = await start();
    const tokens = [signIn('ada'), signIn('bob')];
    scene.clock.advance(MINUTE);
    const reasons: (string | undefined)[] = [];
    app.tokens.revocations$.subscribe(({ reason }: RevocationEvent) => reasons.push(reason));
    expect((await send(app, event, data)).status).toBe(200);
    expect(await statuses(app, ...tokens)).toEqual([401, 200]);
    expect(new Set(reasons)).toEqual(new Set([event]));
    expect(watch.outcomes).toEqual(['taken']);
  });

  it.each(CHANGES_NOTHING)('%s with %j is taken, and changes nothing', async (event, data) => {
    const app = await start();
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    expect((await send(app, event, data)).status).toBe(200);
    expect(await app.statusOf(token)).toBe(200);
    expect(watch.outcomes).toEqual(['taken']);
  });

  it.each(['application', 'audience'])('that kicks from one %s spares others', async (named) => {
    const app = await start({}, {}, { audience: ['web', 'cli'] });
    const { appId } = scene.genauth.application;
    const [web, cli] = ['web', 'cli'].map((client_id) => signIn('ada', { aud: 'web', client_id }));
    const own = signIn('ada', { aud: 'web', client_id: appId });
    const bob = signIn('bob', { aud: 'web', client_id: appId });
    scene.clock.advance(MINUTE);
    const id = named === 'application' ? appId : 'web';
    await send(app, 'kick', { users: ['ada'], application: { id } });
    const ended = named === 'application' ? [200, 200, 401, 200] : [401, 200, 200, 200];
    expect(await statuses(app, web!, cli!, own, bob)).toEqual(ended);
  });

  it('leaves tokens alone after a new password with passwordChanged: false', async () => {
    const app = await start({}, { passwordChanged: false });
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    expect((await send(app, 'user:password-changed', { userId: 'ada' })).status).toBe(200);
    expect(await app.statusOf(token)).toBe(200);
  });

  it('reaches the user in every application', async () => {
    await scene.close();
    scene = await Scene.set({ applications: [{ alg: 'ES256' }, { alg: 'ES256' }] });
    const applications = scene.genauth.applications.map((one) => ({
      ...one.options(),
      algorithms: ['ES256' as const],
    }));
    const app = await start({}, {}, { applications });
    const tokens = applications.map(
      ({ appId }) => scene.genauth.signIn({ sub: 'ada', appId }).access_token,
    );
    scene.clock.advance(MINUTE);
    const [, second] = applications;
    await send(app, 'kick', { users: ['ada'], application: { id: second!.appId } });
    expect(await statuses(app, ...tokens)).toEqual([200, 401]);
    await send(app, 'kick', { users: ['ada'] });
    expect(await statuses(app, ...tokens)).toEqual([401, 401]);
  });

  it('does the same when it comes twice', async () => {
    const app = await start();
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    expect((await send(app, 'kick', { users: ['ada'] }, { times: 3 })).status).toBe(200);
    expect(await app.statusOf(token)).toBe(401);
    expect(watch.outcomes).toEqual(['taken', 'taken', 'taken']);
  });
});

type Refused = (app: DoorApp) => Promise<{ readonly status: number }>;
const event = (name: string | null, data: unknown, options?: WebhookOptions): Refused => {
  return (app) => send(app, name, data, options);
};
const kick = JSON.stringify({ eventName: 'kick', data: { users: ['ada'] } });
const users = (many: number) => Array.from({ length: many }, (_, place) => `u${place}`);

const REFUSED: readonly (readonly [what: string, status: number, send: Refused])[] = [
  [
    'without a secret',
    401,
    (app) => post(app, kick, 'application/json', { 'x-authing-token': '' }),
  ],
  ['with half a secret', 401, event('kick', { users: ['ada'] }, { secret: SECRET.slice(0, 16) })],
  [
    'with the digest of the secret',
    401,
    event('kick', { users: ['ada'] }, { secret: 'f'.repeat(64) }),
  ],
  ['with the secret in the query', 401, secretInQuery],
  [
    'with the secret as a bearer token',
    401,
    event('kick', { users: ['ada'] }, { secret: `Bearer ${SECRET}` }),
  ],
  ['that kicks nobody', 400, event('kick', undefined)],
  ['that kicks null', 400, event('kick', { users: [null] })],
  ['that kicks a user without an id', 400, event('kick', { users: ['ada', { name: 'Ada' }] })],
  ['that kicks a user whose id is a number', 400, event('kick', { users: [{ id: 7 }, 'ada'] })],
  ['that kicks a user whose id is empty', 400, event('kick', { users: ['ada', ''] })],
  ['that kicks an empty object', 400, event('kick', { users: {} })],
  ['that blocks nobody', 400, event('user:blocked', {})],
  ['that deletes a text', 400, event('user:deleted', 'ada')],
  [
    'that updates nobody to a state without access',
    400,
    event('user:updated', { user: { status: 'Archived' } }),
  ],
  ['that changes the password of nobody', 400, event('user:password-changed', {})],
  [
    'whose name is a number',
    400,
    (app) => post(app, '{"eventName":7,"data":{}}', 'application/json'),
  ],
  ['whose name is empty', 400, event('', { users: ['ada'] })],
  ['whose name is null', 400, (app) => post(app, '{"eventName":null}', 'application/json')],
  ['that is a list', 400, (app) => post(app, `[${kick}]`, 'application/json')],
  ['that is not JSON', 400, (app) => post(app, kick.slice(1), 'application/json')],
  ['that is empty', 400, (app) => post(app, '', 'application/json')],
  [
    'named twice in a form',
    400,
    (app) =>
      post(
        app,
        'eventName=kick&eventName=kick&data[users][0]=ada',
        'application/x-www-form-urlencoded',
      ),
  ],
  [
    'in a form that says two things of data',
    400,
    (app) =>
      post(
        app,
        'eventName=kick&data=x&data[users][0][id][x]=ada',
        'application/x-www-form-urlencoded',
      ),
  ],
  ['of another content type', 415, (app) => post(app, kick, 'text/plain')],
  ['of too many users', 413, event('kick', { users: users(1_001) })],
];

async function secretInQuery(app: DoorApp) {
  const url = `${app.at('hooks/genauth')}?x-authing-token=${SECRET}`;
  const headers = { 'content-type': 'application/json' };
  return fetch(url, { method: 'POST', body: kick, headers });
}

describe.each(platforms)('On %s, an event', (platform) => {
  it.each(REFUSED)('%s is refused with %i, and changes nothing', async (_, status, send) => {
    const app = await start({ platform });
    const [accepted, revoked] = [signIn('ada'), signIn('bob')];
    scene.clock.advance(MINUTE);
    await app.tokens.revokeSubject('bob');
    expect(await statuses(app, accepted, revoked)).toEqual([200, 401]);
    expect((await send(app)).status).toBe(status);
    expect(await statuses(app, accepted, revoked)).toEqual([200, 401]);
    expect(watch.outcomes).not.toContain('taken');
  });

  it.each(['GET', 'PUT', 'DELETE'])('is not taken by %s', async (method) => {
    const app = await start({ platform });
    const headers = { 'x-authing-token': SECRET };
    expect((await fetch(app.at('hooks/genauth'), { method, headers })).status).toBe(404);
  });

  it('names as many users as it may, and all of them are cut', async () => {
    const app = await start({ platform });
    const tokens = [signIn('u0'), signIn('u999')];
    scene.clock.advance(MINUTE);
    expect((await send(app, 'kick', { users: users(1_000) })).status).toBe(200);
    expect(await statuses(app, ...tokens)).toEqual([401, 401]);
  });

  it('larger than maxBody is refused, also without a declared length', async () => {
    const app = await start({ platform }, { maxBody: 1_024 });
    const data = { users: [{ id: 'ada', tree: 'x'.repeat(1_024) }] };
    expect((await send(app, 'kick', data)).status).toBe(413);
    const body = new Blob([JSON.stringify({ eventName: 'kick', data })]).stream();
    const headers = { 'content-type': 'application/json', 'x-authing-token': SECRET };
    const init = { method: 'POST', body, headers, duplex: 'half' } as RequestInit;
    expect((await fetch(app.at('hooks/genauth'), init)).status).toBe(413);
    expect((await send(app, 'kick', { users: ['ada'] })).status).toBe(200);
  });

  it('nested without measure is refused, without a declared length too', async () => {
    const app = await start({ platform });
    const deep = `{"eventName":"kick","data":${'['.repeat(40_000)}${']'.repeat(40_000)}}`;
    const headers = { 'content-type': 'application/json', 'x-authing-token': SECRET };
    const init = { method: 'POST', body: new Blob([deep]).stream(), headers, duplex: 'half' };
    expect((await fetch(app.at('hooks/genauth'), init as RequestInit)).status).toBe(413);
    expect((await post(app, deep, 'application/json')).status).toBe(400);
  });

  it('changes no prototype', async () => {
    const app = await start({ platform });
    const form =
      'eventName=kick&data[__proto__][polluted]=1&__proto__[polluted]=1&data[users][0]=ada';
    expect((await post(app, form, 'application/x-www-form-urlencoded')).status).toBe(200);
    await post(
      app,
      '{"eventName":"kick","__proto__":{"polluted":1},"data":{"users":["x"]}}',
      'application/json',
    );
    expect('polluted' in {}).toBe(false);
  });
});

describe('A large event', () => {
  it('needs a body parser that takes it on Express, and gets one with useBodyParser', async () => {
    const data = { users: ['ada'], tree: 'x'.repeat(200_000) };
    const small = await start();
    expect((await send(small, 'kick', data)).status).toBe(413);
    const prepare = (app: unknown) =>
      void (app as NestExpressApplication).useBodyParser('json', { limit: '1mb' });
    const roomy = await start({ prepare });
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    expect((await send(roomy, 'kick', data)).status).toBe(200);
    expect(await roomy.statusOf(token)).toBe(401);
  });
});

describe('The function map', () => {
  it('adds events, and replaces what the library thinks of others', async () => {
    const seen: unknown[] = [];
    const app = await start(
      {},
      {
        map: ({ name, data }) => {
          seen.push([name, data]);
          if (name === 'kick') return [];
          if (name === 'role:unassigned') {
            return (data as { userIds: string[] }).userIds.map((subject) => ({ subject }));
          }
          return undefined;
        },
      },
    );
    const tokens = ['ada', 'bob', 'eve'].map((sub) => signIn(sub));
    scene.clock.advance(MINUTE);
    await send(app, 'kick', { users: ['ada'] });
    await send(app, 'role:unassigned', { userIds: ['bob'] });
    await send(app, 'user:blocked', { user: { id: 'eve' } });
    await send(app, null, { description: 'a test' });
    expect(await statuses(app, ...tokens)).toEqual([200, 401, 401]);
    expect(seen).toHaveLength(3);
  });

  it.each<[string, () => EventCut[], number[]]>([
    ['a subject', () => [{ subject: 'ada' }], [401, 401, 200]],
    ['a session', () => [{ session: 's1' }], [401, 200, 200]],
    ['a client', () => [{ client: 'cli' }], [401, 200, 401]],
    ['a subject at a client', () => [{ subject: 'ada', client: 'cli' }], [401, 200, 200]],
    ['the application', () => [{ subject: 'ada', appId: appId() }], [401, 401, 200]],
    ['two', () => [{ subject: 'eve' }, { session: 's1' }], [401, 200, 401]],
  ])('may end %s', async (_, cuts, expected) => {
    const app = await start({}, { map: () => Promise.resolve(cuts()) });
    const tokens = [
      signIn('ada', { sid: 's1', client_id: 'cli' }),
      signIn('ada', { sid: 's2', client_id: 'web' }),
      signIn('eve', { sid: 's3', client_id: 'cli' }),
    ];
    scene.clock.advance(MINUTE);
    expect((await send(app, 'own', {})).status).toBe(200);
    expect(await statuses(app, ...tokens)).toEqual(expected);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error(`payload of ada ${SECRET}`);
      },
    ],
    ['rejects', () => Promise.reject(new Error('payload of ada'))],
    ['returns no list', () => ({ subject: 'ada' })],
    ['returns null', () => null],
    ['returns true', () => true],
    ['returns an id', () => ['ada']],
    ['returns a cut of nothing', () => [{}]],
    ['returns an unknown member', () => [{ subject: 'ada', sid: 's1' }]],
    ['returns an empty subject', () => [{ subject: '' }]],
    ['returns a subject that is no string', () => [{ subject: 7 }]],
    ['returns a session of a subject', () => [{ session: 's1', subject: 'ada' }]],
    ['returns an unknown application', () => [{ subject: 'ada', appId: 'another' }]],
    ['returns too many', () => users(1_001).map((subject) => ({ subject }))],
    ['returns a good and a bad one', () => [{ subject: 'ada' }, { subject: null }]],
  ])('that %s makes 500, cuts nobody, and the operator learns no more', async (_, map) => {
    const door = { map: map as NonNullable<GenAuthWebhookOptions['map']> };
    const app = await start({ logger: watch.logger }, door);
    const token = signIn('ada');
    scene.clock.advance(MINUTE);
    const answer = await send(app, 'kick', { users: ['ada'] });
    expect(answer.status).toBe(500);
    expect(await app.statusOf(token)).toBe(200);
    expect(watch.outcomes).toEqual(['unavailable']);
    expect(watch.text).toContain('listener_failed');
    expect(watch.text + answer.body).not.toMatch(/ada|a-secret/);
  });
});

describe('An event that cannot be taken now', () => {
  it.each(platforms)(
    'is answered 503 while the log is away, and 200 later (%s)',
    async (platform) => {
      const log = new ControlledLog();
      const app = await start({ platform }, {}, { revocation: { log } });
      const tokens = [signIn('ada'), signIn('bob')];
      scene.clock.advance(MINUTE);
      log.failure = new Error('away');
      const { status, headers } = await send(app, 'kick', { users: ['ada'] });
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(log.appended).toEqual([]);
      expect(await statuses(app, ...tokens)).toEqual([401, 200]);
      log.failure = undefined;
      expect((await send(app, 'kick', { users: ['ada'] })).status).toBe(200);
      expect(log.appended.map(({ kind }) => kind)).toEqual(['subject']);
      expect(watch.outcomes).toEqual(['unavailable', 'taken']);
    },
  );

  it('is answered 503 when there is no room for it', async () => {
    const app = await start({}, {}, { revocation: { maxEntries: 1 } });
    expect((await send(app, 'kick', { users: ['ada', 'bob'] })).status).toBe(503);
  });
});

describe('Nothing that a webhook says', () => {
  it('is logged, published, answered or kept, taken or refused', async () => {
    const log = new ControlledLog();
    const app = await start({ logger: watch.logger }, {}, { revocation: { log } });
    const user = { id: 'id-of-ada', password: 'hash-of-ada', salt: 'salt-of-ada', token: 'eyJ' };
    const answers = [
      await send(app, 'kick', { users: [user] }),
      await send(app, 'kick', { users: [user, { ...user, id: undefined }] }),
      await send(app, 'name-of-ada', { user }),
      await send(app, 'kick', { users: [user] }, { secret: 'secret-of-ada' }),
      await send(app, null, user),
      await post(app, '{"of-ada', 'application/x-www-form-urlencoded'),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 200, 401, 200, 200]);
    const said = [
      watch.text,
      JSON.stringify(log.appended),
      ...answers.map(({ body }) => body),
    ].join('\n');
    expect(said).toContain('not_understood');
    for (const secret of ['of-ada', 'eyJ', 'secret-of']) expect(said).not.toContain(secret);
  });
});

describe('The module', () => {
  it('is configured later, with a path that is known before', async () => {
    const door = GenAuthWebhookModule.forRootAsync({
      path: 'later',
      useFactory: () => Promise.resolve({ secret: SECRET }),
    });
    const app = await startDoorApp(scene.options(), [door], { clock: scene.clock });
    running.push(app);
    const options = { secret: SECRET };
    expect((await scene.genauth.sendWebhook(app.at('later'), 'test', {}, options)).status).toBe(
      200,
    );
  });

  it('names every fault in its options, and no secret', async () => {
    const wrong = { secret: ['short-one', SECRET], headers: ['a b'], maxBody: 1, map: 7, mapp: 1 };
    const doors = [GenAuthWebhookModule.forRoot(wrong as unknown as GenAuthWebhookOptions)];
    const error = await startDoorApp(scene.options(), doors).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'invalid_options' });
    const { message, faults } = error as { message: string; faults: string[] };
    expect(message).toContain('GenAuthWebhookModule');
    for (const name of ['secret', 'headers', 'maxBody', 'map', 'mapp']) {
      expect(faults.filter((fault) => fault.startsWith(`${name} `))).toHaveLength(1);
    }
    expect(message).not.toContain('short-one');
  });

  it.each([undefined, '', [], 7])('does not start with the secret %j', async (secret) => {
    const doors = [GenAuthWebhookModule.forRoot({ secret } as GenAuthWebhookOptions)];
    await expect(startDoorApp(scene.options(), doors)).rejects.toThrow(/secret must/);
  });
});

function appId(): string {
  return scene.genauth.application.appId;
}
