import { describe, expect, it } from '@jest/globals';

import { GenAuthOptionsError } from '../core/errors.js';
import { resolveOptions } from '../resolve-options.js';
import { resolveTransmitters } from './resolve-transmitters.js';
import type { SecurityEventsOptions } from './security-events.options.js';

const ONE = {
  issuer: 'https://transmitter.example.com',
  jwksUri: 'https://transmitter.example.com/jwks.json',
  audience: 'https://api.example.com',
};
const POLL = { endpoint: 'https://transmitter.example.com/poll' };

const shared = resolveOptions({
  applications: ['a', 'b'].map((appId) => ({
    appId,
    appSecret: 'secret',
    appHost: `https://${appId}.example.com`,
  })),
});

function resolve(options: object) {
  return resolveTransmitters(options as SecurityEventsOptions, shared);
}

function faultsOf(options: object): readonly string[] {
  try {
    resolve(options);
  } catch (error) {
    if (error instanceof GenAuthOptionsError) return error.faults;
    throw error;
  }
  return [];
}

describe('resolveTransmitters', () => {
  it('fills in every default', () => {
    const [transmitter] = resolve({ ...ONE, poll: POLL });
    expect(transmitter).toMatchObject({
      issuer: ONE.issuer,
      audiences: [ONE.audience],
      algorithms: ['RS256'],
      subjectIssuers: [],
      sessionless: 'revoke',
      maxAgeMs: shared.maxTokenLifetimeMs,
      poll: {
        endpoint: POLL.endpoint,
        enabled: true,
        intervalMs: 5_000,
        longPolling: false,
        timeoutMs: shared.timeoutMs,
        maxEvents: 50,
        maxBackoffMs: 60_000,
      },
    });
    expect(transmitter?.applications).toEqual(shared.applications);
    expect(transmitter?.authorization).toBeUndefined();
    expect(resolve({ ...ONE, poll: { ...POLL, longPolling: true } })[0]?.poll?.timeoutMs).toBe(
      60_000,
    );
  });

  it('takes an authorization without a scheme for a bearer token', () => {
    const given = (authorization: string) =>
      resolve({ ...ONE, authorization, poll: { ...POLL, authorization } })[0];
    expect(given('s3cret')?.authorization).toBe('Bearer s3cret');
    expect(given('s3cret')?.poll?.authorization).toBe('Bearer s3cret');
    expect(given('Basic YTpi')?.authorization).toBe('Basic YTpi');
  });

  it('takes several transmitters, each with applications of its own', () => {
    const other = { ...ONE, issuer: 'https://other.example.com', appId: 'b' };
    const [first, second] = resolve({ transmitters: [ONE, other] });
    expect(first?.applications.map(({ appId }) => appId)).toEqual(['a', 'b']);
    expect(second?.applications.map(({ appId }) => appId)).toEqual(['b']);
  });

  it('names every fault, and whose module it is', () => {
    expect(() => resolve({})).toThrow(/^SecurityEventsModule is not configured correctly/);
    expect(faultsOf({})).toEqual([
      'issuer must be set to a non-empty string',
      'jwksUri must be an absolute URL such as https://example.genauth.ai',
      'audience must be set to a non-empty string',
    ]);
  });

  it.each([
    ['no object', [undefined] as unknown as object, 'issuer must be set to'],
    [
      'plain http',
      { ...ONE, jwksUri: 'http://transmitter.example.com/' },
      'jwksUri must use https',
    ],
    ['a symmetric algorithm', { ...ONE, algorithms: ['HS256'] }, 'algorithms must be a list'],
    ['no audience in a list', { ...ONE, audience: [''] }, 'audience must be'],
    ['an unknown application', { ...ONE, appId: 'c' }, 'appId must name applications'],
    ['a misspelled option', { ...ONE, subjectIsuer: 'x' }, "did you mean 'subjectIssuer'"],
    ['an empty authorization', { ...ONE, authorization: '' }, 'authorization must be'],
    ['a map that is no function', { ...ONE, map: {} }, 'map must be a function'],
    [
      'a mapSubject that is no function',
      { ...ONE, mapSubject: 1 },
      'mapSubject must be a function',
    ],
    ['an age beyond any token', { ...ONE, maxAge: 1e12 }, 'maxAge must be a whole number'],
    ['an age of nothing', { ...ONE, maxAge: 0 }, 'maxAge must be a whole number'],
    ['a poll without its endpoint', { ...ONE, poll: {} }, 'poll.endpoint must be'],
    [
      'a poll in plain http',
      { ...ONE, poll: { endpoint: 'http://x.example/' } },
      'poll.endpoint must use',
    ],
    ['an answer too large', { ...ONE, poll: { ...POLL, maxEvents: 61 } }, 'poll.maxEvents must be'],
    ['a poll without pause', { ...ONE, poll: { ...POLL, interval: 0 } }, 'poll.interval must be'],
    [
      'an unknown option of a poll',
      { ...ONE, poll: { ...POLL, url: 'x' } },
      'poll.url is not an option',
    ],
    ['no transmitter', { transmitters: [] }, 'transmitters must name at least one'],
    ['a transmitter twice', { transmitters: [ONE, ONE] }, 'an issuer is named twice'],
    ['both forms', { ...ONE, transmitters: [ONE] }, 'issuer is not an option'],
    [
      'a fault in a list',
      { transmitters: [{ ...ONE, jwksUri: 5 }] },
      'transmitters[0].jwksUri must be',
    ],
  ])('finds a fault: %s', (_, options, fault) => {
    expect(faultsOf(options).join('\n')).toContain(fault);
  });

  it('quotes no value: one of them may be a secret', () => {
    const secret = 'very secret ';
    const faults = faultsOf({
      ...ONE,
      authorization: secret,
      poll: { ...POLL, authorization: secret },
    });
    expect(faults).toHaveLength(2);
    expect(faults.join()).not.toContain(secret);
  });
});
