import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Injectable, type LoggerService, Post, UseGuards } from '@nestjs/common';
import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';

import {
  BearerToken,
  Fresh,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  OnRevocation,
  type RevocationEvent,
  Scopes,
  TokenService,
} from '../../src/index.js';
import { FakeGenAuth } from '../../src/testing.js';
import { platforms } from '../harness/guarded-app.js';
import { type NestApp, startNestApp } from '../harness/nest-app.js';
import { rawRequest } from '../harness/raw-http.js';

const SUB = 'user-1f0c7a55-very-personal';
const EMAIL = 'margarethe.mustermann@example.com';
const CUSTOM = 'diagnosis-hypochondria-4711';
const SESSION = 'session-of-margarethe-0815';
const CHANNELS = ['genauth:refusal', 'genauth:alarm', 'genauth:revocation'];

/** Everything that came out of the library, by where it came out. */
const captured = new Map<string, string[]>();

function capture(where: string, value: unknown): void {
  const deep = { depth: 20, showHidden: true, maxArrayLength: null, maxStringLength: null };
  const text = typeof value === 'string' ? value : inspect(value, deep);
  captured.set(where, [...(captured.get(where) ?? []), text]);
}

const logger: LoggerService = Object.fromEntries(
  (['log', 'error', 'warn', 'debug', 'verbose', 'fatal'] as const).map((level) => [
    level,
    (...all: unknown[]) => capture('logger', [level, ...all]),
  ]),
) as unknown as LoggerService;

@Injectable()
class Listener {
  @OnRevocation()
  hear(event: RevocationEvent) {
    capture('event', event);
    throw new Error('a listener that fails');
  }
}

@Controller()
@UseGuards(GenAuthGuard)
class GuardedController {
  constructor(private readonly tokens: TokenService) {}

  @Get('plain')
  plain() {
    return {};
  }

  @Get('fresh')
  @Fresh({ maxAge: 0 })
  fresh() {
    return {};
  }

  @Get('scoped')
  @Scopes('never:granted')
  scoped() {
    return {};
  }

  @Post('logout')
  logout(@BearerToken() token: string) {
    return this.tokens.revoke(token);
  }
}

describe.each(platforms)('what leaves the library on %s', (platform) => {
  const spies: { mockRestore(): void }[] = [];
  const listeners = CHANNELS.map((channel) => {
    return [channel, (message: unknown) => capture(channel, message)] as const;
  });
  /** What must not be found anywhere, by what it is. */
  const secrets = new Map<string, string>();
  const stored = new Map<string, unknown>();
  let genauth: FakeGenAuth;
  let app: NestApp;

  /** Notes a token, its segments, and what it would look like in a URL. */
  function secret(name: string, token: string): string {
    secrets.set(name, token);
    token
      .split('.')
      .slice(1)
      .forEach((segment, place) => secrets.set(`${name}, segment ${place + 1}`, segment));
    return token;
  }

  async function attempt(run: () => Promise<unknown>): Promise<void> {
    try {
      capture('result', await run());
    } catch (error) {
      capture('error', error);
      capture('error', JSON.stringify(error));
      capture('error', error instanceof Error ? `${error.stack} ${String(error.cause)}` : '');
    }
  }

  async function call(path: string, token: string, method = 'GET'): Promise<number> {
    const lines = [`Authorization: Bearer ${token}`];
    const answer = await rawRequest(app.url, { method, path, lines });
    capture('answer', answer.text);
    return answer.status;
  }

  function watchOutput(): void {
    for (const level of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
      const spy = jest.spyOn(console, level);
      spies.push(spy.mockImplementation((...all: unknown[]) => capture('console', all)));
    }
    for (const stream of [process.stdout, process.stderr]) {
      const write = stream.write.bind(stream);
      const spy = jest.spyOn(stream, 'write');
      spies.push(
        spy.mockImplementation((chunk: string | Uint8Array) => {
          capture('stream', Buffer.from(chunk as Uint8Array).toString());
          return write(chunk);
        }),
      );
    }
  }

  function options(): GenAuthModuleOptions {
    const cache = { store: createCache({ stores: [new Keyv({ store: stored })] }) };
    const [first, second] = genauth.applications.map((one) => one.options());
    if (!first || !second) throw new Error('the stand-in has two applications');
    return {
      applications: [
        { ...first, introspectionEndPointAuthMethod: 'client_secret_basic' },
        { ...second, protocol: 'oauth' },
      ],
      cache,
      timeout: 200,
    };
  }

  async function guardedCalls(): Promise<void> {
    const claims = { email: EMAIL, custom: { deep: [CUSTOM] }, sid: SESSION };
    const signedIn = genauth.signIn({ sub: SUB, claims, profile: { email: EMAIL } });
    const access = secret('access token', signedIn.access_token);
    const refresh = secret('refresh token', signedIn.refresh_token);
    const id = secret('ID token', signedIn.id_token);
    const appId = genauth.applications[1]?.appId ?? '';
    const opaque = secret('opaque token', genauth.opaqueToken({ appId, sub: SUB }).access_token);
    const forged = secret(
      'forged token',
      genauth.token({ sub: SUB }, { key: genauth.foreignKey() }),
    );
    const expired = secret('expired token', genauth.token({ sub: SUB, exp: 1, email: EMAIL }));
    const foreign = secret('foreign token', genauth.token({ sub: SUB, iss: `https://${CUSTOM}` }));
    const odd = secret('odd token', genauth.token({ sub: [SUB], scope: [CUSTOM], email: EMAIL }));
    const broken = secret('broken token', `${access.slice(0, -2)}==`);
    secrets.set('unknown kid', genauth.token({}, { kid: `kid-${CUSTOM}` }));

    expect(await call('/plain', access)).toBe(200);
    expect(await call('/fresh', access)).toBe(200);
    expect(await call('/scoped', access)).toBe(403);
    expect(await call('/plain', opaque)).toBe(200);
    const bad = [
      refresh,
      id,
      forged,
      expired,
      foreign,
      odd,
      broken,
      secrets.get('unknown kid') ?? '',
    ];
    for (const token of bad) expect(await call('/plain', token)).toBe(401);
    expect(await call('/plain', `${access} ${refresh}`)).toBe(400);
    expect(await call(`/plain?access_token=${opaque}`, 'x')).toBe(400);
    for (const token of [...bad, access, opaque]) {
      await attempt(() => app.tokens.verify(token, { scopes: ['never:granted'] }));
      await attempt(() => app.tokens.verify(token, { audience: 'nobody', maxAge: 0 }));
    }
    // Principals and introspection results are the caller's own: they may say who it is.
    await app.tokens.verify(access);
    await app.tokens.introspect(access);
  }

  async function revocations(): Promise<void> {
    const another = (name: string) => {
      const { access_token: access, refresh_token: refresh } = genauth.signIn({ sub: SUB });
      return [secret(`${name} access`, access), secret(`${name} refresh`, refresh)] as const;
    };
    for (const fault of ['down', 'slow', 'html', 'garbage', 'reset', { status: 401 }] as const) {
      const [access, refresh] = another(`while GenAuth is ${inspect(fault)}:`);
      expect(await call('/plain', access)).toBe(200);
      genauth.fault('*', fault);
      await attempt(() => app.tokens.revoke(access));
      await attempt(() => app.tokens.revoke(refresh));
      await attempt(() => app.tokens.revoke(refresh, { whenUnreachable: 'queue' }));
      await attempt(() => app.tokens.introspect(refresh));
      await attempt(() => app.tokens.verify(access, { maxAge: 0 }));
      await call('/logout', access, 'POST');
      await call('/plain', `opaque-${refresh}`);
      genauth.recover();
      await attempt(() => app.tokens.revoke(access));
      await attempt(() => app.tokens.revoke(refresh));
    }
    const echoing = {
      body: { error: `no ${SUB} ${EMAIL}`, error_description: CUSTOM },
      status: 400,
    };
    const [access] = another('while GenAuth echoes:');
    genauth.fault('*', echoing);
    await attempt(() => app.tokens.revoke(access));
    await attempt(() => app.tokens.introspect(access));
    genauth.recover();
    await attempt(() => app.tokens.revokeSubject(SUB));
    await attempt(() => app.tokens.revokeSession(SESSION));
    await attempt(() => app.tokens.revoke(`${SUB} ${EMAIL}`));
    await attempt(() => app.tokens.revoke(access, { appId: CUSTOM }));
    await attempt(() => app.tokens.revokeIssuer(`https://${CUSTOM}`));
  }

  async function faultyOptions(): Promise<void> {
    const { appSecret } = genauth.application;
    const wrong = [
      { appSecret, appHost: `https://user:${appSecret}@example.com`, timeout: appSecret },
      { appId: 1, appSecret, apSecret: appSecret, algorithms: [appSecret] },
      { applications: [{ appSecret }, { appSecret, appId: 'a', appHost: `x${appSecret}` }] },
      { appSecret: [appSecret], protocol: appSecret, keys: appSecret, cache: { store: appSecret } },
    ];
    for (const one of wrong) {
      await attempt(async () => {
        const imports = [GenAuthModule.forRoot(one as unknown as GenAuthModuleOptions)];
        await startNestApp({ imports }, { platform, logger });
      });
    }
  }

  beforeAll(async () => {
    captured.clear();
    genauth = await FakeGenAuth.start();
    const { appId, appSecret } = genauth.application;
    secrets.set('secret', appSecret);
    secrets.set('other secret', genauth.applications[1]?.appSecret ?? '');
    secrets.set('Basic form', Buffer.from(`${appId}:${appSecret}`).toString('base64'));
    secrets.set('secret in base64', Buffer.from(appSecret).toString('base64').slice(0, -4));
    for (const one of [SUB, EMAIL, CUSTOM, SESSION]) {
      secrets.set(one, one);
      secrets.set(
        `${one} in base64url`,
        Buffer.from(one.slice(0, -1)).toString('base64url').slice(0, -2),
      );
      secrets.set(`${one} in a URL`, encodeURIComponent(one));
    }
    for (const [channel, listen] of listeners) subscribe(channel, listen);
    watchOutput();
    app = await startNestApp(
      {
        imports: [GenAuthModule.forRoot(options())],
        controllers: [GuardedController],
        providers: [Listener],
      },
      { platform, logger },
    );
    app.tokens.revocations$.subscribe((event) => capture('revocations$', event));
    await guardedCalls();
    for (const key of stored.keys()) capture('cache key', key);
    await revocations();
    for (const key of stored.keys()) capture('cache key', key);
    await faultyOptions();
    await app.close();
    for (const spy of spies) spy.mockRestore();
  }, 60_000);

  afterAll(async () => {
    for (const spy of spies) spy.mockRestore();
    for (const [channel, listen] of listeners) unsubscribe(channel, listen);
    await genauth.stop();
  });

  it('came out everywhere, so there was something to search', () => {
    const places = ['answer', 'error', 'event', 'revocations$', 'logger', 'cache key', ...CHANNELS];
    for (const place of places) {
      expect([place, captured.get(place)?.length ?? 0]).not.toEqual([place, 0]);
    }
    expect(captured.get('error')?.join()).toContain('GenAuthModule is not configured correctly');
    expect(captured.get('error')?.join()).toContain('RevocationError');
    expect(captured.get('cache key')?.length).toBeGreaterThan(0);
    expect(secrets.size).toBeGreaterThan(40);
  });

  it('holds no token, no part of one, no secret and nothing personal', () => {
    const found: string[] = [];
    for (const [where, texts] of captured) {
      const all = texts.join('\n');
      for (const [name, text] of secrets) {
        // A refresh token has no segments; an empty text would be found everywhere.
        if (text.length >= 8 && all.includes(text)) found.push(`${name}, in ${where}`);
      }
    }
    expect(found).toEqual([]);
  });
});
