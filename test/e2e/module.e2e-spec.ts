import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Controller,
  Get,
  Injectable,
  Module,
  type ModuleMetadata,
  UseGuards,
} from '@nestjs/common';

import {
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  GenAuthOptionsError,
  type GenAuthOptionsFactory,
  GenAuthUnavailableError,
  InProcessRevocationLog,
  type Principal,
  RevocationError,
  type RevocationLogContext,
  TokenError,
  TokenService,
} from '../../src/index.js';
import { FakeGenAuth } from '../../src/testing.js';
import { platforms } from '../harness/guarded-app.js';
import { type NestApp, startNestApp } from '../harness/nest-app.js';

@Controller()
@UseGuards(GenAuthGuard)
class GuardedController {
  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub, appId: who.appId };
  }
}

/** A feature module that does not import GenAuthModule itself. */
@Module({ controllers: [GuardedController] })
class FeatureModule {}

@Injectable()
class Settings {
  static current: GenAuthModuleOptions | undefined;

  get(): GenAuthModuleOptions {
    if (!Settings.current) throw new Error('no settings yet');
    return Settings.current;
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class OptionsFactory implements GenAuthOptionsFactory {
  async createGenAuthOptions(): Promise<GenAuthModuleOptions> {
    await Promise.resolve();
    return new Settings().get();
  }
}

@Module({ providers: [OptionsFactory], exports: [OptionsFactory] })
class FactoryModule {}

/** What a start with these options is refused with. */
async function faultsOf(options: unknown): Promise<readonly string[]> {
  const error = await refusalOf({
    imports: [GenAuthModule.forRoot(options as GenAuthModuleOptions)],
  });
  if (!(error instanceof GenAuthOptionsError)) throw error;
  for (const fault of error.faults) expect(error.message).toContain(fault);
  expect(error.code).toBe('invalid_options');
  return error.faults;
}

async function refusalOf(metadata: ModuleMetadata): Promise<unknown> {
  let app: NestApp;
  try {
    app = await startNestApp(metadata);
  } catch (error) {
    return error;
  }
  await app.close();
  return new Error('the application started');
}

describe.each(platforms)('GenAuthModule on %s', (platform) => {
  const running: NestApp[] = [];
  let genauth: FakeGenAuth;

  async function start(metadata: ModuleMetadata): Promise<NestApp> {
    const app = await startNestApp(metadata, { platform });
    running.push(app);
    return app;
  }

  beforeAll(async () => {
    genauth = await FakeGenAuth.start();
    Settings.current = genauth.application.options();
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
  });

  afterAll(() => genauth.stop());

  async function works(app: NestApp): Promise<void> {
    const answer = await app.call('/me', genauth.signIn({ sub: 'alice' }).access_token);
    const { appId } = genauth.application;
    expect([answer.status, answer.body]).toEqual([200, JSON.stringify({ sub: 'alice', appId })]);
    expect((await app.call('/me')).status).toBe(401);
  }

  describe('is configured', () => {
    it('by forRoot', async () => {
      const module = GenAuthModule.forRoot(genauth.application.options());
      await works(await start({ imports: [module, FeatureModule] }));
    });

    it('by forRootAsync with useFactory and inject', async () => {
      const module = GenAuthModule.forRootAsync({
        imports: [SettingsModule],
        inject: [Settings],
        useFactory: async (settings: Settings) => Promise.resolve(settings.get()),
      });
      await works(await start({ imports: [module, FeatureModule] }));
    });

    it('not by forRootAsync without any of its three ways', () => {
      const ways = /useFactory, useClass or useExisting/;
      expect(() => GenAuthModule.forRootAsync({})).toThrow(ways);
      expect(() => GenAuthModule.forRootAsync(undefined as never)).toThrow(ways);
    });

    it('by forRootAsync with useClass', async () => {
      const module = GenAuthModule.forRootAsync({ useClass: OptionsFactory });
      await works(await start({ imports: [module, FeatureModule] }));
    });

    it('by forRootAsync with useExisting', async () => {
      const module = GenAuthModule.forRootAsync({
        imports: [FactoryModule],
        useExisting: OptionsFactory,
      });
      await works(await start({ imports: [module, FeatureModule] }));
    });

    it('with several applications', async () => {
      const applications = genauth.applications.map((one) => one.options());
      const module = GenAuthModule.forRoot({ applications });
      const app = await start({ imports: [module, FeatureModule] });
      for (const { appId } of genauth.applications) {
        const answer = await app.call('/me', genauth.signIn({ appId }).access_token);
        expect([answer.status, JSON.parse(answer.body)]).toMatchObject([200, { appId }]);
      }
    });

    it('without touching the options it was given', async () => {
      const options = Object.freeze({ ...genauth.application.options(), keys: Object.freeze({}) });
      const before = JSON.stringify(options);
      await works(await start({ imports: [GenAuthModule.forRoot(options), FeatureModule] }));
      expect(JSON.stringify(options)).toBe(before);
    });
  });

  describe('is seen', () => {
    it('by every module unless it is told otherwise', async () => {
      const options = { ...genauth.application.options(), isGlobal: true };
      await works(await start({ imports: [GenAuthModule.forRoot(options), FeatureModule] }));
      const module = GenAuthModule.forRootAsync({
        isGlobal: true,
        useFactory: () => new Settings().get(),
      });
      await works(await start({ imports: [module, FeatureModule] }));
    });

    it('only by those who import it when isGlobal is false', async () => {
      const forms = [
        () => GenAuthModule.forRoot({ ...genauth.application.options(), isGlobal: false }),
        () =>
          GenAuthModule.forRootAsync({ isGlobal: false, useFactory: () => new Settings().get() }),
      ];
      for (const form of forms) {
        const refusal = await refusalOf({ imports: [form(), FeatureModule] });
        expect(String(refusal)).toContain("can't resolve dependencies");
        await works(await start({ imports: [form()], controllers: [GuardedController] }));
      }
    });
  });

  describe('says of itself', () => {
    it('that it is ready and live with the log in this process', async () => {
      const app = await start({ imports: [GenAuthModule.forRoot(genauth.application.options())] });
      await expect(app.tokens.ready()).resolves.toBeUndefined();
      const { state, ageMs, coveredSince } = app.tokens.freshness();
      expect(state).toBe('live');
      expect(ageMs).toBe(0);
      expect(coveredSince).toBeLessThanOrEqual(Date.now());
    });

    it('that it is not ready when its log will not start, without ending the process', async () => {
      class BrokenLog extends InProcessRevocationLog {
        override start(_: RevocationLogContext): Promise<void> {
          return Promise.reject(new Error('no log today'));
        }
      }
      const options = { ...genauth.application.options(), revocation: { log: new BrokenLog() } };
      const app = await start({ imports: [GenAuthModule.forRoot(options), FeatureModule] });
      await expect(app.tokens.ready()).rejects.toThrow('no log today');
      expect(app.tokens.freshness().state).toBe('catching-up');
      // Nothing is known here, so GenAuth is asked about every token.
      const { access_token: token } = genauth.signIn();
      genauth.requests.clear();
      expect((await app.call('/me', token)).status).toBe(200);
      expect(genauth.requests.count('introspection')).toBe(1);
    });

    it('no to everything once the application is closed', async () => {
      const module = GenAuthModule.forRoot(genauth.application.options());
      const app = await start({ imports: [module, FeatureModule] });
      const signedIn = genauth.signIn();
      const known = await app.tokens.verify(signedIn.access_token);
      await app.close();
      expect(app.tokens.freshness().state).toBe('stopped');
      genauth.requests.clear();
      const other = genauth.signIn().access_token;
      for (const token of [signedIn.access_token, other, signedIn.refresh_token]) {
        await expect(app.tokens.verify(token)).rejects.toThrow(GenAuthUnavailableError);
        await expect(app.tokens.introspect(token)).rejects.toThrow(GenAuthUnavailableError);
        await expect(app.tokens.revoke(token)).rejects.toThrow(RevocationError);
      }
      expect(() => app.tokens.check(known)).toThrow(GenAuthUnavailableError);
      await expect(app.tokens.revokeSubject('u')).rejects.toMatchObject({ code: 'stopped' });
      await expect(app.tokens.verify('a b')).rejects.toThrow(TokenError);
      expect(genauth.requests.count()).toBe(0);
    });

    it('to the application what is exported, and nothing else', async () => {
      const app = await start({ imports: [GenAuthModule.forRoot(genauth.application.options())] });
      expect(app.app.get(TokenService)).toBe(app.tokens);
      expect(app.app.get(GenAuthGuard)).toBeInstanceOf(GenAuthGuard);
    });
  });
});

describe('options at fault', () => {
  const SECRET = 'b6d767d2f8ed5d21a44b0e5886680cb9';
  const good = { appId: 'app', appSecret: SECRET, appHost: 'https://example.genauth.ai' };

  it('are all named in one error', async () => {
    const faults = await faultsOf({
      appId: '',
      appHost: 'http://example.genauth.ai',
      algorithms: ['HS256'],
      clockTolerance: 300_001,
      timeout: '3000',
      rejectUnauthorized: 'no',
      protocol: 'saml',
      audience: [],
      cache: { max: 0, ttl: -1, store: {} },
      keys: { maxAge: Number.NaN },
      revocation: { whenStale: 'ignore', log: {} },
      introspectionEndPointAuthMethod: 'client_secret_jwt',
    });
    const names = faults.map((fault) => fault.split(' ')[0]);
    expect(names.sort()).toEqual(
      [
        ...['algorithms', 'appHost', 'appId', 'appSecret', 'audience', 'cache.max', 'cache.store'],
        ...[
          'cache.ttl',
          'clockTolerance',
          'introspectionEndPointAuthMethod',
          'keys.maxAge',
          'protocol',
        ],
        ...['rejectUnauthorized', 'revocation.log', 'revocation.whenStale', 'timeout'],
      ].sort(),
    );
  });

  it.each([
    ['audiense', 'audience'],
    ['appID', 'appId'],
    ['clockTolerence', 'clockTolerance'],
    ['introspectionEndpointAuthMethod', 'introspectionEndPointAuthMethod'],
    ['algorithm', 'algorithms'],
    ['isuer', 'issuer'],
  ])('unknown ones like %s are refused with the nearest name', async (name, near) => {
    expect(await faultsOf({ ...good, [name]: 'x' })).toEqual([
      `${name} is not an option; did you mean '${near}'?`,
    ]);
  });

  it('unknown ones like nothing else are refused without a guess', async () => {
    expect(await faultsOf({ ...good, somethingElseAltogether: 1 })).toEqual([
      'somethingElseAltogether is not an option; remove it',
    ]);
    expect(await faultsOf({ ...good, cache: { maximum: 1 } })).toEqual([
      expect.stringMatching(/^cache\.maximum is not an option/),
    ]);
  });

  it.each([
    [{ ...good, algorithms: ['none'] }, 'algorithms'],
    [{ ...good, algorithms: ['HS256', 'RS256'] }, 'algorithms'],
    [{ ...good, algorithms: [] }, 'algorithms'],
    [{ ...good, appSecret: undefined }, 'appSecret'],
    [{ ...good, appHost: 'ftp://example.com' }, 'appHost'],
    [{ ...good, appHost: 'https://u:p@example.com' }, 'appHost'],
    [{ ...good, jwksUri: 'http://example.com/jwks' }, 'jwksUri'],
    [{ ...good, introspectionTtl: 20_000 }, 'introspectionTtl'],
    [{ ...good, keys: { maxAge: 60_000, staleLimit: 30_000 } }, 'keys.staleLimit'],
    [{ ...good, timeout: 0 }, 'timeout'],
    [{ ...good, issuer: [/.*/] }, 'issuer'],
    [{ applications: [] }, 'applications'],
    [{ applications: 'both' }, 'applications'],
    [{ applications: [good, good] }, 'applications:'],
    [{ applications: [good, { ...good, appId: 'b', audience: 'app' }] }, 'applications:'],
    [{ applications: [good, { ...good, appId: 'b', appHost: 'x' }] }, 'applications[1].appHost'],
    [{ applications: [{ ...good, secret: 1 }] }, 'applications[0].secret'],
    [{ applications: [null] }, 'applications[0]'],
  ])('are named: case %#', async (options, name) => {
    const named = (await faultsOf(options)).map((fault) => fault.split(' ')[0]);
    expect(named).toContain(name);
  });

  it.each([undefined, null, 'options', 1, []])('%j is no set of options', async (options) => {
    expect(await faultsOf(options)).toContainEqual(expect.stringMatching(/^appId must be set/));
    const useFactory = () => options as unknown as GenAuthModuleOptions;
    const refusal = await refusalOf({ imports: [GenAuthModule.forRootAsync({ useFactory })] });
    expect(refusal).toBeInstanceOf(GenAuthOptionsError);
    expect(refusal).toMatchObject({ faults: [expect.stringContaining('needs an object')] });
  });

  it('are refused by forRootAsync as well', async () => {
    const module = GenAuthModule.forRootAsync({ useFactory: () => ({ ...good, appId: '' }) });
    expect(await refusalOf({ imports: [module] })).toBeInstanceOf(GenAuthOptionsError);
  });

  it('never bring a secret into the error', async () => {
    const wrong = [
      { ...good, appHost: `https://x:${SECRET}@example.com` },
      { ...good, timeout: SECRET, protocol: SECRET, keys: SECRET, algorithms: [SECRET] },
      { ...good, appSecret: [SECRET], apSecret: SECRET },
      {
        applications: [
          { ...good, appHost: SECRET },
          { ...good, extra: SECRET },
        ],
      },
    ];
    for (const options of wrong) {
      const faults = await faultsOf(options);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.join()).not.toContain(SECRET);
    }
  });
});
