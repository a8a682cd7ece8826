import 'reflect-metadata';

import { NestFactory } from '@nestjs/core';
import { FakeGenAuth } from 'nestjs-genauth/testing';

import { demoModule } from './app.js';
import { Caller } from './caller.js';

const genauth = await FakeGenAuth.start();
const app = await NestFactory.create(demoModule(genauth.application.options()), {
  logger: ['error'],
});
await app.listen(process.argv.includes('--serve') ? Number(process.env['PORT'] ?? 3000) : 0);
const host = (await app.getUrl()).replace('[::1]', 'localhost');

console.log(`stand-in GenAuth  ${genauth.application.appHost}`);
console.log(`Nest application  ${host}`);

const ada = { sub: 'ada', scope: 'openid book:read' };

if (process.argv.includes('--serve')) serve();
else process.exitCode = (await demonstrate()) === 0 ? 0 : 1;

function serve(): void {
  const tokens = genauth.signIn(ada);
  console.log(`
Try, in another terminal:

export TOKEN=${tokens.access_token}
curl -i ${host}/me
curl -i ${host}/me -H "Authorization: Bearer $TOKEN"
curl -i -X POST ${host}/books -H "Authorization: Bearer $TOKEN"
curl -i -X POST ${host}/signout -H "Content-Type: application/json" -d '{"refresh_token":"${tokens.refresh_token}"}'
curl -i ${host}/me -H "Authorization: Bearer $TOKEN"

Ctrl-C ends it.`);
  process.once('SIGINT', () => void close());
}

async function demonstrate(): Promise<number> {
  const caller = new Caller(host);

  caller.say('Nobody yet');
  await caller.send('GET', '/me', undefined, { status: 401, challenge: 'Bearer' });

  caller.say('Ada signs in; her token is verified here, and remembered');
  const first = genauth.signIn(ada).access_token;
  await caller.send('GET', '/me', first, { status: 200, body: '"ada"' });
  const asked = genauth.requests.count();
  await caller.send('GET', '/me', first, { status: 200, body: '"ada"' });
  console.log(`    (calls to GenAuth for the second request: ${genauth.requests.count() - asked})`);
  caller.expect(genauth.requests.count() === asked, 'a remembered token needs no call');
  await caller.send('POST', '/books', first, { status: 403, challenge: 'insufficient_scope' });

  caller.say('She logs out: the token is revoked, though it is remembered and far from expired');
  await caller.send('POST', '/logout', first, { status: 201, body: '"genauth":"confirmed"' });
  await caller.send('GET', '/me', first, { status: 401, challenge: 'invalid_token' });

  caller.say('A re-spelled copy of the revoked token has the same signature in other characters');
  await caller.send('GET', '/me', genauth.respell(first), {
    status: 401,
    challenge: 'invalid_token',
  });

  await demonstrateCascade(caller);
  await demonstrateOutage(caller);

  await close();
  const { surprises } = caller;
  console.log(
    surprises === 0 ? '\nDone: every step was as said.' : `\n${surprises} steps were not as said.`,
  );
  return surprises;
}

async function demonstrateCascade(caller: Caller): Promise<void> {
  caller.say('She signs in again; revoking the refresh token takes its access token with it');
  const second = genauth.signIn(ada);
  await caller.send('GET', '/me', second.access_token, { status: 200 });
  const { refresh_token } = second;
  await caller.send(
    'POST',
    '/signout',
    undefined,
    { status: 201, body: 'confirmed' },
    { refresh_token },
  );
  await caller.send('GET', '/me', second.access_token, { status: 401, challenge: 'invalid_token' });

  caller.say('And is welcome again at once');
  await caller.send('GET', '/me', genauth.signIn(ada).access_token, { status: 200 });
}

async function demonstrateOutage(caller: Caller): Promise<void> {
  caller.say('GenAuth goes down: what is known here goes on');
  const third = genauth.signIn(ada).access_token;
  await caller.send('GET', '/me', third, { status: 200 });
  await genauth.goDown();
  await caller.send('GET', '/me', third, { status: 200 });
  await caller.send('POST', '/logout', third, { status: 503, body: '"genauth":"unreachable"' });
  console.log('    (GenAuth could not be told; the denial holds all the same)');
  await caller.send('GET', '/me', third, { status: 401, challenge: 'invalid_token' });

  caller.say('GenAuth comes back; revoking again finishes what was begun');
  await genauth.comeBack();
  await caller.send(
    'POST',
    '/signout',
    undefined,
    { status: 201, body: 'confirmed' },
    { refresh_token: third },
  );
  caller.expect(genauth.revoked(third), 'GenAuth knows of the revocation');
}

async function close(): Promise<void> {
  await app.close();
  await genauth.stop();
}
