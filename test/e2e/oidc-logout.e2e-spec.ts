import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decodeJwt } from 'jose';

import { BackchannelLogoutModule, type BackchannelLogoutOptions } from '../../src/doors.js';
import type { GenAuthModuleOptions } from '../../src/index.js';
import {
  type AuthorizationServer,
  RESOURCE,
  startAuthorizationServer,
} from '../harness/authorization-server.js';
import { signInWithBrowser } from '../harness/browser.js';
import { type DoorApp, startDoorApp } from '../harness/door-app.js';
import { platforms } from '../harness/guarded-app.js';
import { ShiftedClock } from '../harness/shifted-clock.js';

let server: AuthorizationServer;
let app: DoorApp;

beforeEach(async () => {
  server = await startAuthorizationServer();
});

afterEach(async () => {
  await app.close();
  await server.close();
});

/** An application that has been up for an hour, which the server tells of logouts. */
async function start(
  platform: (typeof platforms)[number],
  door: BackchannelLogoutOptions = {},
): Promise<void> {
  const clock = new ShiftedClock(-3_600_000);
  const options = server.options() as GenAuthModuleOptions;
  app = await startDoorApp(options, [BackchannelLogoutModule.forRoot(door)], { platform, clock });
  await app.tokens.ready();
  clock.shiftMs = 0;
  server.logoutUri = app.at('backchannel-logout');
}

describe.each(platforms)('A sign-out at oidc-provider, told to %s', (platform) => {
  it('ends the tokens of that browser session, and not those of another one of the user', async () => {
    await start(platform);
    const [here, there] = [
      await signInWithBrowser(server.issuer, 'alice'),
      await signInWithBrowser(server.issuer, 'alice'),
    ];
    expect(decodeJwt(here.accessToken)['sid']).toBe(decodeJwt(here.idToken)['sid']);
    const tokens = [here.accessToken, there.accessToken];
    expect(await Promise.all(tokens.map(app.statusOf))).toEqual([200, 200]);
    await here.end();
    expect(await Promise.all(tokens.map(app.statusOf))).toEqual([401, 200]);
    await there.end();
    expect(await Promise.all(tokens.map(app.statusOf))).toEqual([401, 401]);
  });

  it.each([
    ['revoke', 401],
    ['keep', 200],
  ] as const)(
    'with sessionless %s: a token of the user that names no session gets %i',
    async (sessionless, status) => {
      await start(platform, { sessionless });
      const session = await signInWithBrowser(server.issuer, 'alice');
      const older = { resource: RESOURCE, issuedAt: Date.now() - 60_000 };
      const { accessToken } = await server.signIn({ sub: 'alice', ...older });
      const bystander = await server.signIn({ sub: 'bob', ...older });
      await session.end();
      expect(await app.statusOf(accessToken)).toBe(status);
      expect(await app.statusOf(bystander.accessToken)).toBe(200);
    },
  );
});
