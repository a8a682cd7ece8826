import { createHmac } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { EventHub, EventHubModule, type EventHubOptions } from '../../src/event-hub.js';
import { GenAuthModule, type JsonObject } from '../../src/index.js';
import { FakeEventHub } from '../../src/testing.js';
import { ControlledLog } from '../harness/controlled-log.js';
import { FleetScene } from '../harness/fleet-scene.js';
import { platforms } from '../harness/guarded-app.js';
import {
  connected,
  type HubApp,
  HubScene,
  LOGOUT,
  RESIGNED,
  settled,
  stateOf,
  UPDATED,
  VERIFY_ONLINE_FOR,
} from '../harness/hub-scene.js';
import { startNestApp } from '../harness/nest-app.js';
import { eventually, statusOf } from '../harness/scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

let scene: HubScene;

beforeEach(async () => {
  scene = await HubScene.set();
});
afterEach(() => scene.close());

/** A frame as a server writes it, with a first byte of the test's choosing. */
const frame = (first: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([first, content.length]), content]);

describe.each(platforms)('A message of the event hub, on %s', (platform) => {
  it('ends every token of a user who logged out elsewhere, and nobody else is touched', async () => {
    const app = await scene.start({ platform });
    const [first, second, other] = [scene.signIn('ada'), scene.signIn('ada'), scene.signIn('bob')];
    for (const token of [first, other]) expect(await statusOf(app, token)).toBe(200);

    expect(scene.hub.publish(LOGOUT, { userId: 'ada' })).toBe(1);
    await settled(app, 1);

    for (const token of [first, second]) expect(await statusOf(app, token)).toBe(401);
    expect(await statusOf(app, other)).toBe(200);
    scene.clock.advance(10_000);
    expect(await statusOf(app, scene.signIn('ada'))).toBe(200);
    expect(scene.questions).toBe(0);
    expect(scene.outcomes()).toEqual(['taken']);
  });
});

describe('A message of the event hub', () => {
  const users = ['ada', 'eve'];
  it.each<[code: string, message: unknown]>([
    [LOGOUT, { userId: 'ada' }],
    [LOGOUT, { user: 'ada' }],
    [LOGOUT, { user: { id: 'ada', email: 'ada@example.com' } }],
    [LOGOUT, { user: { userId: 'ada', id: 'a row of its own' } }],
    [LOGOUT, { users: ['ada'] }],
    [LOGOUT, { users: [{ id: 'ada' }, 'carl'] }],
    [LOGOUT, { userIds: ['ada', 'ada'] }],
    [LOGOUT, { eventName: LOGOUT, data: { user: { id: 'ada' } } }],
    [LOGOUT, { data: [{ userId: 'ada' }] }],
    [RESIGNED, { id: 'ada', status: 'Resigned', username: 'ada' }],
    [UPDATED, { id: 'ada', status: 'Suspended' }],
    [UPDATED, { user: { id: 'ada', status: 'Activated', blocked: true } }],
    [UPDATED, { user: { id: 'ada', isDeleted: true } }],
    [
      UPDATED,
      {
        users: [
          { id: 'ada', status: 'Archived' },
          { id: 'eve', status: 'Activated' },
        ],
      },
    ],
  ])('of %s means the user: %j', async (code, message) => {
    const app = await scene.start();
    const [gone = '', stays = ''] = users.map((user) => scene.signIn(user));
    scene.hub.publish(code, message);
    await settled(app, 1, code);
    expect(await statusOf(app, gone)).toBe(401);
    expect(await statusOf(app, stays)).toBe(200);
    expect(stateOf(app, code)).toMatchObject({ taken: 1, notUnderstood: 0 });
  });

  it('about a user who was updated and stays active is taken, and cuts nobody off', async () => {
    const app = await scene.start();
    const token = scene.signIn('ada');
    scene.hub.publish(UPDATED, { id: 'ada', status: 'Activated', blocked: false });
    await settled(app, 1, UPDATED);
    expect(await statusOf(app, token)).toBe(200);
    expect(scene.outcomes()).toEqual(['taken']);
  });

  it('means what the application says, which may leave the rest to the library', async () => {
    const code = 'custom_hr.left';
    const seen: JsonObject[] = [];
    const app = await scene.start({
      hub: {
        events: [code, LOGOUT, RESIGNED],
        map: ({ name, data }) => {
          seen.push(data);
          if (name === RESIGNED) return [];
          if (name !== code) return undefined;
          return [{ subject: data['person'] as string }];
        },
      },
    });
    const [ada, bob, carl] = [scene.signIn('ada'), scene.signIn('bob'), scene.signIn('carl')];
    scene.hub.publish(code, { person: 'ada' });
    scene.hub.publish(LOGOUT, { userId: 'bob' });
    scene.hub.publish(RESIGNED, { userId: 'carl' });
    for (const one of [code, LOGOUT, RESIGNED]) await settled(app, 1, one);
    expect([await statusOf(app, ada), await statusOf(app, bob), await statusOf(app, carl)]).toEqual(
      [401, 401, 200],
    );
    expect(seen.every((data) => Object.isFrozen(data))).toBe(true);
  });

  it('reaches only the application that a cut names', async () => {
    const map: EventHubOptions['map'] = () => [{ subject: 'ada', appId: 'another' }];
    const { genauth } = scene;
    const applications = [
      { ...genauth.application.options(), algorithms: ['ES256' as const] },
      {
        ...genauth.application.options(),
        appId: 'another',
        issuer: 'https://another.example/oidc',
      },
    ];
    const app = await scene.start({ hub: { map }, module: { applications } });
    const token = scene.signIn('ada');
    scene.hub.publish(LOGOUT, {});
    await settled(app, 1);
    expect(await statusOf(app, token)).toBe(200);
    expect(stateOf(app).taken).toBe(1);
  });

  it('that comes twice changes nothing the second time, and harms nobody else', async () => {
    const app = await scene.start();
    const [token, other] = [scene.signIn('ada'), scene.signIn('bob')];
    for (let times = 0; times < 3; times += 1) scene.hub.publish(LOGOUT, { userId: 'ada' });
    await settled(app, 3);
    expect(await statusOf(app, token)).toBe(401);
    expect(await statusOf(app, other)).toBe(200);
    expect(stateOf(app)).toMatchObject({ received: 3, taken: 3, notUnderstood: 0 });
  });
});

describe('What the event hub sends and nobody understands', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, place) => `user-${place}`);
  const deep = '{"data":'.repeat(70) + '{"userId":"ada"}' + '}'.repeat(70);
  const throwing: EventHubOptions['map'] = ({ data }) => {
    throw new Error(`cannot make sense of ${JSON.stringify(data)}`);
  };
  const returning = (value: unknown) => (() => value) as EventHubOptions['map'];

  it.each<[what: string, message: unknown, map?: EventHubOptions['map']]>([
    ['no JSON', 'ada'],
    ['broken JSON', '{"userId":"ada"'],
    ['two objects', '{"userId":"ada"}{"userId":"ada"}'],
    ['an empty frame', ''],
    ['a string', '"ada"'],
    ['a number', '7'],
    ['null', 'null'],
    ['a list', [{ userId: 'ada' }]],
    ['a binary frame', Buffer.from('{"userId":"ada"}')],
    ['a member that is named twice', '{"userId":"eve","userId":"ada"}'],
    ['JSON that nests too deep', deep],
    ['no user', { hello: 'world' }],
    ['an envelope with an id of its own', { id: 'ada', eventName: LOGOUT }],
    ['an id that is a number', { userId: 7 }],
    ['an id that is empty', { userId: '' }],
    ['an id with a space', { userId: 'ada lovelace' }],
    ['an id that is too long', { userId: 'a'.repeat(257) }],
    ['an id that is an object', { userId: { $ne: null } }],
    ['a user without an id', { user: { name: 'ada' } }],
    ['a list with one bad user', { users: ['ada', { name: 'eve' }] }],
    ['a list in a list', { users: [['ada']] }],
    ['an empty list', { users: [] }],
    ['users that are null', { users: null }],
    ['too many users', { users: ['ada', ...ids(1_000)] }],
    ['data that are JSON in JSON', { data: '{"userId":"ada"}' }],
    ['data within data', { data: { data: { userId: 'ada' } } }],
    ['ids in __proto__', '{"__proto__":{"userId":"ada"}}'],
    ['a user of __proto__', '{"user":{"__proto__":{"id":"ada"}}}'],
    ['ids in constructor', { constructor: { prototype: { userId: 'ada' } } }],
    ['what makes map throw', { userId: 'ada' }, throwing],
    ['what map makes a promise of', {}, returning(Promise.resolve([]))],
    ['what map fails to make a promise of', {}, () => Promise.reject(new Error('late')) as never],
    ['what map makes a word of', {}, returning('ada')],
    ['what map makes a list of words of', {}, returning(['ada'])],
    ['a cut of an unknown kind', {}, returning([{ token: 'ada' }])],
    ['a cut of nobody', {}, returning([{ subject: '' }])],
    ['a cut of a strange application', {}, returning([{ subject: 'ada', appId: 'x' }])],
    ['too many cuts', {}, returning(ids(1_001).map((subject) => ({ subject })))],
  ])('is counted, and changes nothing: %s', async (...[, message, map]) => {
    const app = await scene.start({ hub: { events: [LOGOUT], ...(map && { map }) } });
    const [good, bad] = [scene.signIn('ada'), scene.signIn('bob')];
    await app.tokens.revoke(bad);

    scene.hub.publish(LOGOUT, message);
    await settled(app, 1);

    expect(stateOf(app)).toMatchObject({ connected: true, taken: 0, notUnderstood: 1, gaps: 1 });
    expect(scene.news).toEqual([
      { source: 'eventHub', outcome: 'not_understood', detail: expect.any(String) },
    ]);
    expect(await statusOf(app, good)).toBe(200);
    expect(await statusOf(app, bad)).toBe(401);
    expect(scene.questions).toBe(0);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it.each<[code: string, message: unknown]>([
    ['custom_hr.left', { userId: 'ada' }],
    ['authing.user.login', { userId: 'ada' }],
    [UPDATED, { userId: 'ada' }],
    [UPDATED, { user: { id: 'ada', status: 7 } }],
    [UPDATED, { user: { id: 'ada', blocked: 'yes' } }],
    [UPDATED, { users: [{ id: 'ada', status: 'Suspended' }, 'eve'] }],
  ])('is counted when it has no meaning by default: %s %j', async (code, message) => {
    const app = await scene.start({ hub: { events: [code] } });
    const token = scene.signIn('ada');
    scene.hub.publish(code, message);
    await settled(app, 1, code);
    expect(stateOf(app, code)).toMatchObject({ taken: 0, notUnderstood: 1 });
    expect(await statusOf(app, token)).toBe(200);
  });

  it.each<[what: string, bytes: Buffer]>([
    ['an oversized frame', frame(0x81, Buffer.alloc(0)).fill(127, 1)],
    ['a frame with an unknown opcode', frame(0x83, Buffer.from('{"userId":"ada"}'))],
    ['a compressed frame', frame(0xc1, Buffer.from('{"userId":"ada"}'))],
    ['text that is no UTF-8', frame(0x81, Buffer.from([0xff, 0xfe]))],
    ['what is no frame', Buffer.from('HTTP/1.1 200 OK\r\n\r\n{"userId":"ada"}')],
  ])('ends the connection, which is a gap: %s', async (what, bytes) => {
    const app = await scene.start({ hub: { events: [LOGOUT] } });
    const token = scene.signIn('ada');
    const mebibyte = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0x01]);
    scene.hub.send(LOGOUT, what.includes('oversized') ? Buffer.concat([bytes, mebibyte]) : bytes);
    // It does not even answer the farewell.
    scene.hub.silence();
    await eventually(() => !stateOf(app).connected);
    scene.clock.advance(1_000);
    await connected(app);
    expect(stateOf(app)).toMatchObject({ received: 0, gaps: 2 });
    expect(await statusOf(app, token)).toBe(200);
  });

  it('may be a mebibyte long, and no longer', async () => {
    const app = await scene.start({ hub: { events: [LOGOUT] } });
    const padding = 'x'.repeat(1024 * 1024 - JSON.stringify({ userId: 'ada', padding: '' }).length);
    const token = scene.signIn('ada');
    scene.hub.publish(LOGOUT, { userId: 'ada', padding });
    await settled(app, 1);
    expect(await statusOf(app, token)).toBe(401);
    scene.hub.publish(LOGOUT, { userId: 'ada', padding: `${padding}x` });
    await eventually(() => !stateOf(app).connected);
  });
});

describe('A subscription', () => {
  it('is asked for as GenAuth wants it: a socket for each event, and the signature of a constant', async () => {
    await scene.start({ hub: { events: ['authing.user.logout', 'custom_a&b.c=d'] } });
    const { accessKeyId, accessKeySecret } = scene.hub;
    const signed = createHmac('sha1', accessKeySecret).update('websocket\n').digest('base64');
    const authorization = `GenAuth ${accessKeyId}:${signed}`;
    const path = '/events/v1/management/sub?code=';
    expect(scene.hub.handshakes).toEqual([
      { url: `${path}authing.user.logout`, authorization, status: 101 },
      { url: `${path}custom_a%26b.c%3Dd`, authorization, status: 101 },
    ]);
  });

  it("has Authing's word before the signature when told so", async () => {
    await using authing = await FakeEventHub.start({ authorizationScheme: 'authing' });
    await scene.start({ hub: authing.options() });
    expect(authing.subscribers()).toBe(3);
    expect(authing.handshakes[0]?.authorization).toMatch(/^authing /);
  });

  it('is tried on when its key pair is wrong, and an operator is told what to look at', async () => {
    const app = await scene.start({ hub: { accessKeySecret: 'wrong' }, atOnce: true });
    await eventually(() => scene.alarms.length === 3);
    expect(scene.alarms[0]).toEqual({
      alarm: 'event_hub_unreachable',
      detail: expect.stringContaining('status 401: check accessKeyId, accessKeySecret'),
    });
    for (let attempt = 2; attempt < 5; attempt += 1) {
      scene.clock.advance(30_000);
      await eventually(() => scene.alarms.length === 3 * attempt);
    }
    expect(stateOf(app)).toMatchObject({ connected: false, gaps: 1 });
  });

  it.each([
    ['refused with 401', { status: 401 }],
    ['refused with 500', { status: 500 }],
    ['answered with 200', { status: 200 }],
    ['redirected', { status: 302, location: 'ws://127.0.0.1:1/' }],
    ['answered by nobody', 'slow'],
    ['reset', 'down'],
    ['answered with garbage', 'garbage'],
    ['accepted wrongly', 'accept'],
  ] as const)(
    'that is %s keeps no application from starting, and comes about later',
    async (_, fault) => {
      scene.hub.refuse(fault);
      const app = await scene.start({ hub: { events: [LOGOUT], timeout: 200 }, atOnce: true });
      expect(await statusOf(app, scene.signIn())).toBe(200);
      await eventually(() => scene.alarms.length > 0);
      expect(stateOf(app)).toMatchObject({ connected: false, gaps: 1 });

      scene.hub.recover();
      scene.clock.advance(30_000);
      await connected(app);
      const token = scene.signIn('ada');
      scene.hub.publish(LOGOUT, { userId: 'ada' });
      await settled(app, 1);
      expect(await statusOf(app, token)).toBe(401);
    },
  );

  it('does not follow a redirect, so that the signature goes nowhere else', async () => {
    await using elsewhere = await FakeEventHub.start();
    const location = `${elsewhere.options().socketUri}/events/v1/management/sub?code=${LOGOUT}`;
    scene.hub.refuse({ status: 302, location });
    await scene.start({ hub: { events: [LOGOUT] }, atOnce: true });
    await eventually(() => scene.alarms.length > 0);
    expect(scene.alarms[0]?.detail).toContain('status 302');
    expect(elsewhere.handshakes).toEqual([]);
  });

  it.each(['cut', 'close'] as const)(
    'comes back every time it is lost (%s), however often',
    async (how) => {
      const app = await scene.start({ hub: { events: [LOGOUT] } });
      for (let loss = 1; loss <= 25; loss += 1) {
        scene.hub.disconnect(LOGOUT, how);
        await eventually(() => !stateOf(app).connected);
        scene.clock.advance(30_000);
        await connected(app);
        expect(stateOf(app).gaps).toBe(1 + loss);
      }
    },
  );

  it('waits longer after each failure in a row, and as little as at first once it has held', async () => {
    const reconnect = { minPause: 1_000, maxPause: 8_000 };
    const app = await scene.start({ hub: { events: [LOGOUT], reconnect } });
    const pauseOf = async () => {
      await eventually(() => !stateOf(app).connected && scene.alarms.length > 0);
      scene.alarms.length = 0;
      const attempts = scene.hub.handshakes.length;
      let pause = 0;
      // What is due is begun while the clock is moved; that it arrived shows a little later.
      for (; scene.hub.handshakes.length === attempts && pause <= 8_000; pause += 250) {
        scene.clock.advance(250);
        await fewTurns();
      }
      return pause;
    };
    scene.hub.refuse({ status: 500 }, 4);
    scene.hub.disconnect();
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 5; attempt += 1) pauses.push(await pauseOf());
    [1_000, 2_000, 4_000, 8_000, 8_000].forEach((longest, place) => {
      expect(pauses[place]).toBeGreaterThanOrEqual(longest / 2);
      expect(pauses[place]).toBeLessThanOrEqual(longest + 250);
    });

    await connected(app);
    scene.hub.disconnect();
    expect(await pauseOf()).toBeGreaterThanOrEqual(4_000);
    await connected(app);
    scene.clock.advance(8_000);
    scene.hub.disconnect();
    expect(await pauseOf()).toBeLessThanOrEqual(1_250);
  });

  it('that died without a word is noticed by its heartbeat, and replaced', async () => {
    const hub = { events: [LOGOUT], heartbeat: 30_000 };
    const app = await scene.start({ hub, atOnce: true });
    await connected(app);
    const aliveAt = scene.clock.now();
    scene.hub.silence();
    scene.clock.advance(30_000);
    expect(stateOf(app).connected).toBe(true);
    scene.clock.advance(10_000);
    await eventually(() => !stateOf(app).connected);
    expect(scene.alarms.at(-1)?.detail).toContain('the connection died');
    expect(stateOf(app).since).toBeGreaterThan(aliveAt);
    scene.clock.advance(1_000);
    await connected(app);
    expect(scene.hub.subscribers(LOGOUT)).toBe(1);
  });

  it('that lives is left alone by its heartbeat', async () => {
    const hub = { events: [LOGOUT], heartbeat: 30_000 };
    const app = await scene.start({ hub, atOnce: true });
    await connected(app);
    for (let beat = 1; beat <= 10; beat += 1) {
      scene.clock.advance(30_000);
      await eventually(() => scene.hub.pings === beat);
      await fewTurns();
    }
    expect(scene.hub.handshakes).toHaveLength(1);
    expect(stateOf(app)).toMatchObject({ connected: true, gaps: 1 });
  });
});

/** Lets I/O go on for a while. */
async function fewTurns(turns = 50): Promise<void> {
  for (let turn = 0; turn < turns; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('A gap', () => {
  let app: HubApp;
  const start = async (hub: Partial<EventHubOptions> = {}) =>
    (app = await scene.start({ hub: { events: [LOGOUT], ...hub } }));
  const reconnect = async () => {
    scene.clock.advance(30_000);
    await connected(app);
  };

  it('hides no revocation: a token that GenAuth revoked meanwhile is refused, although no event came', async () => {
    await start();
    const [revoked, unseen, innocent] = [scene.signIn(), scene.signIn(), scene.signIn()];
    for (const token of [revoked, innocent]) expect(await statusOf(app, token)).toBe(200);
    expect(scene.questions).toBe(0);

    await scene.hub.goDown();
    await eventually(() => !stateOf(app).connected);
    for (const token of [revoked, unseen]) scene.genauth.revokeGrantOf(token);
    await scene.hub.comeBack();
    await reconnect();

    for (const token of [revoked, unseen]) expect(await statusOf(app, token)).toBe(401);
    expect(await statusOf(app, innocent)).toBe(200);
    // What GenAuth called dead stays so when everything is local again.
    scene.clock.advance(VERIFY_ONLINE_FOR);
    expect(await statusOf(app, revoked)).toBe(401);
  });

  it('hides them when nothing is to follow from it', async () => {
    await start({ onGap: 'nothing' });
    const token = scene.signIn();
    expect(await statusOf(app, token)).toBe(200);
    scene.hub.disconnect();
    await eventually(() => !stateOf(app).connected);
    scene.genauth.revokeGrantOf(token);
    expect(await statusOf(app, token)).toBe(200);
    await reconnect();
    expect(await statusOf(app, token)).toBe(200);
    expect(scene.questions).toBe(0);
    expect(stateOf(app).gaps).toBe(2);
  });

  it('hides none while it lasts', async () => {
    await start();
    const token = scene.signIn();
    expect(await statusOf(app, token)).toBe(200);
    scene.hub.refuse('down');
    scene.hub.disconnect();
    await eventually(() => !stateOf(app).connected);
    expect(await statusOf(app, token)).toBe(200);
    expect(scene.questions).toBe(1);
    scene.genauth.revokeGrantOf(token);
    scene.clock.advance(10_001);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('is not bridged by a word that GenAuth gave before its end, however new', async () => {
    await start();
    const token = scene.signIn();
    scene.hub.refuse({ status: 503 }, 1);
    scene.hub.disconnect();
    await eventually(() => !stateOf(app).connected);
    expect(await statusOf(app, token)).toBe(200);
    expect(scene.questions).toBe(1);
    scene.genauth.revokeGrantOf(token);
    await eventually(async () => {
      scene.clock.advance(500);
      await fewTurns();
      return stateOf(app).connected;
    });
    expect(await statusOf(app, token)).toBe(401);
  });

  it('begins before it is noticed: a word of GenAuth from before that does not count', async () => {
    const heart = { heartbeat: 1_000, timeout: 1_000, onGap: { verifyOnlineFor: 0 } };
    app = await scene.start({ hub: { events: [LOGOUT], ...heart }, atOnce: true });
    await connected(app);
    const { access_token: token } = scene.genauth.signIn();
    await app.tokens.verify(token, { maxAge: 0 });
    scene.clock.advance(500);
    scene.hub.publish(LOGOUT, { userId: 'somebody' });
    await settled(app, 1);

    scene.hub.silence();
    scene.genauth.revokeGrantOf(token);
    scene.clock.advance(1_000);
    scene.clock.advance(1_000);
    await eventually(() => !stateOf(app).connected);
    expect(scene.questions).toBe(1);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('is over so long after the reconnection: then a token costs no question again', async () => {
    await start();
    scene.hub.disconnect();
    await eventually(() => !stateOf(app).connected);
    await reconnect();
    scene.clock.advance(VERIFY_ONLINE_FOR - 10_001);
    expect(await statusOf(app, scene.signIn())).toBe(200);
    expect(scene.questions).toBe(1);
    scene.clock.advance(1);
    expect(await statusOf(app, scene.signIn())).toBe(200);
    expect(scene.questions).toBe(1);
  });

  it('is what an application begins with', async () => {
    scene.hub.refuse('slow');
    app = await scene.start({ atOnce: true });
    const [token, revoked] = [scene.signIn(), scene.signIn()];
    scene.genauth.revokeGrantOf(revoked);
    expect(await statusOf(app, token)).toBe(200);
    expect(await statusOf(app, revoked)).toBe(401);
    expect(scene.questions).toBe(2);
    expect(app.hub.state().map(({ gaps }) => gaps)).toEqual([1, 1, 1]);
  });

  it('of one event is enough', async () => {
    app = await scene.start();
    const token = scene.signIn();
    expect(await statusOf(app, token)).toBe(200);
    scene.hub.disconnect(RESIGNED);
    await eventually(() => !stateOf(app, RESIGNED).connected);
    scene.genauth.revokeGrantOf(token);
    expect(await statusOf(app, token)).toBe(401);
    expect(stateOf(app, LOGOUT)).toMatchObject({ connected: true, gaps: 1 });
  });

  it('without GenAuth leaves no verdict: 503, and never 401', async () => {
    await start();
    const token = scene.signIn();
    expect(await statusOf(app, token)).toBe(200);
    scene.hub.disconnect();
    await eventually(() => !stateOf(app).connected);
    await scene.genauth.goDown();
    expect(await statusOf(app, token)).toBe(503);
    await scene.genauth.comeBack();
    expect(await statusOf(app, token)).toBe(200);
  });

  it('lasts as long as the longest life of a token if wanted, and no timer is needed for it', async () => {
    const days = 24 * 60 * 60_000;
    await start({ onGap: { verifyOnlineFor: 3_650 * days } });
    scene.clock.advance(3_649 * days);
    expect(await statusOf(app, scene.signIn())).toBe(200);
    expect(scene.questions).toBe(1);
  });
});

describe('While the log is down, the event hub', () => {
  it('denies here at once, and makes it durable when the log is back', async () => {
    const log = new ControlledLog();
    const app = await scene.start({ module: { revocation: { log } } });
    const token = scene.signIn('ada');
    log.failure = new Error('down');
    scene.hub.publish(LOGOUT, { userId: 'ada' });
    await eventually(() => app.hub.waiting === 1);
    expect(await statusOf(app, token)).toBe(401);
    expect(stateOf(app)).toMatchObject({ received: 1, taken: 0 });
    expect(scene.outcomes()).toEqual(['unavailable']);

    scene.clock.advance(1_000);
    await eventually(() => scene.news.length === 1);
    scene.clock.advance(5_000);
    const again = scene.signIn('ada');
    log.failure = undefined;
    await eventually(async () => {
      scene.clock.advance(1_000);
      await fewTurns();
      return stateOf(app).taken === 1;
    });
    expect(app.hub.waiting).toBe(0);
    expect(log.appended).toHaveLength(1);
    // Who signed in while the log was down is not cut off by the attempt that succeeds.
    expect(await statusOf(app, again)).toBe(200);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('keeps a bounded number of cuts, and what has no room is a gap', async () => {
    const log = new ControlledLog();
    const app = await scene.start({ module: { revocation: { log } }, hub: { events: [LOGOUT] } });
    const token = scene.signIn('ada');
    expect(await statusOf(app, token)).toBe(200);
    log.failure = new Error('down');
    const users = (message: number) =>
      Array.from({ length: 1_000 }, (_, place) => `user-${message}-${place}`);
    for (let message = 0; message < 10; message += 1) {
      scene.hub.publish(LOGOUT, { users: users(message) });
    }
    await eventually(() => app.hub.waiting === 10);
    expect(stateOf(app).gaps).toBe(1);

    scene.genauth.revokeGrantOf(token);
    scene.hub.publish(LOGOUT, { userId: 'ada' });
    await eventually(() => stateOf(app).gaps === 2);
    expect(app.hub.waiting).toBe(10);
    expect(await statusOf(app, token)).toBe(401);
    expect(scene.questions).toBe(1);

    log.failure = undefined;
    scene.clock.advance(30_000);
    await eventually(() => stateOf(app).taken === 10);
    expect(log.appended).toHaveLength(10_000);
    scene.hub.publish(LOGOUT, { userId: 'bob' });
    await eventually(() => stateOf(app).taken === 11);
  });
});

describe('The end of the application', () => {
  it('leaves no timer and no socket behind', async () => {
    const app = await scene.start();
    expect(scene.clock.pendingTimers).toBe(3);
    await scene.scene.end(app);
    expect(scene.clock.pendingTimers).toBe(0);
    await eventually(() => scene.hub.subscribers() === 0);
    const { length } = scene.hub.handshakes;
    scene.clock.advance(3_600_000);
    await fewTurns();
    expect(scene.hub.handshakes).toHaveLength(length);
  });

  it('does not wait for a handshake that nobody answers', async () => {
    scene.hub.refuse('slow');
    const app = await scene.start({ atOnce: true, hub: { timeout: 600_000 } });
    await eventually(() => scene.hub.handshakes.length === 3);
    await scene.scene.end(app);
    expect(scene.clock.pendingTimers).toBe(0);
    expect(scene.alarms).toEqual([]);
  });

  it('comes in the pause between two attempts, and ends it', async () => {
    await scene.hub.goDown();
    const app = await scene.start({ atOnce: true });
    await eventually(() => scene.alarms.length === 3);
    await scene.scene.end(app);
    expect(scene.clock.pendingTimers).toBe(0);
    await scene.hub.comeBack();
    scene.clock.advance(3_600_000);
    await fewTurns();
    expect(scene.hub.handshakes).toEqual([]);
  });

  it('comes while messages wait for the log, and forgets them', async () => {
    const log = new ControlledLog();
    const app = await scene.start({ module: { revocation: { log } } });
    log.failure = new Error('down');
    scene.hub.publish(LOGOUT, { userId: 'ada' });
    await eventually(() => app.hub.waiting === 1);
    await scene.scene.end(app);
    expect(scene.clock.pendingTimers).toBe(0);
  });
});

describe('EventHubModule', () => {
  const faultsOf = async (options: unknown) => {
    const imports = [
      GenAuthModule.forRoot(scene.scene.options()),
      EventHubModule.forRoot(options as EventHubOptions),
    ];
    const app = await startNestApp({ imports }).catch((error: unknown) => error as Error);
    if (app instanceof Error) return app.message;
    await app.close();
    return '';
  };
  const pair = { accessKeyId: 'key', accessKeySecret: 'secret' };

  it.each<[option: string, options: object]>([
    ['accessKeyId must be set', { accessKeyId: undefined }],
    ['accessKeyId must be printable', { accessKeyId: 'a:b' }],
    ['accessKeyId must be printable', { accessKeyId: 'a\nb' }],
    ['accessKeySecret must be set', { accessKeySecret: undefined }],
    ['accessKeySecret must be a non-empty string', { accessKeySecret: 7 }],
    ['socketUri must use wss', { socketUri: 'ws://events.example.com' }],
    ['socketUri must use wss', { socketUri: 'https://events.example.com' }],
    ['socketUri must not contain credentials', { socketUri: 'wss://a:b@events.example.com' }],
    ['socketUri must not contain credentials', { socketUri: 'wss://events.example.com/?code=x' }],
    ['authorizationScheme must be one word', { authorizationScheme: 'two words' }],
    ['events must be a non-empty string or a list', { events: [] }],
    ['events must be codes', { events: ['a b'] }],
    ['events must be codes', { events: ['\ud800'] }],
    ['events must be codes', { events: ['x'.repeat(257)] }],
    ['events must be at most 64', { events: Array.from({ length: 65 }, (_, n) => `custom_${n}`) }],
    ['map must be a function', { map: {} }],
    ["onGap must be 'nothing' or", { onGap: 'everything' }],
    ["onGap must be 'nothing' or", { onGap: 60_000 }],
    ['onGap.verifyOnlineFor must be a whole number', { onGap: { verifyOnlineFor: -1 } }],
    ['onGap.verifyOnline is not an option', { onGap: { verifyOnline: 1_000 } }],
    ['heartbeat must be a whole number', { heartbeat: 0 }],
    ['timeout must be a whole number', { timeout: Infinity }],
    ['reconnect.minPause must not be longer', { reconnect: { minPause: 20, maxPause: 10 } }],
    ['reconnect.maxPause must be a whole number', { reconnect: { maxPause: '1' } }],
    ['host is not an option', { host: 'wss://events.example.com' }],
  ])('says at start: %s (%j)', async (sentence, options) => {
    const message = await faultsOf({ ...pair, ...options });
    expect(message).toContain('EventHubModule is not configured correctly');
    expect(message).toContain(`\n  - ${sentence}`);
    expect(message).not.toMatch(/secret\b|a:b@/);
  });

  it('names every fault at once, and takes nothing for options', async () => {
    const message = await faultsOf({ map: 1, heartbeat: 1 });
    expect(message.match(/\n {2}- /g)).toHaveLength(4);
    expect(await faultsOf(undefined)).toContain('accessKeyId must be set');
  });

  it('finds a GenAuthModule that is not global among its imports', async () => {
    const genauth = GenAuthModule.forRoot({ ...scene.scene.options(), isGlobal: false });
    const hub = EventHubModule.forRoot({ ...scene.hub.options(), imports: [genauth] });
    await using app = await startNestApp({ imports: [genauth, hub] });
    const { access_token: token } = scene.genauth.signIn({ sub: 'ada', scope: 'openid' });
    await eventually(() =>
      app.app
        .get(EventHub)
        .state()
        .every((one) => one.connected),
    );
    scene.hub.publish(LOGOUT, { userId: 'ada' });
    await eventually(async () => !(await app.tokens.verify(token).catch(() => undefined)));
  });

  it('takes options that are made later', async () => {
    const hub = EventHubModule.forRootAsync({
      useFactory: () => Promise.resolve({ ...scene.hub.options(), events: [LOGOUT] }),
    });
    await using app = await startNestApp({
      imports: [GenAuthModule.forRoot(scene.scene.options()), hub],
    });
    await eventually(() => app.app.get(EventHub).state()[0]?.connected === true);
    expect(app.app.get(EventHub).state()).toEqual([
      {
        code: LOGOUT,
        connected: true,
        since: expect.any(Number),
        received: 0,
        taken: 0,
        notUnderstood: 0,
        gaps: 1,
      },
    ]);
  });

  it('opens no socket unless it is imported', async () => {
    await scene.scene.start();
    expect(scene.hub.handshakes).toEqual([]);
  });

  it('tells nobody what a message said, nor its keys', async () => {
    const told: unknown[] = [];
    const logger = Object.fromEntries(
      ['log', 'error', 'warn', 'debug', 'verbose', 'fatal'].map((level) => [
        level,
        (...all: unknown[]) => told.push(...all),
      ]),
    );
    const map: EventHubOptions['map'] = ({ data }) => {
      if (data['fail']) throw new Error(`who is ${JSON.stringify(data)}?`);
      return undefined;
    };
    const imports = [
      GenAuthModule.forRoot(scene.scene.options()),
      EventHubModule.forRoot({ ...scene.hub.options(), events: [LOGOUT], map }),
    ];
    const started = await startNestApp({ imports }, { logger: logger as never });
    const app = { ...started, hub: started.app.get(EventHub) };
    started.tokens.revocations$.subscribe((event) => told.push(event));
    await connected(app);
    const personal = { userId: 'margarethe', email: 'm@example.com', password: 'hunter2' };
    const messages = [personal, { ...personal, fail: true }, [personal], `${personal.email}{`];
    for (const message of messages) scene.hub.publish(LOGOUT, message);
    await settled(app, 4);
    scene.hub.send(LOGOUT, frame(0x83, Buffer.from('margarethe')));
    await eventually(() => !stateOf(app).connected);
    await app.close();

    const { accessKeyId, accessKeySecret, handshakes } = scene.hub;
    const signature = handshakes[0]?.authorization?.split(':')[1] ?? '';
    const text = JSON.stringify([told, scene.news, scene.alarms]);
    expect(scene.news).toHaveLength(4);
    expect(scene.alarms.length).toBeGreaterThan(0);
    for (const secret of [accessKeyId, accessKeySecret, signature, ...Object.values(personal)]) {
      expect(text).not.toContain(secret);
    }
    for (const { url } of handshakes) expect(url).not.toContain(accessKeyId);
  });
});

describeWithRedis('News of the event hub, in a fleet', () => {
  it('arrives at one process, and every other refuses the tokens within the bound', async () => {
    const fleet = await FleetScene.set();
    try {
      const listener = await fleet.join({ imports: [EventHubModule.forRoot(scene.hub.options())] });
      const others = [await fleet.join(), await fleet.join()];
      const app = { ...listener, hub: listener.app.get(EventHub) };
      await connected(app);
      const [token, innocent] = [fleet.signIn('ada'), fleet.signIn('bob')];
      for (const one of [app, ...others]) expect(await statusOf(one, token)).toBe(200);
      scene.hub.publish(LOGOUT, { userId: 'ada' });
      await settled(app, 1);
      for (const one of [app, ...others]) {
        await eventually(async () => (await statusOf(one, token)) === 401);
        expect(await statusOf(one, innocent)).toBe(200);
      }
    } finally {
      await fleet.close();
    }
  });
});
