import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it } from '@jest/globals';

import type { GenAuthModuleOptions } from '../../src/index.js';
import { natsJs, natsRevocationLog } from '../../src/nats.js';
import { FakeGenAuth } from '../../src/testing.js';
import { type GuardedApp, startGuardedApp } from '../harness/guarded-app.js';
import { NatsServer } from '../harness/nats-server.js';
import { eventually, failureOf, statusOf } from '../harness/scene.js';
import { describeWithNats } from '../harness/with-servers.js';

const LONG_MS = 15_000;

let genauth: FakeGenAuth;
let server: NatsServer;
let apps: GuardedApp[];

async function start(): Promise<GuardedApp> {
  const log = natsRevocationLog({
    connect: natsJs(connect, { servers: server.url }),
    heartbeat: 100,
    rpcTimeout: 500,
  });
  const app = await startGuardedApp({
    ...genauth.application.options(),
    algorithms: ['ES256'],
    revocation: { log, maxStaleness: 2_000 },
  } as GenAuthModuleOptions);
  apps.push(app);
  await app.tokens.ready();
  return app;
}

const signIn = (sub: string): string => genauth.signIn({ sub, scope: 'openid' }).access_token;

describeWithNats('Two applications that share their revocations through NATS', () => {
  beforeEach(async () => {
    apps = [];
    genauth = await FakeGenAuth.start({ applications: [{ alg: 'ES256' }] });
    server = await NatsServer.start();
  });

  afterEach(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await Promise.all([genauth.stop(), server.stop()]);
  });

  it('refuse in one what was revoked in the other', async () => {
    const [here, there] = [await start(), await start()];
    const [token, innocent] = [signIn('ada'), signIn('bob')];
    for (const app of [here, there]) expect(await statusOf(app, token)).toBe(200);
    const receipt = await here.tokens.revoke(token);
    expect(receipt).toEqual({ success: true, log: 'acknowledged', genauth: 'confirmed' });
    await eventually(async () => (await statusOf(there, token)) === 401);
    expect(await statusOf(there, innocent)).toBe(200);
  });

  it('refuse in one what a cut in the other has reached, which only the log knows of', async () => {
    const [here, there] = [await start(), await start()];
    const token = signIn('ada');
    expect(await statusOf(there, token)).toBe(200);
    // Ahead, so that GenAuth is not asked about what was issued within the second of the cut.
    await here.tokens.revokeSubject('ada', { issuedBefore: new Date(Date.now() + 60_000) });
    await eventually(async () => (await statusOf(there, token)) === 401);
    expect(genauth.revoked(token)).toBe(false);
    const newcomer = await start();
    expect(await statusOf(newcomer, token)).toBe(401);
  });

  it('are degraded while NATS is away, ask GenAuth meanwhile, and make up for it', async () => {
    const [here, there] = [await start(), await start()];
    const token = signIn('ada');
    expect(await statusOf(there, token)).toBe(200);
    await server.kill();
    const failure = await failureOf(here.tokens.revoke(token));
    expect(failure.code).toBe('log_not_acknowledged');
    expect(await statusOf(here, token)).toBe(401);
    await eventually(() => there.tokens.readiness() === 'degraded', LONG_MS);
    await genauth.goDown();
    expect(await statusOf(there, token)).toBe(503);
    await server.restart();
    await eventually(async () => (await statusOf(there, token)) === 401, LONG_MS);
    await eventually(() => there.tokens.readiness() === 'ready', LONG_MS);
  });

  it('keep no errands, and say so', async () => {
    const here = await start();
    const token = signIn('ada');
    await genauth.goDown();
    const { code, receipt } = await failureOf(
      here.tokens.revoke(token, { whenUnreachable: 'queue', tokenTypeHint: 'access_token' }),
    );
    expect(code).toBe('no_outbox');
    expect(receipt.success).toBe(false);
    expect(await statusOf(here, token)).toBe(401);
  });
});
