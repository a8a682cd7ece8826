import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import {
  Controller,
  type ExecutionContext,
  Get,
  HttpCode,
  Injectable,
  type LoggerService,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';

import {
  type AlarmMessage,
  Audience,
  BearerToken,
  CurrentPrincipal,
  Fresh,
  GenAuthError,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  GenAuthUnavailableError,
  InsufficientScopeError,
  OnRevocation,
  OptionalAuth,
  type Principal,
  Public,
  type RefusalMessage,
  type RevocationEvent,
  Scopes,
  TokenError,
  TokenService,
} from '../../src/index.js';
import { FakeGenAuth, VirtualClock } from '../../src/testing.js';
import { platforms } from '../harness/guarded-app.js';
import { eventually, type NestApp, startNestApp } from '../harness/nest-app.js';
import { rawRequest } from '../harness/raw-http.js';

const UNAUTHORIZED = '{"statusCode":401,"message":"Unauthorized"}';
const INVALID_TOKEN = '{"statusCode":401,"error":"invalid_token","message":"Unauthorized"}';
const INSUFFICIENT = '{"statusCode":403,"error":"insufficient_scope","message":"Forbidden"}';
const INVALID_REQUEST = '{"statusCode":400,"error":"invalid_request","message":"Bad Request"}';
const UNAVAILABLE =
  '{"statusCode":503,"error":"temporarily_unavailable","message":"Service Unavailable"}';

/** Late enough after the start of an application that its own log covers the tokens issued from then. */
const COVERED_MS = 20_000;

@Controller('books')
@UseGuards(GenAuthGuard)
@Scopes('book:read')
class BooksController {
  @Get()
  list(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub ?? null, clientId: who.clientId ?? null, appId: who.appId };
  }

  @Get('write')
  @Scopes('book:write', 'book:read')
  write() {
    return { written: true };
  }

  @Get('one')
  @Scopes('book:1:read')
  one() {
    return { one: true };
  }

  @Get('none')
  @Scopes()
  none() {
    return { none: true };
  }

  @Get('open')
  @Public()
  open(@CurrentPrincipal() who: Principal | undefined) {
    return { sub: who?.sub ?? null };
  }
}

@Controller()
@UseGuards(GenAuthGuard)
@Audience('first', 'second')
class OddsController {
  @Get('class-audience')
  classAudience() {
    return {};
  }

  @Get('method-audience')
  @Audience('third')
  methodAudience() {
    return {};
  }
}

@Controller()
@UseGuards(GenAuthGuard)
class PlainController {
  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub ?? null, appId: who.appId };
  }

  @Get('optional')
  @OptionalAuth()
  optional(@CurrentPrincipal() who: Principal | undefined, @BearerToken() token?: string) {
    return { sub: who?.sub ?? null, principal: who !== undefined, token: token !== undefined };
  }

  @Get('token')
  @HttpCode(200)
  token(@BearerToken() token: string) {
    return { token };
  }

  @Get('fresh')
  @Fresh({ maxAge: 1_000 })
  fresh() {
    return {};
  }

  @Get('asked')
  @Fresh({ maxAge: 0 })
  asked() {
    return {};
  }

  @Get('quoted')
  @Scopes('a"b\\c', 'say:ä', 'plain')
  quoted() {
    return {};
  }

  @Get('frozen')
  frozen(@CurrentPrincipal() who: Principal) {
    const open: unknown[] = [who];
    const unfrozen: unknown[] = [];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (!Object.isFrozen(one)) unfrozen.push(one);
      open.push(...Object.values(one as object).filter((v) => typeof v === 'object' && v !== null));
    }
    return { unfrozen: unfrozen.length, tried: Reflect.set(who, 'sub', 'someone else') };
  }
}

@Controller('free')
class FreeController {
  @Get()
  free() {
    return { free: true };
  }
}

const CONTROLLERS: Type[] = [BooksController, OddsController, PlainController, FreeController];

/** Everything published on a channel while something runs. */
async function published<T>(channel: string, run: () => Promise<unknown>): Promise<T[]> {
  const messages: T[] = [];
  const listen = (message: unknown) => void messages.push(message as T);
  subscribe(channel, listen);
  try {
    await run();
  } finally {
    unsubscribe(channel, listen);
  }
  return messages;
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  );
}

// First in the file: later cases leave connections that close in their own time.
describe.each(platforms)('an application on %s that is closed', (platform) => {
  const count = (pattern: RegExp) =>
    process.getActiveResourcesInfo().filter((name) => pattern.test(name)).length;
  const sockets = () => count(/TCPSocket/);
  /** Listening sockets and timers. */
  const others = () => count(/Timeout|Server/);

  beforeEach(() => eventually('no socket of another case is left', () => sockets() === 0));

  it('leaves no timer and no socket behind', async () => {
    await using own = await FakeGenAuth.start();
    const before = others();
    await using app = await startNestApp(
      {
        imports: [GenAuthModule.forRoot({ ...own.application.options(), timeout: 60_000 })],
        controllers: CONTROLLERS,
      },
      { platform },
    );
    const { access_token: token } = own.signIn();
    const lines = [`Authorization: Bearer ${token}`];
    expect((await rawRequest(app.url, { path: '/me', lines })).status).toBe(200);
    await app.tokens.revoke(token);
    await app.tokens.introspect(own.signIn().access_token);
    expect(own.requests.count()).toBeGreaterThanOrEqual(3);
    expect(sockets()).toBeGreaterThan(0);
    await app.close();
    await eventually('all is as before', () => sockets() === 0 && others() <= before);
  });

  it('lets no call to GenAuth outlive it', async () => {
    await using own = await FakeGenAuth.start();
    const before = others();
    await using app = await startNestApp(
      {
        imports: [GenAuthModule.forRoot({ ...own.application.options(), timeout: 60_000 })],
        controllers: CONTROLLERS,
      },
      { platform },
    );
    own.fault('introspection', 'slow');
    const asking = rejection(app.tokens.introspect(own.signIn().access_token));
    await own.requests.until('introspection', 1);
    await app.close();
    expect(await asking).toBeInstanceOf(GenAuthUnavailableError);
    await eventually('all is as before', () => sockets() === 0 && others() <= before);
  });
});

describe.each(platforms)('the guard on %s', (platform) => {
  let genauth: FakeGenAuth;
  let clock: VirtualClock;
  const running: NestApp[] = [];

  async function start(
    more: Partial<GenAuthModuleOptions> = {},
    extras: { controllers?: Type[]; providers?: Type[]; prefix?: string } = {},
  ): Promise<NestApp> {
    const options = { ...genauth.application.options(), ...more } as GenAuthModuleOptions;
    return startWith(options, extras);
  }

  async function startWith(
    options: GenAuthModuleOptions,
    {
      controllers = CONTROLLERS,
      providers = [],
      prefix,
    }: { controllers?: Type[]; providers?: Type[]; prefix?: string } = {},
  ): Promise<NestApp> {
    const metadata = { imports: [GenAuthModule.forRoot(options)], controllers, providers };
    const app = await startNestApp(metadata, { platform, clock, ...(prefix && { prefix }) });
    running.push(app);
    // To a whole second, for cases that count milliseconds of what has whole seconds.
    clock.advance(COVERED_MS - (clock.now() % 1_000));
    return app;
  }

  beforeAll(async () => {
    clock = new VirtualClock(Date.UTC(2031, 0, 6, 9));
    genauth = await FakeGenAuth.start({ clock });
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
    genauth.recover();
    genauth.requests.clear();
  });

  afterAll(() => genauth.stop());

  describe('answers', () => {
    it('200 to a good token, with the principal of the token', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn({ sub: 'alice', scope: 'book' });
      const answer = await app.call('/books', token);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toEqual({
        sub: 'alice',
        clientId: genauth.application.appId,
        appId: genauth.application.appId,
      });
      expect(answer.headers.get('www-authenticate')).toBeNull();
    });

    it('a bare challenge when nothing was sent, or credentials of another scheme', async () => {
      const app = await start();
      const basic = { headers: { authorization: 'Basic Zm9vOmJhcg==' } };
      for (const answer of [await app.call('/me'), await app.call('/me', undefined, basic)]) {
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer');
        expect(answer.body).toBe(UNAUTHORIZED);
      }
    });

    it('invalid_token to a refused token, and not a word about why', async () => {
      const app = await start();
      const forged = genauth.token({}, { key: genauth.foreignKey() });
      const old = genauth.token({ exp: 1 });
      for (const token of [forged, old]) {
        const answer = await app.call('/me', token);
        expect(answer.status).toBe(401);
        expect(answer.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
        expect(answer.body).toBe(INVALID_TOKEN);
      }
    });

    it('insufficient_scope with every scope that the route asks for', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn({ scope: 'book:read openid' });
      const answer = await app.call('/books/write', token);
      expect(answer.status).toBe(403);
      expect(answer.headers.get('www-authenticate')).toBe(
        'Bearer error="insufficient_scope", scope="book:write book:read"',
      );
      expect(answer.body).toBe(INSUFFICIENT);
    });

    it('a challenge that stays well-formed whatever characters the scopes have', async () => {
      const app = await start();
      const answer = await app.call('/quoted', genauth.signIn({ scope: 'openid' }).access_token);
      expect(answer.status).toBe(403);
      expect(answer.headers.get('www-authenticate')).toBe(
        'Bearer error="insufficient_scope", scope="abc say: plain"',
      );
    });

    it('invalid_request to a malformed Authorization header and to two credentials', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn();
      const requests = [
        { lines: ['Authorization: Bearer'] },
        { lines: ['Authorization: Bearer a b'] },
        { lines: [`Authorization: Bearer ${token}`, `Authorization: Bearer ${token}`] },
        { path: `/me?access_token=${token}`, lines: [`Authorization: Bearer ${token}`] },
      ];
      for (const request of requests) {
        const answer = await rawRequest(app.url, { path: '/me', ...request });
        expect(answer.status).toBe(400);
        expect(answer.headers.get('www-authenticate')).toEqual(['Bearer error="invalid_request"']);
        expect(answer.body).toBe(INVALID_REQUEST);
      }
    });

    it('503 with Retry-After when GenAuth is needed and away, and 200 when it is back', async () => {
      const app = await start({ keys: { cooldown: 100 } });
      genauth.fault('jwks', { status: 500 });
      const { access_token: token } = genauth.signIn();
      const answer = await app.call('/me', token);
      expect(answer.status).toBe(503);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(answer.headers.get('www-authenticate')).toBeNull();
      expect(answer.body).toBe(UNAVAILABLE);
      genauth.recover();
      clock.advance(100);
      expect((await app.call('/me', token)).status).toBe(200);
    });

    it.each(['down', 'html', 'garbage', 'reset', 'endless', 'bomb'] as const)(
      '503, never 401, while introspection is %s',
      async (fault) => {
        const app = await start({ timeout: 500 });
        const { access_token: token } = genauth.signIn();
        genauth.fault('introspection', fault);
        const answer = await app.call('/asked', token);
        expect(answer.status).toBe(503);
        expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
        expect(answer.body).toBe(UNAVAILABLE);
        expect((await app.call('/me', token)).status).toBe(200);
      },
    );
  });

  describe('routes', () => {
    it('@Public lets everyone in and looks at no token', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn();
      const refusals = await published('genauth:refusal', async () => {
        for (const sent of [undefined, token, 'junk', 'a b']) {
          const answer = await app.call('/books/open', sent);
          expect([answer.status, answer.body]).toEqual([200, '{"sub":null}']);
        }
      });
      expect(refusals).toEqual([]);
      expect(genauth.requests.count()).toBe(0);
    });

    it('@OptionalAuth lets a request without a token in, without a principal', async () => {
      const app = await start();
      const nobody = await app.call('/optional');
      expect(JSON.parse(nobody.body)).toEqual({ sub: null, principal: false, token: false });
      const { access_token: token } = genauth.signIn({ sub: 'bob' });
      const somebody = await app.call('/optional', token);
      expect(JSON.parse(somebody.body)).toEqual({ sub: 'bob', principal: true, token: true });
    });

    it('@OptionalAuth refuses a token that is sent and bad', async () => {
      const app = await start();
      const expired = await app.call('/optional', genauth.token({ exp: 1 }));
      expect([expired.status, expired.body]).toEqual([401, INVALID_TOKEN]);
      const malformed = await app.call('/optional', 'a b');
      expect([malformed.status, malformed.body]).toEqual([400, INVALID_REQUEST]);
    });

    it.each([
      ['/books', 'book:read', 200],
      ['/books', 'book', 200],
      ['/books', 'book:*', 200],
      ['/books', 'book:*:*', 200],
      ['/books', 'book:*:read', 200],
      ['/books', '*', 200],
      ['/books', '*:*', 200],
      ['/books', '*:*:*', 200],
      ['/books', 'openid book:read', 200],
      ['/books', 'book:1:read', 403],
      ['/books', 'book:write', 403],
      ['/books', 'books', 403],
      ['/books', 'boo', 403],
      ['/books', 'BOOK:READ', 403],
      ['/books', 'book:read:', 403],
      ['/books', 'book:', 403],
      ['/books', ':read', 403],
      ['/books', 'book:*:*:*', 403],
      ['/books', 'openid', 403],
      ['/books', '', 403],
      ['/books/one', 'book:1:read', 200],
      ['/books/one', 'book:read', 200],
      ['/books/one', 'book:1:*', 200],
      ['/books/one', 'book:2:read', 403],
      ['/books/one', 'book:1:write', 403],
      ['/books/write', 'book', 200],
      ['/books/write', 'book:write book:read', 200],
      ['/books/write', 'book:write', 403],
      ['/books/none', 'openid', 200],
    ])('%s with the scope "%s" is answered %i', async (path, scope, status) => {
      const app = await start();
      expect((await app.call(path, genauth.signIn({ scope }).access_token)).status).toBe(status);
    });

    it("a method's audience takes the place of its class's", async () => {
      const app = await start({ audience: ['first', 'second', 'third', 'fourth'] });
      const statuses = async (aud: unknown) => {
        const { access_token: token } = genauth.signIn({ claims: { aud } });
        const paths = ['/class-audience', '/method-audience', '/me'];
        return Promise.all(paths.map(async (path) => (await app.call(path, token)).status));
      };
      expect(await statuses('first')).toEqual([200, 401, 200]);
      expect(await statuses(['fourth', 'second'])).toEqual([200, 401, 200]);
      expect(await statuses('third')).toEqual([401, 200, 200]);
      expect(await statuses('fourth')).toEqual([401, 401, 200]);
      expect(await statuses('fifth')).toEqual([401, 401, 401]);
    });

    it('@Fresh asks GenAuth when its word is older than the route allows, @Fresh 0 each time', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn();
      const asked = () => genauth.requests.count('introspection');
      expect((await app.call('/me', token)).status).toBe(200);
      expect(asked()).toBe(0);
      expect((await app.call('/fresh', token)).status).toBe(200);
      expect(asked()).toBe(1);
      clock.advance(1_000);
      expect((await app.call('/fresh', token)).status).toBe(200);
      expect(asked()).toBe(1);
      clock.advance(1);
      expect((await app.call('/fresh', token)).status).toBe(200);
      expect(asked()).toBe(2);
      clock.advance(1);
      await app.call('/asked', token);
      clock.advance(1);
      await app.call('/asked', token);
      expect(asked()).toBe(4);
    });

    it('@Fresh learns that GenAuth has ended a grant, and from then on every route knows', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn();
      expect((await app.call('/me', token)).status).toBe(200);
      genauth.revokeGrantOf(token);
      expect((await app.call('/me', token)).status).toBe(200);
      expect((await app.call('/asked', token)).status).toBe(401);
      expect((await app.call('/me', token)).status).toBe(401);
    });

    it('@CurrentPrincipal is frozen all the way down', async () => {
      const app = await start();
      const claims = { nested: { list: [{ deep: true }] } };
      const { access_token: token } = genauth.signIn({ claims });
      for (let round = 0; round < 2; round += 1) {
        const answer = await app.call('/frozen', token);
        expect(JSON.parse(answer.body)).toEqual({ unfrozen: 0, tried: false });
      }
    });

    it('@BearerToken is the token as it was sent', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn();
      expect(JSON.parse((await app.call('/token', token)).body)).toEqual({ token });
      const headers = { authorization: `bEARER   ${token}` };
      expect(JSON.parse((await app.call('/token', undefined, { headers })).body)).toEqual({
        token,
      });
    });

    it('guards only the controllers that ask for it', async () => {
      const app = await start();
      expect((await app.call('/free')).status).toBe(200);
      expect((await app.call('/me')).status).toBe(401);
    });

    it('guards under a global prefix', async () => {
      const app = await start({}, { prefix: 'api/v1' });
      const { access_token: token } = genauth.signIn({ scope: 'book' });
      expect((await app.call('/api/v1/books', token)).status).toBe(200);
      expect((await app.call('/api/v1/books')).status).toBe(401);
      expect((await app.call('/books', token)).status).toBe(404);
    });

    it('guards every route as APP_GUARD, with one module instance behind it', async () => {
      const options = genauth.application.options();
      const app = await startNestApp(
        {
          imports: [GenAuthModule.forRoot(options)],
          controllers: [FreeController, BooksController],
          providers: [{ provide: APP_GUARD, useExisting: GenAuthGuard }],
        },
        { platform, clock },
      );
      running.push(app);
      clock.advance(COVERED_MS);
      const { access_token: token } = genauth.signIn({ scope: 'openid' });
      expect((await app.call('/free')).status).toBe(401);
      expect((await app.call('/free', token)).status).toBe(200);
      expect((await app.call('/books', token)).status).toBe(403);
      expect((await app.call('/books/open')).status).toBe(200);
      expect(genauth.requests.count()).toBe(1);
    });

    it('guards every route as APP_GUARD with useClass', async () => {
      const app = await startNestApp(
        {
          imports: [GenAuthModule.forRoot(genauth.application.options())],
          controllers: [FreeController],
          providers: [{ provide: APP_GUARD, useClass: GenAuthGuard }],
        },
        { platform, clock },
      );
      running.push(app);
      clock.advance(COVERED_MS);
      expect((await app.call('/free')).status).toBe(401);
      expect((await app.call('/free', genauth.signIn().access_token)).status).toBe(200);
    });
  });

  describe('tokens', () => {
    it('verifies a JWT once and asks GenAuth for nothing but the keys', async () => {
      const app = await start();
      const { access_token: token } = genauth.signIn();
      for (let round = 0; round < 5; round += 1) {
        expect((await app.call('/me', token)).status).toBe(200);
      }
      const others = Array.from({ length: 5 }, () => genauth.signIn().access_token);
      for (const other of others) expect((await app.call('/me', other)).status).toBe(200);
      expect(genauth.requests.count('jwks')).toBe(1);
      expect(genauth.requests.count()).toBe(1);
    });

    it('fetches the keys once for many requests at the same time', async () => {
      const app = await start();
      const tokens = Array.from({ length: 20 }, () => genauth.signIn().access_token);
      const answers = await Promise.all(tokens.map((token) => app.call('/me', token)));
      expect(answers.map(({ status }) => status)).toEqual(tokens.map(() => 200));
      expect(genauth.requests.count('jwks')).toBe(1);
    });

    it('asks GenAuth once about a token that is older than the application', async () => {
      const { access_token: token } = genauth.signIn();
      clock.advance(COVERED_MS);
      const app = await start();
      for (let round = 0; round < 3; round += 1) {
        expect((await app.call('/me', token)).status).toBe(200);
      }
      expect(genauth.requests.count('introspection')).toBe(1);
      genauth.revokeGrantOf(token);
      const revoked = genauth.signIn().access_token;
      expect((await app.call('/me', revoked)).status).toBe(200);
    });

    it('takes a remembered token no further than its own expiry', async () => {
      const app = await start({ clockTolerance: 0 });
      const { access_token: token } = genauth.signIn({ lifetime: 30 });
      expect((await app.call('/me', token)).status).toBe(200);
      clock.advance(29_999);
      expect((await app.call('/me', token)).status).toBe(200);
      clock.advance(1);
      expect((await app.call('/me', token)).status).toBe(401);
    });

    it('remembers what introspection says of an opaque token for introspectionTtl', async () => {
      const app = await start({ protocol: 'oauth', introspectionTtl: 4_000 });
      const { access_token: token } = genauth.opaqueToken({ sub: 'carol' });
      const asked = () => genauth.requests.count('introspection');
      for (let round = 0; round < 3; round += 1) {
        const answer = await app.call('/me', token);
        expect([answer.status, JSON.parse(answer.body)]).toEqual([
          200,
          { sub: 'carol', appId: genauth.application.appId },
        ]);
      }
      expect(asked()).toBe(1);
      clock.advance(3_999);
      expect((await app.call('/me', token)).status).toBe(200);
      expect(asked()).toBe(1);
      clock.advance(1);
      expect((await app.call('/me', token)).status).toBe(200);
      expect(asked()).toBe(2);
      const { path, body } = genauth.requests.last('introspection') ?? {};
      expect(path).toBe('/oauth/token/introspection');
      expect(body).toEqual({
        token,
        token_type_hint: 'access_token',
        client_id: genauth.application.appId,
        client_secret: genauth.application.appSecret,
      });
    });

    it('learns within introspectionTtl that an opaque token was revoked elsewhere', async () => {
      const app = await start({ protocol: 'oauth' });
      const { access_token: token } = genauth.opaqueToken();
      expect((await app.call('/me', token)).status).toBe(200);
      genauth.revokeGrantOf(token);
      clock.advance(10_000);
      expect((await app.call('/me', token)).status).toBe(401);
    });

    it('asks once for many requests with one opaque token at the same time', async () => {
      const app = await start({ protocol: 'oauth' });
      const { access_token: token } = genauth.opaqueToken();
      const answers = await Promise.all(Array.from({ length: 20 }, () => app.call('/me', token)));
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(genauth.requests.count('introspection')).toBe(1);
    });

    it('never takes an opaque refresh token for an access token', async () => {
      const app = await start({ protocol: 'oauth' });
      expect((await app.call('/me', genauth.opaqueToken().refresh_token)).status).toBe(401);
    });

    it('holds a JWT against GenAuth every introspectionTtl when verification is online', async () => {
      const app = await start({ verification: 'online', introspectionTtl: 4_000 });
      const { access_token: token } = genauth.signIn();
      expect((await app.call('/me', token)).status).toBe(200);
      expect((await app.call('/me', token)).status).toBe(200);
      expect(genauth.requests.count('introspection')).toBe(1);
      genauth.revokeGrantOf(token);
      clock.advance(4_001);
      expect((await app.call('/me', token)).status).toBe(401);
    });

    it('takes machine tokens only with acceptAuthorizedParty', async () => {
      const [closed, open] = [await start(), await start({ acceptAuthorizedParty: true })];
      const token = genauth.machineToken({ scope: 'book:read' });
      expect((await closed.call('/books', token)).status).toBe(401);
      const answer = await open.call('/books', token);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toEqual({
        sub: null,
        clientId: genauth.application.appId,
        appId: genauth.application.appId,
      });
      const foreign = genauth.machineToken({ claims: { azp: 'someone-else' }, scope: 'book' });
      expect((await open.call('/books', foreign)).status).toBe(401);
    });

    it.each(['PS256', 'ES256', 'EdDSA'] as const)(
      'takes %s when and only when allowed',
      async (alg) => {
        const one = await FakeGenAuth.start({ clock, applications: [{ alg }] });
        try {
          const options = one.application.options();
          const allowing = await startWith({ ...options, algorithms: [alg] });
          const refusing = await startWith(options);
          const { access_token: token } = one.signIn();
          expect((await allowing.call('/me', token)).status).toBe(200);
          expect((await refusing.call('/me', token)).status).toBe(401);
        } finally {
          await one.stop();
        }
      },
    );

    it('takes tokens without kid while exactly one published key fits', async () => {
      const one = await FakeGenAuth.start({ clock, applications: [{}] });
      try {
        one.switches.accessTokenWithoutKid = true;
        const app = await startWith({ ...one.application.options(), keys: { maxAge: 1_000 } });
        expect((await app.call('/me', one.signIn().access_token)).status).toBe(200);
        one.application.keys.add('RS256');
        clock.advance(1_001);
        const { access_token: token } = one.signIn();
        await app.call('/me', token);
        await eventually('two keys are known, and neither is guessed', async () => {
          const other = one.signIn().access_token;
          return (await app.call('/me', other)).status === 401;
        });
      } finally {
        await one.stop();
      }
    });

    it('follows a key rotation, and a withdrawn key takes its remembered tokens with it', async () => {
      const one = await FakeGenAuth.start({ clock, applications: [{ alg: 'ES256' }] });
      try {
        const keys = { maxAge: 5_000, cooldown: 1_000 };
        const options = { ...one.application.options(), algorithms: ['ES256' as const], keys };
        const app = await startWith(options);
        const { access_token: before } = one.signIn();
        expect((await app.call('/me', before)).status).toBe(200);
        one.application.keys.replace('ES256');
        const { access_token: after } = one.signIn();
        clock.advance(1_001);
        expect((await app.call('/me', after)).status).toBe(200);
        expect((await app.call('/me', before)).status).toBe(401);
      } finally {
        await one.stop();
      }
    });
  });

  describe('several applications', () => {
    const both = (): GenAuthModuleOptions => ({
      applications: genauth.applications.map((one) => one.options()),
    });

    it('chooses the right one by iss', async () => {
      const app = await startWith(both());
      for (const { appId } of genauth.applications) {
        const { access_token: token } = genauth.signIn({ appId, sub: 'dora' });
        const answer = await app.call('/me', token);
        expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { sub: 'dora', appId }]);
      }
    });

    it('refuses a token of an application that is not configured', async () => {
      const app = await start();
      const [, second] = genauth.applications;
      const { access_token: token } = genauth.signIn({ appId: second?.appId ?? '' });
      const refusals = await published<RefusalMessage>('genauth:refusal', async () => {
        expect((await app.call('/me', token)).status).toBe(401);
      });
      expect(refusals.map(({ reason }) => reason)).toEqual(['issuer']);
      expect(genauth.requests.count()).toBe(0);
    });

    it('refuses a token that one application signed in the name of another', async () => {
      const app = await startWith(both());
      const [first, second] = genauth.applications;
      const key = second?.keys.current;
      if (!first || !key) throw new Error('the stand-in has two applications');
      const underOwnKid = genauth.token({}, { key: key.privateKey, kid: key.kid });
      const underTheirs = genauth.token({}, { key: key.privateKey });
      const wrongAudience = genauth.token({ aud: second.appId });
      for (const token of [underOwnKid, underTheirs, wrongAudience]) {
        expect((await app.call('/me', token)).status).toBe(401);
      }
    });

    it('asks one after the other about an opaque token, and each with its own credentials', async () => {
      genauth.switches.introspectForeignTokens = false;
      const [first, second] = genauth.applications;
      const app = await startWith({
        applications: genauth.applications.map((one) => ({
          ...one.options(),
          protocol: 'oauth' as const,
        })),
      });
      const { access_token: token } = genauth.opaqueToken({
        appId: second?.appId ?? '',
        sub: 'eve',
      });
      const answer = await app.call('/me', token);
      expect([answer.status, JSON.parse(answer.body)]).toEqual([
        200,
        { sub: 'eve', appId: second?.appId },
      ]);
      const asked = genauth.requests.of('introspection').map(({ body }) => body['client_secret']);
      expect(asked).toEqual([first?.appSecret, second?.appSecret]);
      expect((await app.call('/me', 'nobodys-token')).status).toBe(401);
      genauth.switches.introspectForeignTokens = true;
    });

    it('takes an opaque token for its own application only, even if every server knows it', async () => {
      const app = await startWith({
        applications: genauth.applications.map((one) => ({
          ...one.options(),
          protocol: 'oauth' as const,
        })),
      });
      const [, second] = genauth.applications;
      const { access_token: token } = genauth.opaqueToken({ appId: second?.appId ?? '' });
      const answer = await app.call('/me', token);
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.body)).toMatchObject({ appId: second?.appId });
    });

    it('says 503, not 401, about an opaque token when one of them could not be asked', async () => {
      const app = await startWith({
        applications: genauth.applications.map((one) => ({
          ...one.options(),
          protocol: 'oauth' as const,
        })),
      });
      genauth.fault('introspection', { status: 500 }, 1);
      expect((await app.call('/me', 'nobodys-token')).status).toBe(503);
      expect((await app.call('/me', 'nobodys-token')).status).toBe(401);
    });
  });

  describe('contexts that are not HTTP', () => {
    it.each(['rpc', 'ws', 'graphql', 'something'])(
      'refuses %s, and tells the operator',
      async (type) => {
        const app = await start();
        const guard = app.app.get(GenAuthGuard);
        const touched: string[] = [];
        const context = {
          getType: () => type,
          getHandler: () => PlainController.prototype.me,
          getClass: () => PlainController,
          getArgs: () => void touched.push('args'),
          getArgByIndex: () => void touched.push('arg'),
          switchToHttp: () => void touched.push('http'),
          switchToRpc: () => void touched.push('rpc'),
          switchToWs: () => void touched.push('ws'),
        } as unknown as ExecutionContext;
        const errors: string[] = [];
        const logger: LoggerService = {
          log: () => {},
          warn: () => {},
          error: (message: string) => void errors.push(message),
        };
        app.app.useLogger(logger);
        const refusals = await published<RefusalMessage>('genauth:refusal', async () => {
          expect(await guard.canActivate(context)).toBe(false);
        });
        app.app.useLogger(false);
        expect(refusals).toHaveLength(1);
        expect(refusals[0]).toMatchObject({ code: 'unsupported_context', reason: 'context' });
        expect(refusals[0]?.detail).toContain(`'${type}'`);
        expect(errors).toEqual([expect.stringContaining(`'${type}'`)]);
        expect(touched).toEqual([]);
      },
    );

    it('refuses them even where the handler is public', async () => {
      const app = await start();
      const context = {
        getType: () => 'rpc',
        getHandler: () => BooksController.prototype.open,
        getClass: () => BooksController,
      } as unknown as ExecutionContext;
      expect(await app.app.get(GenAuthGuard).canActivate(context)).toBe(false);
    });
  });

  describe('listeners', () => {
    const heard: [who: string, event: RevocationEvent][] = [];

    @Injectable()
    class Audit {
      private readonly name = 'provider';

      @OnRevocation()
      audit(event: RevocationEvent) {
        heard.push([this.name, event]);
      }
    }

    @Injectable()
    class Broken {
      @OnRevocation()
      throwing() {
        throw new Error('out of order');
      }

      @OnRevocation()
      rejecting() {
        return Promise.reject(new Error('out of order'));
      }

      @OnRevocation()
      hanging() {
        return new Promise(() => {});
      }
    }

    @Controller('listening')
    @UseGuards(GenAuthGuard)
    class Listening {
      @Get()
      get() {
        return {};
      }

      @OnRevocation()
      hear(event: RevocationEvent) {
        heard.push(['controller', event]);
      }
    }

    const parts = { controllers: [...CONTROLLERS, Listening], providers: [Broken, Audit] };

    afterEach(() => {
      heard.length = 0;
    });

    it('are called on providers and controllers, whatever the others do', async () => {
      const app = await start({}, parts);
      const { access_token: token } = genauth.signIn();
      expect((await app.call('/listening', token)).status).toBe(200);
      const alarms = await published<AlarmMessage>('genauth:alarm', async () => {
        const receipt = await app.tokens.revoke(token, { reason: 'left' });
        expect(receipt).toEqual({ success: true, log: 'acknowledged', genauth: 'confirmed' });
        await eventually('both listeners were called', () => heard.length >= 2);
        await eventually('the failures were told', () => failures.length >= 2);
      });
      expect(alarms.map(({ alarm }) => alarm)).toEqual(['listener_failed', 'listener_failed']);
      expect(heard.map(([who]) => who).sort()).toEqual(['controller', 'provider']);
      for (const [, event] of heard) {
        expect(event).toMatchObject({ kind: 'token', source: 'revoke', reason: 'left' });
        expect(JSON.stringify(event)).not.toContain(token.split('.')[2]);
      }
      expect((await app.call('/listening', token)).status).toBe(401);
    });

    const failures: AlarmMessage[] = [];
    const note = (message: unknown) => void failures.push(message as AlarmMessage);
    beforeAll(() => subscribe('genauth:alarm', note));
    afterAll(() => {
      unsubscribe('genauth:alarm', note);
    });

    it('hear of every kind of revocation, and revocations$ says the same', async () => {
      const app = await start({}, parts);
      const seen: RevocationEvent[] = [];
      let completed = false;
      app.tokens.revocations$.subscribe({
        next: (event) => void seen.push(event),
        complete: () => (completed = true),
      });
      await app.tokens.revokeSubject('frank', { reason: 'gone' });
      await app.tokens.revokeSession('session-1');
      await app.tokens.revokeClient('client-1');
      await app.tokens.revokeIssuer(genauth.application.issuer);
      const { refresh_token: refresh } = genauth.signIn();
      await app.tokens.revoke(refresh);
      expect(seen.map(({ source }) => source)).toEqual([
        'revokeSubject',
        'revokeSession',
        'revokeClient',
        'revokeIssuer',
        'revoke',
        'revoke',
      ]);
      expect(seen.map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['subject', 'session', 'client', 'issuer', 'token']),
      );
      await eventually('the provider heard them all', () => {
        return heard.filter(([who]) => who === 'provider').length === seen.length;
      });
      await app.close();
      running.splice(running.indexOf(app), 1);
      expect(completed).toBe(true);
    });

    it('cannot keep a revocation from taking effect at once', async () => {
      const app = await start({}, parts);
      const { access_token: token } = genauth.signIn();
      expect((await app.call('/me', token)).status).toBe(200);
      const hold = genauth.hold('revocation');
      const revoking = app.tokens.revoke(token);
      expect((await app.call('/me', token)).status).toBe(401);
      hold.release();
      await expect(revoking).resolves.toMatchObject({ success: true });
    });
  });

  describe('TokenService', () => {
    it('verify() answers with a frozen principal that says what the token says', async () => {
      const app = await start();
      const iat = clock.now() / 1_000;
      const claims = { sid: 's-1', custom: { a: [1] } };
      const { access_token: token } = genauth.signIn({ sub: 'gina', scope: 'a b', claims });
      const principal = await app.tokens.verify(token);
      expect(Object.isFrozen(principal)).toBe(true);
      expect(principal).toMatchObject({
        appId: genauth.application.appId,
        issuer: genauth.application.issuer,
        sub: 'gina',
        clientId: genauth.application.appId,
        audience: [genauth.application.appId],
        scopes: ['a', 'b'],
        issuedAt: iat * 1_000,
        expiresAt: (iat + 1_209_600) * 1_000,
        sessionId: 's-1',
        claims: { custom: { a: [1] } },
      });
      expect(JSON.stringify(principal)).not.toContain(token.split('.')[2]);
      expect(JSON.stringify(principal)).not.toContain(token.split('.')[1]);
    });

    it('verify() holds the token against the demands', async () => {
      const app = await start();
      const [first, second] = genauth.applications;
      const { access_token: token } = genauth.signIn({ scope: 'book:read' });
      const verify = (demands: Parameters<TokenService['verify']>[1]) =>
        rejection(app.tokens.verify(token, demands));
      expect(await verify({ scopes: ['book:1:read'], audience: first?.appId })).toBeUndefined();
      expect(await verify({ appId: first?.appId })).toBeUndefined();
      expect(await verify({ scopes: ['book:write'] })).toBeInstanceOf(InsufficientScopeError);
      expect(await verify({ audience: ['x'] })).toMatchObject({ reason: 'audience' });
      expect(await verify({ audience: [] })).toMatchObject({ reason: 'audience' });
      expect(await verify({ appId: second?.appId })).toMatchObject({ reason: 'audience' });
      expect(genauth.requests.count('introspection')).toBe(0);
      expect(await verify({ maxAge: 0 })).toBeUndefined();
      expect(genauth.requests.count('introspection')).toBe(1);
    });

    it('verify() throws TokenError for anything that is no token, whatever its type', async () => {
      const app = await start();
      const junk: unknown[] = [undefined, null, '', 0, {}, [], Symbol('s'), 'a b', 'ä', '\0', '.'];
      for (const one of junk) {
        const error = await rejection(app.tokens.verify(one as string));
        expect(error).toBeInstanceOf(TokenError);
        expect(error).toBeInstanceOf(GenAuthError);
      }
    });

    it('check() passes until the principal expires or is revoked, without any I/O', async () => {
      const app = await start({ clockTolerance: 0 });
      const { access_token: token } = genauth.signIn({ lifetime: 60, sub: 'hans' });
      const { access_token: other } = genauth.signIn({ sub: 'ines' });
      const [hans, ines] = [await app.tokens.verify(token), await app.tokens.verify(other)];
      genauth.requests.clear();
      app.tokens.check(hans);
      app.tokens.check(ines);
      clock.advance(1_500);
      await app.tokens.revokeSubject('ines', { issuedBefore: new Date(clock.now() + 5_000) });
      app.tokens.check(hans);
      expect(() => app.tokens.check(ines)).toThrow(expect.objectContaining({ reason: 'revoked' }));
      clock.advance(60_000);
      expect(() => app.tokens.check(hans)).toThrow(expect.objectContaining({ reason: 'expired' }));
      expect(genauth.requests.count()).toBe(0);
    });

    it('check() refuses a principal that did not come from verify()', async () => {
      const app = await start();
      const principal = await app.tokens.verify(genauth.signIn().access_token);
      const copies = [{ ...principal }, structuredClone(principal), Object.create(principal)];
      for (const copy of copies) {
        expect(() => app.tokens.check(copy as Principal)).toThrow(TokenError);
      }
    });

    it('check() lets nothing pass once the application is closed', async () => {
      const app = await start();
      const principal = await app.tokens.verify(genauth.signIn().access_token);
      app.tokens.check(principal);
      await app.close();
      running.splice(running.indexOf(app), 1);
      expect(() => app.tokens.check(principal)).toThrow(GenAuthUnavailableError);
    });
  });
});
