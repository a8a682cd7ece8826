import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { type AlarmMessage, type Errand } from '../../src/index.js';
import { ControlledLog } from '../harness/controlled-log.js';
import type { GuardedApp } from '../harness/guarded-app.js';
import { failureOf, Scene, statusOf } from '../harness/scene.js';

const QUEUE = { whenUnreachable: 'queue' } as const;
const QUEUED = { success: true, log: 'acknowledged', genauth: 'queued' };

let scene: Scene;
let alarms: AlarmMessage[];
const listen = (message: unknown): void => void alarms.push(message as AlarmMessage);

beforeEach(async () => {
  alarms = [];
  subscribe('genauth:alarm', listen);
  scene = await Scene.set();
});

afterEach(async () => {
  unsubscribe('genauth:alarm', listen);
  await scene.close();
});

/** An application whose log has an outbox. */
async function start(more = {}): Promise<{ app: GuardedApp; log: ControlledLog }> {
  const log = new ControlledLog();
  log.hasOutbox = true;
  const app = await scene.start({ ...more, revocation: { log } });
  await statusOf(app, scene.genauth.signIn().access_token);
  return { app, log };
}

function errandIn(log: ControlledLog): Errand {
  const [errand, ...more] = log.errands;
  if (!errand || more.length > 0) throw new Error('exactly one errand was expected');
  return errand;
}

describe('revoke with whenUnreachable: queue', () => {
  it('leaves telling GenAuth to the log when GenAuth is down', async () => {
    const { app, log } = await start();
    const { access_token } = scene.genauth.signIn();
    await scene.genauth.goDown();
    expect(await app.tokens.revoke(access_token, QUEUE)).toEqual(QUEUED);
    expect(await statusOf(app, access_token)).toBe(401);
    const { exp } = JSON.parse(
      Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString(),
    ) as { exp: number };
    expect(errandIn(log).dueUntilAt).toBe(exp * 1_000);
  });

  it('withdraws the errand when GenAuth could be told after all', async () => {
    const { app, log } = await start();
    const { access_token } = scene.genauth.signIn();
    const receipt = await app.tokens.revoke(access_token, QUEUE);
    expect(receipt).toEqual({ success: true, log: 'acknowledged', genauth: 'confirmed' });
    expect(log.errands.size).toBe(0);
  });

  it('makes the errand durable together with the facts, before GenAuth is told', async () => {
    const { app, log } = await start();
    const { access_token } = scene.genauth.signIn();
    const hold = scene.genauth.hold('revocation');
    const revoking = app.tokens.revoke(access_token, QUEUE);
    await hold.arrived;
    expect(log.appended).toHaveLength(1);
    expect(log.errands.size).toBe(1);
    hold.release();
    await revoking;
  });

  it('says so when nobody knows which access tokens are to die with a refresh token', async () => {
    const { app, log } = await start();
    const { access_token, refresh_token } = scene.genauth.signIn();
    await scene.genauth.goDown();
    const { code, receipt } = await failureOf(app.tokens.revoke(refresh_token, QUEUE));
    expect(code).toBe('cascade_unknown');
    expect(receipt).toEqual({ success: false, log: 'acknowledged', genauth: 'queued' });
    expect(await statusOf(app, access_token)).toBe(200);

    await scene.genauth.comeBack();
    await log.run(errandIn(log).text);
    expect(await statusOf(app, access_token)).toBe(401);
    expect(scene.genauth.revoked(refresh_token)).toBe(true);
  });

  it('is refused by a log without an outbox', async () => {
    const { app, log } = await start();
    log.hasOutbox = false;
    const { access_token } = scene.genauth.signIn();
    await scene.genauth.goDown();
    expect((await failureOf(app.tokens.revoke(access_token, QUEUE))).code).toBe('no_outbox');
  });

  it('is not acknowledged when the log does not take it', async () => {
    const { app, log } = await start();
    log.failure = new Error('down');
    const { access_token } = scene.genauth.signIn();
    const { code } = await failureOf(app.tokens.revoke(access_token, QUEUE));
    expect(code).toBe('log_not_acknowledged');
  });

  it('leaves no errand that could not help: the client is refused', async () => {
    const { app, log } = await start({ appSecret: 'not-the-secret' });
    const { access_token } = scene.genauth.signIn();
    const { code } = await failureOf(app.tokens.revoke(access_token, QUEUE));
    expect(code).toBe('genauth_refused');
    expect(log.errands.size).toBe(0);
  });

  it.each([
    ['a forged token', () => scene.genauth.token({}, { key: scene.genauth.foreignKey('ES256') })],
    ['what looks like a token', () => 'eyJhbGciOiJub25lIn0.e30.'],
    ['an expired token', () => scene.genauth.token({ exp: 1_000 })],
  ])('leaves no errand for junk: %s', async (_, junk) => {
    const { app, log } = await start();
    await scene.genauth.goDown();
    await app.tokens.revoke(junk(), QUEUE).catch(() => undefined);
    expect(log.errands.size).toBe(0);
  });
});

describe('an errand', () => {
  /** A revocation that GenAuth was not told of; it is back up. */
  async function left(): Promise<{ app: GuardedApp; log: ControlledLog; token: string }> {
    const { app, log } = await start();
    const token = scene.genauth.signIn().access_token;
    await scene.genauth.goDown();
    await app.tokens.revoke(token, QUEUE);
    return { app, log, token };
  }

  it('is to be tried again while GenAuth is down, and finishes when it is back', async () => {
    const { log, token } = await left();
    const { text } = errandIn(log);
    await expect(log.run(text)).rejects.toMatchObject({ code: 'genauth_unreachable' });
    await scene.genauth.comeBack();
    await log.run(text);
    expect(scene.genauth.revoked(token)).toBe(true);
  });

  it('is finished by another process, when the one that made it is gone', async () => {
    const { app, log, token } = await left();
    const { text } = errandIn(log);
    await scene.end(app);
    await scene.genauth.comeBack();
    const other = await start();
    await other.log.run(text);
    expect(scene.genauth.revoked(token)).toBe(true);
    expect(await statusOf(other.app, token)).toBe(401);
  });

  it('may run twice, and adds nothing to the log that is known', async () => {
    const { log } = await left();
    const { text } = errandIn(log);
    const known = log.appended.length;
    await scene.genauth.comeBack();
    await Promise.all([log.run(text), log.run(text)]);
    await log.run(text);
    expect(log.appended).toHaveLength(known);
  });

  it('reaches what was issued before the call, and not who signed in later', async () => {
    const { app, log } = await start();
    const { access_token: before, refresh_token } = scene.genauth.signIn({ sub: 'ada' });
    scene.clock.advance(10_000);
    await scene.genauth.goDown();
    await failureOf(app.tokens.revoke(refresh_token, QUEUE));
    await scene.genauth.comeBack();
    scene.clock.advance(10_000);
    const { access_token: after } = scene.genauth.signIn({ sub: 'ada' });
    expect(await statusOf(app, after)).toBe(200);
    scene.clock.advance(10_000);
    await log.run(errandIn(log).text);
    expect(await statusOf(app, before)).toBe(401);
    expect(await statusOf(app, after)).toBe(200);
  });

  it.each(['', 'no JSON', '[]', '{}', '{"token":"x"}', '{"token":1,"at":1}'])(
    'that is none of ours is dropped with an alarm: %j',
    async (text) => {
      const { log } = await start();
      await log.run(text);
      expect(alarms).toContainEqual(expect.objectContaining({ alarm: 'errand_failed' }));
    },
  );

  it('for an application that is not configured here is dropped with an alarm', async () => {
    const { log } = await start();
    await log.run(JSON.stringify({ token: 'opaque-token', at: 1, appId: 'another' }));
    expect(alarms).toContainEqual(expect.objectContaining({ alarm: 'errand_failed' }));
  });

  it('that GenAuth refuses is dropped with an alarm, which says nothing of the token', async () => {
    const { log, token } = await left();
    await scene.genauth.comeBack();
    const other = await start({ appSecret: 'not-the-secret' });
    await other.log.run(errandIn(log).text);
    const said = JSON.stringify(alarms);
    expect(said).toContain('errand_failed');
    expect(said).not.toContain(token.slice(0, 20));
  });

  it('is tried again when the log does not take what was learned', async () => {
    const { app, log } = await start();
    const { refresh_token } = scene.genauth.signIn();
    await scene.genauth.goDown();
    await failureOf(app.tokens.revoke(refresh_token, QUEUE));
    await scene.genauth.comeBack();
    log.failure = new Error('down');
    const { text } = errandIn(log);
    await expect(log.run(text)).rejects.toMatchObject({ code: 'log_not_acknowledged' });
    expect(scene.genauth.revoked(refresh_token)).toBe(false);
    log.failure = undefined;
    await log.run(text);
    expect(scene.genauth.revoked(refresh_token)).toBe(true);
  });
});
