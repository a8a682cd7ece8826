import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, it } from '@jest/globals';

import { FakeEventHub, FakeTransmitter } from '../../src/testing.js';
import { FleetScene, MAX_STALENESS } from '../harness/fleet-scene.js';
import { eventually } from '../harness/scene.js';
import { describeWithRedis } from '../harness/with-servers.js';

const SECRET = 'a-secret-of-32-characters-or-so.';
const LOGOUT = 'authing.user.logout';
const MINUTE_S = 60;

/** One process of the fleet, and where it listens. */
interface Member {
  readonly child: ChildProcess;
  readonly url: string;
}

let scene: FleetScene;
let transmitter: FakeTransmitter;
let hub: FakeEventHub;
/** The one that is told, and one that nobody tells anything. */
let told: Member;
let other: Member;

async function start(more: object = {}): Promise<Member> {
  const settings = {
    genauth: { ...scene.genauth.application.options(), algorithms: ['ES256'] },
    redisUrl: scene.redis.url,
    maxStaleness: MAX_STALENESS,
    secret: SECRET,
    transmitter: transmitter.options(),
    ...more,
  };
  const child = fork(fileURLToPath(new URL('../harness/door-process.mjs', import.meta.url)), {
    env: { ...process.env, NODE_OPTIONS: '', SETTINGS: JSON.stringify(settings) },
    execArgv: [],
  });
  const died = once(child, 'exit').then(() => [undefined]);
  const [message] = (await Promise.race([once(child, 'message'), died])) as [{ url: string }?];
  if (!message) throw new Error('a process of the fleet did not start');
  return { child, url: message.url };
}

async function kill({ child }: Member): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function statusAt({ url }: Member, token: string): Promise<number> {
  const response = await fetch(`${url}/me`, { headers: { authorization: `Bearer ${token}` } });
  return response.status;
}

/** A token that was issued a minute ago. */
function signIn(sub: string): string {
  const iat = Math.floor(Date.now() / 1_000) - MINUTE_S;
  return scene.genauth.signIn({ sub, scope: 'openid', claims: { iat } }).access_token;
}

/** Each way to tell the first process that a user is signed out; resolves when it was taken. */
const doors = {
  async 'back-channel logout'(sub: string): Promise<unknown> {
    return (await scene.genauth.sendLogoutToken(`${told.url}/backchannel-logout`, { sub })).status;
  },
  async 'a webhook'(sub: string): Promise<unknown> {
    const url = `${told.url}/hooks/genauth`;
    const users = { users: [sub] };
    return (await scene.genauth.sendWebhook(url, 'kick', users, { secret: SECRET })).status;
  },
  async 'a security event'(sub: string): Promise<unknown> {
    const { issuer: iss } = scene.genauth.application;
    const set = transmitter.set(
      { 'account-disabled': {} },
      { subject: { format: 'iss_sub', iss, sub } },
    );
    const { status } = await transmitter.push(`${told.url}/security-events`, set);
    return status === 202 ? 200 : status;
  },
  async 'the event hub'(sub: string): Promise<unknown> {
    hub.publish(LOGOUT, { userId: sub });
    await eventually(async () => (await statusAt(told, signIn(sub))) === 401, 10_000);
    return 200;
  },
};

describeWithRedis('News that arrive at one process of a fleet', () => {
  beforeAll(async () => {
    scene = await FleetScene.set();
    transmitter = await FakeTransmitter.start();
    hub = await FakeEventHub.start();
    [told, other] = await Promise.all([start({ hub: hub.options() }), start()]);
    await eventually(() => hub.subscribers(LOGOUT) === 1, 10_000);
  }, 60_000);

  afterAll(async () => {
    await Promise.all([told, other].map(kill));
    await Promise.all([hub.stop(), transmitter.stop(), scene.close()]);
  });

  it.each(Object.keys(doors) as (keyof typeof doors)[])(
    'by %s end the tokens at the others within the bound',
    async (door) => {
      const ada = `ada-${door.replaceAll(' ', '-')}`;
      const [token, bystander] = [signIn(ada), signIn('bob')];
      for (const one of [told, other]) expect(await statusAt(one, token)).toBe(200);
      expect(await doors[door](ada)).toBe(200);
      const taken = performance.now();
      expect(await statusAt(told, token)).toBe(401);
      // Whoever is asked after the bound has passed refuses; most do long before.
      const within = MAX_STALENESS - (performance.now() - taken);
      await eventually(async () => (await statusAt(other, token)) === 401, within);
      for (const one of [told, other]) expect(await statusAt(one, bystander)).toBe(200);
    },
  );

  it('stay when the process that took them is killed', async () => {
    const token = signIn('eve');
    expect(await doors['a webhook']('eve')).toBe(200);
    await kill(told);
    await eventually(async () => (await statusAt(other, token)) === 401, MAX_STALENESS);
  });
});
