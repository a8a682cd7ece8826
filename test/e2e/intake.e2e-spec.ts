import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { ControlledLog } from '../harness/controlled-log.js';
import type { GuardedApp } from '../harness/guarded-app.js';
import { failureOf, Scene, statusOf } from '../harness/scene.js';
import { channels, type NewsMessage } from '../../src/core/channels.js';
import type { RevocationEvent } from '../../src/core/revocation.js';
import { ResolvedOptions } from '../../src/genauth.options.js';
import { Intake, type News } from '../../src/intake.js';

let scene: Scene;
let log: ControlledLog;
let app: GuardedApp;
let told: NewsMessage[];
let events: RevocationEvent[];
const listen = (message: unknown) => void told.push(message as NewsMessage);

beforeEach(async () => {
  scene = await Scene.set();
  log = new ControlledLog();
  app = await scene.start({ revocation: { log } });
  told = [];
  events = [];
  channels.news.subscribe(listen);
  app.tokens.revocations$.subscribe((event) => events.push(event));
});

afterEach(async () => {
  channels.news.unsubscribe(listen);
  await scene.close();
});

/** News that a user was cut off, now or at a time that the sender gives. */
function news(sub: string, happenedAt?: number): News {
  const [application] = app.app.get(ResolvedOptions).applications;
  if (!application) throw new Error('no application');
  return {
    source: 'securityEvent',
    cuts: [{ target: { kind: 'subject', ids: [sub] }, application, happenedAt }],
    message: {
      issuer: 'https://sender.example',
      jti: 'message-1',
      repeatableUntilAt: scene.clock.wall() + 60_000,
    },
  };
}

function take(what: News) {
  return app.app.get(Intake).take(what);
}

describe('news from outside', () => {
  it('refuses what it is about, from its acknowledgement on', async () => {
    const { access_token: token } = scene.genauth.signIn({ sub: 'user' });
    const { access_token: other } = scene.genauth.signIn({ sub: 'another' });
    expect(await statusOf(app, token)).toBe(200);
    scene.clock.advance(2_000);
    expect(await take(news('user', scene.clock.wall()))).toBe('taken');
    expect(await statusOf(app, token)).toBe(401);
    expect(await statusOf(app, other)).toBe(200);
    expect(events).toMatchObject([{ kind: 'subject', source: 'securityEvent' }]);
    expect(told).toEqual([{ source: 'securityEvent', outcome: 'taken' }]);
  });

  it('counts once: told again, later, it leaves alone who has signed in since', async () => {
    await take(news('user'));
    scene.clock.advance(30_000);
    const { access_token: token } = scene.genauth.signIn({ sub: 'user' });
    expect(await take(news('user'))).toBe('repeated');
    expect(await statusOf(app, token)).toBe(200);
    expect(events).toHaveLength(1);
    expect(told.map(({ outcome }) => outcome)).toEqual(['taken', 'repeated']);
  });

  it('that another process has taken counts as taken here', async () => {
    await take(news('user'));
    const second = new ControlledLog();
    const elsewhere = await scene.start({ revocation: { log: second } });
    const memory = log.appended.filter(({ kind }) => kind === 'message');
    expect(memory).toHaveLength(1);
    second.deliver(memory);
    expect(await elsewhere.app.get(Intake).take(news('user'))).toBe('repeated');
  });

  it('that is not durable rejects, and is taken when it is told again', async () => {
    log.failure = new Error('down');
    const { code } = await failureOf(take(news('user')));
    expect(code).toBe('log_not_acknowledged');
    expect(log.appended).toEqual([]);
    log.failure = undefined;
    expect(await take(news('user'))).toBe('taken');
    expect(log.appended.map(({ kind }) => kind)).toEqual(['subject', 'message']);
  });

  it('says in the log nothing of who it is about or who sent it', async () => {
    await take({ ...news('user-with-a-name'), reason: 'because' });
    const written = JSON.stringify(log.appended);
    for (const secret of ['user-with-a-name', 'message-1', 'sender.example', 'because']) {
      expect(written).not.toContain(secret);
    }
  });
});
