import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { FakeGenAuth } from '../../src/testing.js';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Asks until something answers. */
async function firstAnswer(url: string, deadlineAt: number): Promise<Response> {
  for (;;) {
    try {
      return await fetch(url);
    } catch (error) {
      if (Date.now() > deadlineAt) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe('the quick start', () => {
  let genauth: FakeGenAuth;
  let child: ChildProcess;
  let url: string;

  beforeAll(async () => {
    genauth = await FakeGenAuth.start();
    const { appId, appSecret, appHost } = genauth.application;
    const port = await freePort();
    url = `http://localhost:${port}`;
    child = spawn(process.execPath, ['build/quick-start/main.js'], {
      env: {
        ...process.env,
        PORT: String(port),
        GENAUTH_APP_ID: appId,
        GENAUTH_APP_SECRET: appSecret,
        GENAUTH_APP_HOST: appHost,
      },
      stdio: 'ignore',
    });
  });

  afterAll(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
    await genauth.stop();
  });

  it('is shown in the README as it is compiled', async () => {
    const [readme, sample] = await Promise.all([
      readFile('README.md', 'utf8'),
      readFile('sample/quick-start/app.module.ts', 'utf8'),
    ]);
    expect(readme).toContain(sample);
  });

  it('lets a token in until it is revoked', async () => {
    expect((await firstAnswer(`${url}/me`, Date.now() + 20_000)).status).toBe(401);
    const { access_token: token } = genauth.signIn({ sub: 'ada', scope: 'openid book:read' });
    const headers = { authorization: `Bearer ${token}` };
    const me = await fetch(`${url}/me`, { headers });
    expect(await me.json()).toEqual({ sub: 'ada', scopes: ['openid', 'book:read'] });
    expect((await fetch(`${url}/books`, { headers })).status).toBe(200);
    expect((await fetch(`${url}/logout`, { method: 'POST', headers })).status).toBe(201);
    expect((await fetch(`${url}/me`, { headers })).status).toBe(401);
    expect(genauth.revoked(token)).toBe(true);
  });
});
