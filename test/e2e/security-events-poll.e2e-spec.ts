import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { AlarmMessage } from '../../src/index.js';
import type { PollOptions, TransmitterOptions } from '../../src/doors.js';
import { type Fault, SigningKeys } from '../../src/testing.js';
import { ControlledLog } from '../harness/controlled-log.js';
import { eventually, type NestApp } from '../harness/nest-app.js';
import { SignalsScene, statusOf } from '../harness/signals-scene.js';

const SECRET = 'Bearer s3cret-of-the-poll';

/** Lets everything happen that needs no time to pass. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('A poll for security event tokens', () => {
  let scene: SignalsScene;
  let alarms: AlarmMessage[];
  const note = (message: unknown): void => void alarms.push(message as AlarmMessage);

  beforeEach(async () => {
    alarms = [];
    subscribe('genauth:alarm', note);
    scene = await SignalsScene.set({ transmitter: { pollAuthorization: SECRET } });
  });
  afterEach(async () => {
    unsubscribe('genauth:alarm', note);
    await scene.close();
  });

  const start = (
    poll: Partial<PollOptions> = {},
    {
      door,
      log,
      cooldown = 1_000,
    }: { door?: Partial<TransmitterOptions>; log?: ControlledLog; cooldown?: number } = {},
  ): Promise<NestApp> =>
    scene.start({
      extras: { path: false },
      module: { keys: { cooldown }, ...(log && { revocation: { log } }) },
      door: {
        ...door,
        poll: { endpoint: scene.transmitter.pollEndpoint, authorization: SECRET, ...poll },
      },
    });

  const disable = (sub: string, options = {}) =>
    scene.transmitter.set({ 'account-disabled': {} }, { subject: scene.user(sub), ...options });

  /** Lets time pass until it holds. */
  const inTime = (what: string, holds: () => boolean | Promise<boolean>): Promise<void> =>
    eventually(what, async () => {
      if (await holds()) return true;
      scene.clock.advance(500);
      return false;
    });

  /** A token that is older than what happens next. */
  const olderToken = (sub: string): string => {
    const token = scene.signIn(sub);
    scene.clock.advance(5_000);
    return token;
  };

  it('acknowledges what it made durable, and the token is refused', async () => {
    const log = new ControlledLog();
    const app = await start({}, { log });
    const token = olderToken('ada');
    const jti = scene.transmitter.queue(disable('ada'));
    await inTime('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
    expect(await statusOf(app, token)).toBe(401);
    expect(log.appended.map(({ kind }) => kind)).toEqual(['subject', 'message']);
    const [first] = scene.transmitter.polls;
    expect(first).toMatchObject({ maxEvents: 50, returnImmediately: true, ack: [], setErrs: {} });
    expect(first?.headers).toMatchObject({
      authorization: SECRET,
      accept: 'application/json',
      'content-type': 'application/json',
    });
    expect(alarms).toEqual([]);
  });

  it('acknowledges nothing while the log is away, and takes it when it comes again', async () => {
    const log = new ControlledLog();
    log.failure = new Error('away');
    const app = await start({}, { log });
    const token = olderToken('ada');
    const jti = scene.transmitter.queue(disable('ada'));
    const before = scene.transmitter.polls.length;
    await inTime('it was fetched again', () => scene.transmitter.polls.length > before + 3);
    await settle();
    const count = scene.transmitter.polls.length;
    await settle();
    expect(scene.transmitter.polls).toHaveLength(count);
    expect(scene.transmitter.acknowledged).toEqual([]);
    expect(scene.transmitter.waiting).toEqual([jti]);
    expect(await statusOf(app, token)).toBe(401);
    log.failure = undefined;
    await inTime('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
    expect(log.appended.map(({ kind }) => kind)).toEqual(['subject', 'message']);
    expect(scene.transmitter.acknowledged).toEqual([jti]);
  });

  it('takes a SET under a new key, although one of an unknown key came just before', async () => {
    const app = await start({}, { cooldown: 60_000 });
    const token = olderToken('ada');
    const junk = scene.transmitter.queue(disable('bob', { header: { kid: 'never-published' } }));
    await inTime('it is refused', () => scene.transmitter.refused.has(junk));
    scene.transmitter.keys.add('ES256');
    const jti = scene.transmitter.queue(disable('ada'));
    await inTime('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
    expect([...scene.transmitter.refused.keys()]).toEqual([junk]);
    expect(await statusOf(app, token)).toBe(401);
  });

  it('is not slowed down by a SET that fails each time', async () => {
    const mapSubject = () => Promise.reject(new Error('never'));
    const app = await start({}, { door: { mapSubject } });
    const token = olderToken('ada');
    const subject = { format: 'email', email: 'x' };
    const bad = scene.transmitter.queue(
      scene.transmitter.set({ 'account-disabled': {} }, { subject }),
    );
    const good = scene.transmitter.queue(disable('ada'));
    await inTime('the other is acknowledged', () => scene.transmitter.acknowledged.length > 0);
    expect(scene.transmitter.acknowledged).toEqual([good]);
    expect(scene.transmitter.waiting).toEqual([bad]);
    expect(await statusOf(app, token)).toBe(401);
    const before = scene.clock.now();
    const polls = scene.transmitter.count('poll');
    await inTime('it was fetched often', () => scene.transmitter.count('poll') >= polls + 10);
    expect(scene.clock.now() - before).toBeLessThanOrEqual(11 * 5_500 + 500);
  });

  it('acknowledges nothing while the keys are away', async () => {
    scene.transmitter.fault('jwks', 'html');
    const app = await start();
    const token = olderToken('ada');
    const jti = scene.transmitter.queue(disable('ada'));
    await inTime('the keys were asked for', () => scene.transmitter.count('jwks') > 2);
    expect(scene.transmitter.waiting).toEqual([jti]);
    expect(await statusOf(app, token)).toBe(200);
    scene.transmitter.recover();
    await inTime('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
    expect(await statusOf(app, token)).toBe(401);
  });

  const foreign = new SigningKeys('ES256').current;
  const cases: [string, (given: SignalsScene) => unknown, string][] = [
    ['a word', () => 'hello', 'invalid_request'],
    ['a number', () => 5, 'invalid_request'],
    ['an object', () => ({ iss: 'x' }), 'invalid_request'],
    [
      'no signature',
      () => disable('ada', { alg: 'none', header: { kid: undefined } }),
      'invalid_request',
    ],
    ['an access token', (given) => given.signIn('ada'), 'invalid_issuer'],
    ["the 'typ' of any JWT", () => disable('ada', { header: { typ: 'JWT' } }), 'invalid_request'],
    ['a forged signature', () => disable('ada', { key: foreign.privateKey }), 'invalid_key'],
    ['an unknown key', () => disable('ada', { header: { kid: 'other' } }), 'invalid_key'],
    [
      'another issuer',
      () => disable('ada', { claims: { iss: 'https://x.example' } }),
      'invalid_issuer',
    ],
    [
      'another audience',
      () => disable('ada', { claims: { aud: 'https://x.example' } }),
      'invalid_audience',
    ],
    ["no 'events'", () => disable('ada', { claims: { events: undefined } }), 'invalid_request'],
    [
      "another 'jti' than it is listed under",
      () => disable('ada', { claims: { jti: 'other' } }),
      'invalid_request',
    ],
  ];

  it.each(cases)('reports what it refuses, beside what it takes: %s', async (_, build, err) => {
    const app = await start();
    const [ada, bob] = ['ada', 'bob'].map(olderToken);
    const jti = scene.transmitter.queue(build(scene), 'listed');
    const good = scene.transmitter.queue(disable('bob'));
    await inTime('both are settled', () => scene.transmitter.waiting.length === 0);
    expect(scene.transmitter.acknowledged).toEqual([good]);
    expect(scene.transmitter.refused.get(jti)).toMatchObject({ err });
    expect(scene.transmitter.polls.at(-1)?.headers['content-language']).toBe('en');
    expect(await statusOf(app, ada as string)).toBe(200);
    expect(await statusOf(app, bob as string)).toBe(401);
  });

  it('asks again at once as long as there is news, for as many as it may', async () => {
    await start({ maxEvents: 3 });
    await eventually('a first poll', () => scene.transmitter.polls.length > 0);
    const jtis = Array.from({ length: 8 }, (_, n) => scene.transmitter.queue(disable(`user-${n}`)));
    scene.clock.advance(5_000);
    await eventually('all are acknowledged', () => scene.transmitter.waiting.length === 0);
    expect(scene.transmitter.acknowledged).toEqual(jtis);
    expect(Math.max(...scene.transmitter.polls.map(({ ack }) => ack.length))).toBe(3);
  });

  it('takes no more than it asked for', async () => {
    const app = await start({ maxEvents: 2 });
    const token = olderToken('user-2');
    const sets = Object.fromEntries(
      [0, 1, 2].map((n) => [`jti-${n}`, disable(`user-${n}`, { claims: { jti: `jti-${n}` } })]),
    );
    scene.transmitter.fault('poll', { body: { sets } }, 1);
    await inTime('they are acknowledged', () =>
      scene.transmitter.polls.some(({ ack }) => ack.join() === 'jti-0,jti-1'),
    );
    expect(await statusOf(app, token)).toBe(200);
  });

  it('does not run in circles when a transmitter hears no acknowledgement', async () => {
    await start();
    const set = disable('ada', { claims: { jti: 'again' } });
    scene.transmitter.fault('poll', { body: { sets: { again: set }, moreAvailable: true } });
    await inTime('it came', () => scene.transmitter.count('poll') > 2);
    await settle();
    const count = scene.transmitter.count('poll');
    await settle();
    expect(scene.transmitter.count('poll')).toBe(count);
    scene.clock.advance(5_000);
    await eventually('the next poll', () => scene.transmitter.count('poll') === count + 1);
    await settle();
    expect(scene.transmitter.count('poll')).toBe(count + 1);
  });

  it.each<[string, Fault]>([
    ['resets the connection', 'down'],
    ['never answers', 'slow'],
    ['breaks off', 'reset'],
    ['shows a page', 'html'],
    ['answers garbage', 'garbage'],
    ['answers without end', 'endless'],
    ['answers a bomb', 'bomb'],
    ['fails', { status: 500 }],
    ['fails with an answer that looks good', { body: { sets: {} }, status: 500 }],
    ['is busy', { status: 429, retryAfter: 5 }],
    ['does not know us', { status: 401 }],
    ['sends us elsewhere', { redirect: 'http://127.0.0.1:1/' }],
    ['accepts without an answer', { body: '', status: 202 }],
    [
      'shows a page as if all were well',
      { body: '<html></html>', headers: { 'Content-Type': 'text/html' } },
    ],
    ['names no sets', { body: {} }],
    ['lists sets without names', { body: { sets: ['x'] } }],
    ['names a member twice', { body: '{"sets":{},"sets":{}}' }],
  ])('outlives a transmitter that %s, and tells the operator', async (_, fault) => {
    scene.transmitter.fault('poll', fault);
    const app = await start({ timeout: 200 });
    const token = olderToken('ada');
    await eventually('an alarm', () => alarms.length > 0);
    const jti = scene.transmitter.queue(disable('ada'));
    scene.transmitter.recover();
    await inTime('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
    expect(await statusOf(app, token)).toBe(401);
    expect(new Set(alarms.map(({ alarm }) => alarm))).toEqual(new Set(['transmitter_unreachable']));
    expect(JSON.stringify(alarms)).not.toContain('s3cret');
  });

  it('waits longer after each failure, and tells again what it had to tell', async () => {
    await start({ maxBackoff: 8_000 });
    const jti = scene.transmitter.queue(disable('ada'));
    // The answer that brought it is good; the acknowledgement is lost with the next exchanges.
    await inTime('it was fetched', () => {
      if (scene.transmitter.polls.length < 2) return false;
      scene.transmitter.fault('poll', 'down');
      return true;
    });
    const pauses: number[] = [];
    for (let failure = 0; failure < 6; failure += 1) {
      const count = scene.transmitter.count('poll');
      let waited = 0;
      await eventually('the next attempt', async () => {
        if (scene.transmitter.count('poll') > count) return true;
        scene.clock.advance(100);
        waited += 100;
        await settle();
        return false;
      });
      pauses.push(waited);
      await settle();
    }
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(4_000);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(9_000);
    scene.transmitter.recover();
    await inTime('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
  });

  it('hears news at once with long polling', async () => {
    const app = await start({ longPolling: true });
    const token = olderToken('ada');
    await eventually('a poll that waits', () => scene.transmitter.polls.length === 1);
    expect(scene.transmitter.polls[0]?.returnImmediately).toBe(false);
    await settle();
    expect(scene.transmitter.polls).toHaveLength(1);
    const jti = scene.transmitter.queue(disable('ada'));
    await eventually('it is acknowledged', () => scene.transmitter.acknowledged.includes(jti));
    expect(await statusOf(app, token)).toBe(401);
  });

  it('ends with the application, also in the middle of an exchange', async () => {
    const app = await start({ longPolling: true });
    await eventually('a poll that waits', () => scene.transmitter.polls.length === 1);
    await scene.end(app);
    scene.transmitter.queue(disable('ada'));
    scene.clock.advance(600_000);
    await settle();
    expect(scene.transmitter.polls).toHaveLength(1);
    expect(scene.clock.pendingTimers).toBe(0);
    expect(alarms).toEqual([]);
  });

  it('is not made where it is turned off', async () => {
    await start({ enabled: false });
    scene.clock.advance(60_000);
    await settle();
    expect(scene.transmitter.count('poll')).toBe(0);
  });
});
