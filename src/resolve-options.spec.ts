import { describe, expect, it } from '@jest/globals';
import { createCache } from 'cache-manager';
import fc from 'fast-check';

import { GenAuthOptionsError } from './core/errors.js';
import type { GenAuthModuleOptions, ResolvedApplication } from './genauth.options.js';
import { resolveOptions } from './resolve-options.js';
import { InProcessRevocationLog } from './revocation/in-process-log.js';

const SECRET = 'hush-4711-never-told';
const flat = { appId: 'app', appHost: 'https://example.genauth.ai', appSecret: SECRET };

/** As an application without types would call it. */
function resolve(options: unknown) {
  return resolveOptions(options as GenAuthModuleOptions);
}

function faultsOf(options: unknown): readonly string[] {
  try {
    resolve(options);
  } catch (error) {
    if (error instanceof GenAuthOptionsError) return error.faults;
    throw error;
  }
  return [];
}

/** Good options that limit each other as little as they may. */
const roomy: Record<string, unknown> = {
  ...flat,
  introspectionTtl: 1,
  keys: { maxAge: 1_000, staleLimit: 7 * 86_400_000 },
  revocation: { maxStaleness: 86_400_000 },
};

/** Good options but for the value at the path, for example `cache.max`. */
function having(path: string, value: unknown): Record<string, unknown> {
  const [outer = '', inner] = path.split('.');
  if (inner === undefined) return { ...roomy, [outer]: value };
  return { ...roomy, [outer]: { ...(roomy[outer] as object | undefined), [inner]: value } };
}

function only(options: unknown): ResolvedApplication {
  const [application] = resolve(options).applications;
  if (!application) throw new Error('no application');
  return application;
}

describe('the defaults', () => {
  it('need no more than appId, appHost and appSecret', () => {
    expect(resolve(flat)).toEqual({
      applications: [
        {
          ...flat,
          issuers: ['https://example.genauth.ai/oidc'],
          audiences: ['app'],
          acceptAuthorizedParty: false,
          jwksUri: 'https://example.genauth.ai/oidc/.well-known/jwks.json',
          introspectionEndpoint: 'https://example.genauth.ai/oidc/token/introspection',
          revocationEndpoint: 'https://example.genauth.ai/oidc/token/revocation',
          introspectionAuthMethod: 'client_secret_post',
          revocationAuthMethod: 'client_secret_post',
          algorithms: ['RS256'],
          online: false,
        },
      ],
      clockToleranceMs: 5_000,
      maxTokenLifetimeMs: 14 * 24 * 3_600_000,
      cacheMax: 10_000,
      cacheTtlMs: 60_000,
      cacheStore: undefined,
      introspectionTtlMs: 10_000,
      keysMaxAgeMs: 600_000,
      keysCooldownMs: 30_000,
      keysStaleLimitMs: 3_600_000,
      refusalTtlMs: 5_000,
      revocationLog: undefined,
      maxStalenessMs: 10_000,
      whenStale: 'introspect',
      maxEntries: 5_000_000,
      timeoutMs: 3_000,
      rejectUnauthorized: true,
    });
  });

  it('stand in for options that are undefined or null', () => {
    const names = ['issuer', 'audience', 'jwksUri', 'algorithms', 'cache', 'keys', 'revocation'];
    const more = ['timeout', 'rejectUnauthorized', 'protocol', 'verification', 'applications'];
    for (const nothing of [undefined, null]) {
      const options = Object.fromEntries([...names, ...more].map((name) => [name, nothing]));
      expect(resolve({ ...flat, ...options })).toEqual(resolve(flat));
    }
  });

  it('come from appHost without its trailing slashes', () => {
    const application = only({ ...flat, appHost: 'https://example.genauth.ai/pool//' });
    expect(application.appHost).toBe('https://example.genauth.ai/pool');
    expect(application.issuers).toEqual(['https://example.genauth.ai/pool/oidc']);
  });

  it('of the OAuth protocol are its own endpoints, and verification is online', () => {
    expect(only({ ...flat, protocol: 'oauth' })).toMatchObject({
      issuers: ['https://example.genauth.ai/oauth', 'https://core.genauth.ai/oauth'],
      introspectionEndpoint: 'https://example.genauth.ai/oauth/token/introspection',
      revocationEndpoint: 'https://example.genauth.ai/oauth/token/revocation',
      online: true,
    });
    expect(only({ ...flat, protocol: 'oauth', verification: 'local' }).online).toBe(true);
    expect(only({ ...flat, verification: 'online' }).online).toBe(true);
  });
});

describe('what is given', () => {
  it('takes the place of every default', () => {
    const store = createCache();
    const log = new InProcessRevocationLog();
    const resolved = resolve({
      ...flat,
      issuer: ['https://a/oidc', 'https://b/oidc'],
      audience: 'api',
      acceptAuthorizedParty: true,
      jwksUri: 'https://keys.example/jwks',
      introspectionEndpoint: 'https://a.example/introspect',
      revocationEndpoint: 'https://a.example/revoke',
      introspectionEndPointAuthMethod: 'client_secret_basic',
      revocationEndPointAuthMethod: 'none',
      algorithms: ['ES256', 'EdDSA'],
      clockTolerance: 0,
      maxTokenLifetime: 3_600_000,
      cache: { max: 5, ttl: 1_000, store },
      introspectionTtl: 2_000,
      keys: { maxAge: 2_000, cooldown: 100, staleLimit: 2_000 },
      refusalTtl: 0,
      revocation: { log, maxStaleness: 2_000, whenStale: 'refuse', maxEntries: 7 },
      timeout: 500,
      rejectUnauthorized: false,
    });
    expect(resolved).toEqual({
      applications: [
        {
          ...flat,
          issuers: ['https://a/oidc', 'https://b/oidc'],
          audiences: ['api'],
          acceptAuthorizedParty: true,
          jwksUri: 'https://keys.example/jwks',
          introspectionEndpoint: 'https://a.example/introspect',
          revocationEndpoint: 'https://a.example/revoke',
          introspectionAuthMethod: 'client_secret_basic',
          revocationAuthMethod: 'none',
          algorithms: ['ES256', 'EdDSA'],
          online: false,
        },
      ],
      clockToleranceMs: 0,
      maxTokenLifetimeMs: 3_600_000,
      cacheMax: 5,
      cacheTtlMs: 1_000,
      cacheStore: store,
      introspectionTtlMs: 2_000,
      keysMaxAgeMs: 2_000,
      keysCooldownMs: 100,
      keysStaleLimitMs: 2_000,
      refusalTtlMs: 0,
      revocationLog: log,
      maxStalenessMs: 2_000,
      whenStale: 'refuse',
      maxEntries: 7,
      timeoutMs: 500,
      rejectUnauthorized: false,
    });
    expect(resolved.cacheStore).toBe(store);
    expect(resolved.revocationLog).toBe(log);
  });

  it('is not changed, and may be frozen', () => {
    const make = () => ({
      ...flat,
      issuer: ['https://a/oidc'],
      algorithms: ['RS256'],
      cache: { max: 5 },
      keys: {},
      revocation: { whenStale: 'refuse' },
    });
    const options = make();
    for (const part of [options.issuer, options.algorithms, options.cache, options]) {
      Object.freeze(part);
    }
    resolve(options);
    expect(options).toEqual(make());
    const several = { applications: [{ ...flat }] };
    resolve(several);
    expect(several).toEqual({ applications: [flat] });
    expect(Object.isFrozen(several.applications)).toBe(false);
    expect(Object.isFrozen(several.applications[0])).toBe(false);
  });

  it('is copied: changing it afterwards changes nothing', () => {
    const options = { ...flat, issuer: ['https://a/oidc'], audience: ['a'], algorithms: ['RS256'] };
    const resolved = resolve(options);
    options.issuer.push('https://evil/oidc');
    options.audience.push('evil');
    options.algorithms.push('none');
    expect(resolved.applications[0]).toMatchObject({
      issuers: ['https://a/oidc'],
      audiences: ['a'],
      algorithms: ['RS256'],
    });
  });

  it('is frozen all the way down once resolved', () => {
    const { applications, ...shared } = resolve({ applications: [flat] });
    const resolved = resolve(flat);
    expect(Object.isFrozen(resolved)).toBe(true);
    for (const list of [applications, resolved.applications]) {
      expect(Object.isFrozen(list)).toBe(true);
      for (const application of list) {
        expect(Object.isFrozen(application)).toBe(true);
        for (const part of Object.values(application) as unknown[]) {
          expect(Object.isFrozen(part)).toBe(true);
        }
      }
    }
    expect(Object.values(shared).every((value) => Object.isFrozen(value))).toBe(true);
  });
});

describe('appSecret', () => {
  const none = { introspectionEndPointAuthMethod: 'none', revocationEndPointAuthMethod: 'none' };

  it('is not needed where neither endpoint wants it', () => {
    expect(only({ ...flat, appSecret: undefined, ...none }).appSecret).toBeUndefined();
  });

  it.each(Object.keys(none))('is needed where only %s is none', (name) => {
    const [fault, ...more] = faultsOf({ ...flat, appSecret: undefined, [name]: 'none' });
    expect(fault).toMatch(/^appSecret .*EndPointAuthMethod/);
    expect(more).toEqual([]);
  });

  it.each([[''], [1], [{}], [true]])('cannot be %j, needed or not', (appSecret) => {
    expect(faultsOf({ ...flat, appSecret })).toEqual([expect.stringMatching(/^appSecret /)]);
    expect(faultsOf({ ...flat, appSecret, ...none })).toEqual([
      expect.stringMatching(/^appSecret /),
    ]);
  });
});

// Each whole number with the least and the most it may be.
const DAY = 86_400_000;
const wholes: readonly (readonly [string, number, number])[] = [
  ['clockTolerance', 0, 300_000],
  ['maxTokenLifetime', 1_000, 3_650 * DAY],
  ['cache.max', 1, 10_000_000],
  ['cache.ttl', 1, DAY],
  ['introspectionTtl', 1, DAY],
  ['keys.maxAge', 1_000, DAY],
  ['keys.cooldown', 100, DAY],
  ['keys.staleLimit', 1_000, 7 * DAY],
  ['refusalTtl', 0, 3_600_000],
  ['revocation.maxStaleness', 1, DAY],
  ['revocation.maxEntries', 1, 100_000_000],
  ['timeout', 1, 60_000],
];
const noWholes = [NaN, Infinity, -Infinity, -1, 1.5, '1000', '', true, [1_000], {}, 1e300];
const choices = ['protocol', 'verification', 'revocation.whenStale'];
const methods = ['introspectionEndPointAuthMethod', 'revocationEndPointAuthMethod'];
const urls = ['appHost', 'jwksUri', 'introspectionEndpoint', 'revocationEndpoint'];

const noUrls = [
  '',
  'example.genauth.ai',
  '//example.genauth.ai',
  '/oidc',
  'https://',
  'https://exa mple.genauth.ai',
  ' https://example.genauth.ai',
  'https://example.genauth.ai ',
  'https://example.genauth.ai\n',
  'https://exam\tple.genauth.ai',
  'https:\\\\example.genauth.ai',
  'https://user@example.genauth.ai',
  'https://user:word@example.genauth.ai',
  'https://example.genauth.ai?',
  'https://example.genauth.ai/?a=b',
  'https://example.genauth.ai#',
  'https://example.genauth.ai/#a',
  'ftp://example.genauth.ai',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'data:text/plain,a',
  'ws://localhost',
  1,
  true,
  {},
  ['https://example.genauth.ai'],
];

const notLoopback = [
  'http://example.genauth.ai',
  'http://localhost.example.com',
  'http://127.0.0.1.example.com',
  'http://127.example.com',
  'http://0.0.0.0',
  'http://10.0.0.1',
  'http://128.0.0.1',
  'http://[::]',
  'http://[::2]',
  'http://localhost@example.com',
];

const bad: readonly (readonly [string, unknown])[] = [
  ...wholes.flatMap(([path, least, most]) =>
    [...noWholes, least - 1, most + 1].map((value) => [path, value] as const),
  ),
  ...choices.flatMap((path) =>
    ['', 'OIDC', 'none', 1, true, {}, ['oidc'], 'constructor'].map((v) => [path, v] as const),
  ),
  ...methods.flatMap((path) =>
    ['', 'client_secret_jwt', 'NONE', 0, ['none']].map((value) => [path, value] as const),
  ),
  ...urls.flatMap((path) => [...noUrls, ...notLoopback].map((value) => [path, value] as const)),
  ...['', ' ', ' app', 'app\n', 1, true, {}, ['app']].map((value) => ['appId', value] as const),
  ...['issuer', 'audience'].flatMap((path) =>
    ['', [], [''], ['a', ''], ['a', 1], 1, true, {}, [null], [['a']]].map(
      (value) => [path, value] as const,
    ),
  ),
  ...[[], 'RS256', ['none'], ['HS256'], ['RS256', 'HS512'], ['rs256'], ['RS1'], [null], {}, 1].map(
    (value) => ['algorithms', value] as const,
  ),
  ...['acceptAuthorizedParty', 'rejectUnauthorized'].flatMap((path) =>
    ['true', '', 0, 1, {}, []].map((value) => [path, value] as const),
  ),
  ...['cache', 'keys', 'revocation'].flatMap((path) =>
    ['', 1, true, false, []].map((value) => [path, value] as const),
  ),
  ...['memory', 1, {}, { get: () => undefined }, []].map((v) => ['cache.store', v] as const),
  ...['memory', 1, {}, [], InProcessRevocationLog].map((v) => ['revocation.log', v] as const),
];

describe('a bad value', () => {
  it.each(bad)('of %s is named: %p', (path, value) => {
    expect(faultsOf(having(path, value))).toEqual([expect.stringMatching(nameOf(path))]);
  });

  it.each(wholes)('of %s is none of the two bounds %d and %d', (path, least, most) => {
    expect(faultsOf(having(path, least))).toEqual([]);
    expect(faultsOf(having(path, most))).toEqual([]);
  });

  it.each(['appId', 'appHost'])('is to leave out %s', (name) => {
    expect(faultsOf({ ...flat, [name]: undefined })).toEqual([expect.stringMatching(nameOf(name))]);
  });

  it('is named beside all the others, in one error', () => {
    const paths = [...new Set(bad.map(([path]) => path))].filter((path) => !/^\w+$/.test(path));
    const options: Record<string, unknown> = { appSecret: 0, cache: {}, keys: {}, revocation: {} };
    for (const [path, value] of bad) {
      const [outer = '', inner] = path.split('.');
      if (inner) (options[outer] as Record<string, unknown>)[inner] = value;
      else if (!['cache', 'keys', 'revocation'].includes(outer)) options[outer] = value;
    }
    const faults = faultsOf(options);
    const named = [...paths, 'appId', 'appHost', 'appSecret', ...choices, ...methods, ...urls];
    for (const path of [...named, 'issuer', 'audience', 'algorithms', 'timeout', 'refusalTtl']) {
      expect(faults.filter((fault) => nameOf(path).test(fault))).toHaveLength(1);
    }
    expect(() => resolve(options)).toThrow(faults.map((fault) => `  - ${fault}`).join('\n'));
  });

  it.each([[undefined], [null], [[]], ['https://example.genauth.ai'], [1], [() => flat]])(
    'of the whole is refused: %p',
    (options) => {
      expect(faultsOf(options)).toEqual([expect.stringContaining('appId, appHost and appSecret')]);
    },
  );
});

describe('two options together', () => {
  it('keep introspectionTtl within revocation.maxStaleness', () => {
    const options = { ...flat, introspectionTtl: 5_001, revocation: { maxStaleness: 5_000 } };
    expect(faultsOf(options)).toEqual([expect.stringMatching(/^introspectionTtl .*maxStaleness/)]);
    expect(faultsOf({ ...options, introspectionTtl: 5_000 })).toEqual([]);
    const { introspectionTtlMs } = resolveOptions({ ...flat, revocation: { maxStaleness: 5_000 } });
    expect(introspectionTtlMs).toBe(5_000);
  });

  it('keep keys.maxAge within keys.staleLimit', () => {
    const keys = { maxAge: 60_001, staleLimit: 60_000 };
    expect(faultsOf({ ...flat, keys })).toEqual([
      expect.stringMatching(/^keys\.staleLimit .*keys\.maxAge/),
    ]);
    expect(faultsOf({ ...flat, keys: { ...keys, maxAge: 60_000 } })).toEqual([]);
  });
});

describe('http', () => {
  it.each([
    'http://localhost',
    'http://localhost:3000',
    'http://LOCALHOST:3000/path',
    'http://127.0.0.1:8080',
    'http://127.1',
    'http://127.255.255.254',
    'http://[::1]:3000',
  ])('is allowed on loopback: %s', (url) => {
    for (const name of urls) expect(faultsOf({ ...flat, [name]: url })).toEqual([]);
  });

  it.each(notLoopback)('is refused elsewhere: %s', (url) => {
    for (const name of urls) {
      expect(faultsOf({ ...flat, [name]: url })).toEqual([expect.stringMatching(nameOf(name))]);
    }
  });
});

describe('an unknown option', () => {
  it.each([
    ['appID', 'appId'],
    ['app_id', 'appId'],
    ['apphost', 'appHost'],
    ['secret', undefined],
    ['introspectionEndpointAuthMethod', 'introspectionEndPointAuthMethod'],
    ['revocationEndpointAuthMethod', 'revocationEndPointAuthMethod'],
    ['algorithm', 'algorithms'],
    ['clockTolerence', 'clockTolerance'],
    ['aplications', 'applications'],
    ['somethingElseEntirely', undefined],
  ])('called %s is refused, with the nearest name', (name, nearest) => {
    const [fault = '', ...more] = faultsOf({ ...flat, [name]: 'value' });
    expect(fault).toMatch(new RegExp(`^${name} is not an option`));
    if (nearest) expect(fault).toContain(`did you mean '${nearest}'?`);
    expect(more).toEqual([]);
  });

  it.each([
    ['cache', 'maxx', 'max'],
    ['cache', 'tll', 'ttl'],
    ['keys', 'coolDown', 'cooldown'],
    ['keys', 'maxage', 'maxAge'],
    ['revocation', 'maxStalenes', 'maxStaleness'],
    ['revocation', 'whenstale', 'whenStale'],
  ])('inside of %s called %s is refused, with the nearest name %s', (group, name, nearest) => {
    expect(faultsOf({ ...flat, [group]: { [name]: 1 } })).toEqual([
      `${group}.${name} is not an option; did you mean '${nearest}'?`,
    ]);
  });

  it('inside of an application is refused, with its place and the nearest name', () => {
    const applications = [flat, { ...flat, appId: 'other', audiences: ['x'] }];
    expect(faultsOf({ applications })).toEqual([
      "applications[1].audiences is not an option; did you mean 'audience'?",
    ]);
  });

  it('of the module is refused inside of an application', () => {
    expect(faultsOf({ applications: [{ ...flat, timeout: 5 }] })).toEqual([
      expect.stringMatching(/^applications\[0\]\.timeout is not an option/),
    ]);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'called %s is refused like any other',
    (name) => {
      const options = JSON.parse(JSON.stringify(flat).replace('{', `{"${name}":1,`)) as unknown;
      expect(faultsOf(options)).toEqual([expect.stringContaining(`${name} is not an option`)]);
    },
  );
});

describe('a secret', () => {
  it('is in no fault, wherever it was put by mistake', () => {
    const places = [...new Set(bad.map(([path]) => path)), 'unknown', 'cache.unknown'];
    for (const path of places) {
      for (const value of [SECRET, [SECRET], { [path]: SECRET }, `https://a:${SECRET}@b.c`]) {
        for (const options of [
          having(path, value),
          { applications: [having(path, value)] },
          { applications: value },
        ]) {
          expect(told(options)).not.toContain(SECRET);
        }
      }
    }
  });

  it('is in no fault when everything else is wrong', () => {
    expect(told({ appSecret: SECRET, appId: '', appHost: 'x', unknown: 1 })).not.toContain(SECRET);
    expect(told({ applications: [flat, flat, { appSecret: SECRET }] })).not.toContain(SECRET);
  });

  function told(options: unknown): string {
    try {
      resolve(options);
    } catch (error) {
      if (!(error instanceof GenAuthOptionsError)) throw error;
      return [error.message, error.stack, error.faults.join(), JSON.stringify(error)].join();
    }
    return '';
  }
});

describe('several applications', () => {
  const other = { ...flat, appId: 'other' };

  it('are each resolved as one alone would be, in the order given', () => {
    const { applications } = resolve({ applications: [flat, { ...other, protocol: 'oauth' }] });
    expect(applications).toEqual([only(flat), only({ ...other, protocol: 'oauth' })]);
  });

  it('may share an issuer or an audience, but not both', () => {
    const twin = (over: object) => faultsOf({ applications: [flat, { ...other, ...over }] });
    expect(twin({})).toEqual([]);
    expect(twin({ appHost: 'https://other.genauth.ai', audience: 'app' })).toEqual([]);
    const both = [expect.stringMatching(/^applications: 'app' and 'other' share an issuer and/)];
    expect(twin({ audience: 'app' })).toEqual(both);
    expect(twin({ audience: ['api', 'app'] })).toEqual(both);
    expect(
      twin({
        appHost: 'https://other.genauth.ai',
        issuer: ['https://other.genauth.ai/oidc', 'https://example.genauth.ai/oidc'],
        audience: ['api', 'app'],
      }),
    ).toEqual(both);
  });

  it('cannot have the same id', () => {
    const elsewhere = { ...flat, appHost: 'https://other.genauth.ai' };
    expect(faultsOf({ applications: [flat, elsewhere] })).toEqual([
      expect.stringMatching(/'app' is named twice/),
    ]);
  });

  it('are at least one', () => {
    expect(faultsOf({ applications: [] })).toEqual([expect.stringMatching(/^applications /)]);
  });

  it.each([[''], ['app'], [1], [true], [flat], [new Set([flat])]])(
    'are a list, not %p',
    (applications) => {
      const faults = faultsOf({ applications });
      expect(faults).toContain('applications must be a list');
    },
  );

  it.each([
    [[undefined]],
    [[null]],
    [['app']],
    [[1]],
    [[[flat]]],
    [Object.assign([], { length: 1 })],
  ])('are objects, not %j', (applications) => {
    expect(faultsOf({ applications })).toContain('applications[0] must be an object');
  });

  it('leave no room for a flat one beside them', () => {
    const faults = faultsOf({ ...other, applications: [flat] });
    expect(faults).toEqual(
      ['appId', 'appHost', 'appSecret'].map((name) => expect.stringMatching(nameOf(name))),
    );
  });

  it('have their faults named with their place, beside those of the module', () => {
    const applications = [
      { ...flat, algorithms: ['none'] },
      { ...other, appHost: 'http://b.c' },
    ];
    expect(faultsOf({ applications, timeout: 0 })).toEqual([
      expect.stringMatching(/^applications\[0\]\.algorithms /),
      expect.stringMatching(/^applications\[1\]\.appHost .*https/),
      expect.stringMatching(/^timeout /),
    ]);
  });
});

describe('anything at all', () => {
  it('is resolved or refused with a GenAuthOptionsError, never another error', () => {
    const names = [...new Set(bad.map(([path]) => path.split('.')[0] ?? '')), 'applications'];
    const value = fc.oneof(
      fc.anything({ maxDepth: 2 }),
      fc.constantFrom(...bad.map(([, one]) => one)),
      fc.dictionary(fc.constantFrom(...names, 'max', 'ttl', 'store', 'log'), fc.anything()),
    );
    const options = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(options, fc.boolean(), (given, sound) => {
        expect(Array.isArray(faultsOf(sound ? { ...flat, ...given } : given))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

/** A fault begins with the name of its option. */
function nameOf(path: string): RegExp {
  return new RegExp(`^${path.replace('.', '\\.')} `);
}
