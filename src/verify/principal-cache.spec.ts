import { describe, it, expect } from '@jest/globals';
import { type Cache, createCache } from 'cache-manager';

import { Clock } from '../core/clock.js';
import { GenAuthUnavailableError, TokenError } from '../core/errors.js';
import { principalOf } from '../core/principal.js';
import { cutAt, jtiKey, type Revocation, watermarkKey } from '../core/revocation.js';
import type { GenAuthModuleOptions } from '../genauth.options.js';
import { resolveOptions } from '../resolve-options.js';
import { PrincipalCache } from './principal-cache.js';
import type { Verified } from './token-verifier.js';

const ISSUER = 'https://example.genauth.ai/oidc';
const START = 1_800_000_000_000;

class TestClock extends Clock {
  #wall = START;

  override wall(): number {
    return this.#wall;
  }

  override mono(): number {
    return this.#wall - START;
  }

  override setTimeout(): () => void {
    return () => {};
  }

  advance(ms: number): void {
    this.#wall += ms;
  }
}

const OPTIONS = { appId: 'app', appHost: 'https://example.genauth.ai', appSecret: 'app-secret' };

function newCache(options: Partial<GenAuthModuleOptions> = {}) {
  const clock = new TestClock();
  const resolved = resolveOptions({ ...OPTIONS, ...options } as GenAuthModuleOptions);
  return { clock, cache: new PrincipalCache(resolved, clock) };
}

/** A token verified here, unless `keyId` is undefined. */
function verifiedOf(
  claims: Record<string, unknown> = {},
  { id = 'id-1', ...rest }: Partial<Omit<Verified, 'principal'>> & { id?: string } = {},
): Verified {
  const complete = {
    iss: ISSUER,
    aud: 'app',
    sub: 'user-1',
    jti: 'jti-1',
    sid: 'session-1',
    iat: START / 1_000 - 60,
    exp: START / 1_000 + 3_600,
    ...claims,
  };
  return { principal: principalOf(complete, 'app', id), keyId: 'key-1', ...rest };
}

/** A token that GenAuth vouched for. */
function vouchedFor(claims: Record<string, unknown> = {}, id = 'id-1'): Verified {
  return { principal: verifiedOf(claims, { id }).principal, vouchedAt: START };
}

describe('PrincipalCache, remembering', () => {
  it('has what was verified here as soon as set returns, until it is dropped', async () => {
    const { cache } = newCache();
    const verified = verifiedOf();
    const pending = cache.set('k', verified);
    expect(cache.get('k')).toBe(verified);
    await pending;
    await cache.drop('k');
    expect(cache.get('k')).toBeUndefined();
  });

  it('gives back the very object that was put in', async () => {
    const { cache } = newCache();
    const verified = verifiedOf();
    await cache.set('k', verified);
    expect(cache.get('k')).toBe(verified);
    expect(cache.get('k')).toBe(verified);
    expect(cache.get('other')).toBeUndefined();
  });

  it('holds as many entries as configured, the newest, and drops the rest', async () => {
    const { cache } = newCache({ cache: { max: 10 } });
    for (let n = 0; n < 25; n += 1) await cache.set(`k${n}`, verifiedOf({}, { id: `id-${n}` }));
    const held = [];
    for (let n = 0; n < 25; n += 1) if (cache.get(`k${n}`)) held.push(n);
    expect(held).toEqual([15, 16, 17, 18, 19, 20, 21, 22, 23, 24]);
  });

  it('holds what is used rather than what is not', async () => {
    const { cache } = newCache({ cache: { max: 3 } });
    for (const key of ['a', 'b', 'c']) await cache.set(key, verifiedOf({}, { id: key }));
    cache.get('a');
    await cache.set('d', verifiedOf({}, { id: 'd' }));
    expect(cache.get('a')).toBeDefined();
    expect(cache.get('b')).toBeUndefined();
  });

  it('remembers for the configured time', async () => {
    const { cache, clock } = newCache({ cache: { ttl: 1_000 } });
    await cache.set('k', verifiedOf());
    clock.advance(999);
    expect(cache.get('k')).toBeDefined();
    clock.advance(1);
    expect(cache.get('k')).toBeUndefined();
  });

  it('remembers what GenAuth said from when it was asked, for a time of its own', async () => {
    const { cache, clock } = newCache({ introspectionTtl: 500 });
    await cache.set('k', { ...vouchedFor(), vouchedAt: START - 300 });
    clock.advance(199);
    expect(cache.get('k')).toBeDefined();
    clock.advance(1);
    expect(cache.get('k')).toBeUndefined();
  });

  it('never remembers past exp', async () => {
    const { cache, clock } = newCache();
    await cache.set('k', verifiedOf({ exp: START / 1_000 + 2 }));
    clock.advance(1_999);
    expect(cache.get('k')).toBeDefined();
    clock.advance(1);
    expect(cache.get('k')).toBeUndefined();
  });

  it.each([
    ['has expired', -1_000],
    ['expires now', 0],
    ['expires within the millisecond', 0.5],
  ])('does not remember what %s', async (_, ms) => {
    const { cache } = newCache();
    await cache.set('k', verifiedOf({ exp: (START + ms) / 1_000 }));
    await cache.set('l', vouchedFor({ exp: (START + ms) / 1_000 }));
    expect(cache.get('k')).toBeUndefined();
    expect(cache.get('l')).toBeUndefined();
  });

  it('does not remember what GenAuth said longer ago than it may be reused', async () => {
    const { cache } = newCache({ introspectionTtl: 500 });
    await cache.set('k', { ...vouchedFor(), vouchedAt: START - 500 });
    expect(cache.get('k')).toBeUndefined();
  });

  it('takes the newer of two verdicts for one key', async () => {
    const { cache } = newCache();
    const [older, newer] = [verifiedOf(), verifiedOf({}, { vouchedAt: START })];
    await cache.set('k', older);
    await cache.set('k', newer);
    expect(cache.get('k')).toBe(newer);
    await cache.forget(revocationOf('token', 'id-1'));
    expect(cache.get('k')).toBeUndefined();
  });

  it('drops one entry and no other', async () => {
    const { cache } = newCache();
    await cache.set('k', verifiedOf());
    await cache.set('l', verifiedOf());
    await cache.drop('k');
    await cache.drop('nobody knows this');
    expect(cache.get('k')).toBeUndefined();
    expect(cache.get('l')).toBeDefined();
  });
});

describe('PrincipalCache, keys', () => {
  it('are digests: no part of a token or of a claim is in them', () => {
    const { cache } = newCache();
    const token = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"sub":"user-1"}').toString('base64url')}.c2ln`;
    const key = cache.keyOf(token);
    expect(key).toMatch(/^[\w-]{43}$/);
    for (let at = 0; at + 6 <= token.length; at += 1) {
      expect(key).not.toContain(token.slice(at, at + 6));
    }
  });

  it('are of the whole token: another spelling is another key', () => {
    const { cache } = newCache();
    const texts = ['a.b.c', 'a.b.d', 'a.b.c=', 'a.b', 'a.b.', 'A.b.c', ''];
    expect(new Set(texts.map((text) => cache.keyOf(text))).size).toBe(texts.length);
    expect(cache.keyOf('a.b.c')).toBe(newCache().cache.keyOf('a.b.c'));
  });

  it.each<[string, Partial<GenAuthModuleOptions>]>([
    ['another application', { appId: 'app-2' }],
    ['another issuer', { issuer: 'https://other.example' }],
    ['another audience', { audience: ['app', 'api'] }],
    ['other algorithms', { algorithms: ['ES256'] }],
    ['the authorized party', { acceptAuthorizedParty: true }],
    ['other keys', { jwksUri: 'https://example.genauth.ai/keys' }],
    ['another tolerance', { clockTolerance: 1 }],
    ['asking each time', { verification: 'online' }],
  ] as [string, Partial<GenAuthModuleOptions>][])(
    'in a store that others use change with the settings: %s',
    (_, options) => {
      const key = newCache().cache.keyOf('t');
      expect(newCache(options).cache.sharedKeyOf(key)).not.toBe(newCache().cache.sharedKeyOf(key));
    },
  );

  it('do not depend on the secret', () => {
    const other = newCache({ appSecret: 'another' } as Partial<GenAuthModuleOptions>);
    expect(other.cache.keyOf('t')).toBe(newCache().cache.keyOf('t'));
    expect(other.cache.sharedKeyOf('t')).toBe(newCache().cache.sharedKeyOf('t'));
  });
});

function revocationOf(kind: Revocation['kind'], key: string, at = START): Revocation {
  const cut = kind === 'token' || kind === 'jti' ? {} : cutAt(at, { lowMs: 0, highMs: 0 });
  return { kind, key, keepUntilAt: at + 1e9, ...cut };
}

describe('PrincipalCache, forgetting', () => {
  const EVERY_KIND: [string, Revocation][] = [
    ['token', revocationOf('token', 'id-1')],
    ['jti', revocationOf('jti', jtiKey(ISSUER, 'jti-1'))],
    ['session', revocationOf('session', watermarkKey('session', ISSUER, 'session-1'))],
    ['subject', revocationOf('subject', watermarkKey('subject', ISSUER, 'user-1'))],
    ['client', revocationOf('client', watermarkKey('client', ISSUER, 'app'))],
    ['client and subject', revocationOf('client', watermarkKey('client', ISSUER, 'app', 'user-1'))],
    ['issuer', revocationOf('issuer', watermarkKey('issuer', ISSUER))],
  ];

  it.each(EVERY_KIND)('forgets by %s what is reached, and nothing else', async (_, revocation) => {
    const { cache } = newCache();
    const stranger = {
      iss: 'https://other.example',
      sub: 'user-2',
      jti: 'jti-2',
      sid: 'session-2',
      aud: 'app-2',
    };
    await cache.set('reached', verifiedOf());
    await cache.set('vouched', vouchedFor());
    await cache.set('stranger', verifiedOf(stranger, { id: 'id-2' }));
    expect(cache.remembered(({ sub }) => sub === 'user-1')).toHaveLength(2);
    await cache.forget(revocation);
    expect(cache.get('reached')).toBeUndefined();
    expect(cache.get('vouched')).toBeUndefined();
    expect(cache.get('stranger')).toBeDefined();
    expect(cache.remembered(({ sub }) => sub === 'user-1')).toEqual([]);
  });

  it('keeps what was certainly issued after the cut', async () => {
    const { cache } = newCache();
    const key = watermarkKey('subject', ISSUER, 'user-1');
    await cache.set('older', verifiedOf());
    await cache.set('newer', verifiedOf({ iat: START / 1_000 + 10 }, { id: 'id-2' }));
    await cache.set('ageless', verifiedOf({ iat: undefined }, { id: 'id-3' }));
    await cache.forget(revocationOf('subject', key));
    expect(cache.get('older')).toBeUndefined();
    expect(cache.get('newer')).toBeDefined();
    expect(cache.get('ageless')).toBeUndefined();
  });

  it('forgets what several revocations reach that arrive at once, the furthest of each target', async () => {
    const { cache } = newCache();
    const cut = (sub: string, refusedThroughAt: number): Revocation => {
      const key = watermarkKey('subject', ISSUER, sub);
      return { kind: 'subject', key, refusedThroughAt, keepUntilAt: START + 3_600_000 };
    };
    for (const sub of ['a', 'b', 'c', 'd']) await cache.set(sub, verifiedOf({ sub }, { id: sub }));
    await Promise.all([
      cache.forget(cut('a', START)),
      cache.forget(cut('b', START)),
      cache.forget(cut('b', START - 3_600_000)),
      cache.forget(cut('c', START - 3_600_000)),
      cache.forget(cut('c', START)),
    ]);
    const left = ['a', 'b', 'c', 'd'].map((key) => cache.get(key));
    expect(left.map((found) => found !== undefined)).toEqual([false, false, false, true]);
    await cache.forget(cut('d', START));
    expect(cache.get('d')).toBeUndefined();
  });

  it('finds the entries of one user, as it finds them among all', async () => {
    const { cache } = newCache({ cache: { max: 3 } });
    const isMeant = ({ sub }: { sub?: string }) => sub === 'user-1';
    for (let n = 0; n < 30; n += 1) {
      const sub = n % 3 === 0 ? undefined : `user-${n % 2}`;
      await cache.set(`k${n % 7}`, verifiedOf({ sub }, { id: `id-${n}` }));
      expect(cache.remembered(isMeant, 'user-1')).toHaveLength(cache.remembered(isMeant).length);
    }
    await cache.forget(revocationOf('subject', watermarkKey('subject', ISSUER, 'user-1')));
    expect(cache.remembered(isMeant, 'user-1')).toEqual([]);
    expect(cache.remembered(() => true, 'nobody')).toEqual([]);
  });

  it('forgets a token in each of its accepted spellings', async () => {
    const { cache } = newCache();
    for (const key of ['first', 'second', 'third']) await cache.set(key, verifiedOf());
    await cache.drop('second');
    await cache.forget(revocationOf('token', 'id-1'));
    for (const key of ['first', 'second', 'third']) {
      expect(cache.get(key)).toBeUndefined();
    }
  });

  it('finds a token again after entries of it were pushed out', async () => {
    const { cache } = newCache({ cache: { max: 3 } });
    for (let n = 0; n < 30; n += 1) await cache.set(`k${n}`, verifiedOf({}, { id: `id-${n % 2}` }));
    const revocation = revocationOf('token', 'id-1');
    expect(cache.remembered(({ id }) => id === 'id-1')).toHaveLength(2);
    await cache.forget(revocation);
    expect(cache.get('k29')).toBeUndefined();
    expect(cache.get('k28')).toBeDefined();
    expect(cache.get('k27')).toBeUndefined();
  });

  it('forgets what was signed by a key that is gone, and not what GenAuth vouched for', async () => {
    const { cache } = newCache();
    await cache.set('gone', verifiedOf({}, { keyId: 'old', id: 'a' }));
    await cache.set('confirmed', verifiedOf({}, { keyId: 'old', vouchedAt: START, id: 'b' }));
    await cache.set('held', verifiedOf({}, { keyId: 'new', id: 'c' }));
    await cache.set('vouched', vouchedFor({}, 'd'));
    await cache.forgetKeys((keyId) => keyId === 'new');
    expect(cache.get('gone')).toBeUndefined();
    expect(cache.get('confirmed')).toBeUndefined();
    expect(cache.get('held')).toBeDefined();
    expect(cache.get('vouched')).toBeDefined();
  });
});

describe('PrincipalCache, refusals', () => {
  const refusal = new TokenError('signature', 'x');

  function isRefused(cache: PrincipalCache, key: string): boolean {
    try {
      cache.refusals.refuseAgain(key);
      return false;
    } catch (error) {
      expect(error).toBe(refusal);
      return true;
    }
  }

  it('are remembered for refusalTtl and no longer', () => {
    const { cache, clock } = newCache({ refusalTtl: 2_000 });
    cache.refusals.remember('k', refusal);
    expect(isRefused(cache, 'k')).toBe(true);
    expect(isRefused(cache, 'l')).toBe(false);
    clock.advance(1_999);
    expect(isRefused(cache, 'k')).toBe(true);
    clock.advance(1);
    expect(isRefused(cache, 'k')).toBe(false);
  });

  it('are not remembered when refusalTtl is 0', () => {
    const { cache } = newCache({ refusalTtl: 0 });
    cache.refusals.remember('k', refusal);
    expect(isRefused(cache, 'k')).toBe(false);
  });

  it('are not prolonged by being met again', () => {
    const { cache, clock } = newCache({ refusalTtl: 100 });
    cache.refusals.remember('k', refusal);
    for (let ms = 0; ms < 100; ms += 10) {
      expect(isRefused(cache, 'k')).toBe(true);
      clock.advance(10);
    }
    expect(isRefused(cache, 'k')).toBe(false);
  });

  it.each([
    ['an outage', new GenAuthUnavailableError('no_answer', 'x')],
    ['a busy moment', new GenAuthUnavailableError('busy', 'x')],
    ['old keys', new GenAuthUnavailableError('keys_stale', 'x')],
    ['a key not known yet', new TokenError('unknown_key', 'x')],
    ['a token that is not yet valid', new TokenError('not_yet_valid', 'x')],
    ['a token from the future', new TokenError('issued_in_future', 'x')],
    ['a fault of ours', new TypeError('x')],
    ['something that is no error', 'x'],
    ['nothing at all', undefined],
  ])('are definite: %s is not remembered', (_, error) => {
    const { cache } = newCache();
    cache.refusals.remember('k', error);
    expect(() => cache.refusals.refuseAgain('k')).not.toThrow();
  });

  it('fill a bounded space of their own: a million of them push out nothing that is good', async () => {
    const { cache } = newCache({ cache: { max: 20_000 }, refusalTtl: 60_000 });
    for (let n = 0; n < 1_000; n += 1) await cache.set(`g${n}`, verifiedOf({}, { id: `id-${n}` }));
    for (let n = 0; n < 1_000_000; n += 1) cache.refusals.remember(`junk-${n}`, refusal);
    let remembered = 0;
    for (let n = 0; n < 1_000_000; n += 1) {
      try {
        cache.refusals.refuseAgain(`junk-${n}`);
      } catch {
        remembered += 1;
      }
    }
    expect(remembered).toBe(2_000);
    for (let n = 0; n < 1_000; n += 1) expect(cache.get(`g${n}`)).toBeDefined();
  });

  it('and principals under one key do not get in each other’s way', async () => {
    const { cache } = newCache();
    await cache.set('k', verifiedOf());
    cache.refusals.remember('k', refusal);
    expect(cache.get('k')).toBeDefined();
    await cache.drop('k');
    expect(isRefused(cache, 'k')).toBe(true);
  });
});

describe('PrincipalCache, with the application’s own cache', () => {
  const OPAQUE = 'opaque-token-0123456789';

  function withStore(options: Partial<GenAuthModuleOptions> = {}, store: Cache = createCache()) {
    return { store, ...newCache({ ...options, cache: { store } }) };
  }

  function recording(writes: unknown[][]): Cache {
    const store = createCache();
    const { set } = store;
    return Object.assign(store, {
      set: <T>(key: string, value: T, ttl?: number): Promise<T> => {
        writes.push([key, value, ttl]);
        return set(key, value, ttl);
      },
    });
  }

  it('takes nothing from it that was stored under other settings, also when that is moved to our key', async () => {
    const { cache, store } = withStore();
    const { cache: other } = withStore({ audience: ['app', 'api'] }, store);
    const key = cache.keyOf(OPAQUE);
    expect(other.keyOf(OPAQUE)).toBe(key);
    await other.set(key, vouchedFor());
    expect(await cache.getShared(key)).toBeUndefined();
    const theirs = await store.get<string>(other.sharedKeyOf(key));
    expect(theirs).toBeDefined();
    await store.set(cache.sharedKeyOf(key), theirs);
    expect(await cache.getShared(key)).toBeUndefined();
    expect(await other.getShared(key)).toBeDefined();
  });

  it('shares introspection results with another process', async () => {
    const { cache, store } = withStore();
    const key = cache.keyOf(OPAQUE);
    await cache.set(key, vouchedFor({ scope: 'a b' }));
    const { cache: other } = withStore({}, store);
    expect(other.get(key)).toBeUndefined();
    const found = await other.getShared(key);
    expect(found?.principal).toEqual(vouchedFor({ scope: 'a b' }).principal);
    expect(found?.vouchedAt).toBe(START);
    expect(found?.keyId).toBeUndefined();
    expect(other.get(key)).toBe(found);
  });

  it('gives it neither the verdicts on JWTs nor the tokens nor the secret', async () => {
    const writes: unknown[][] = [];
    const store = recording(writes);
    const { cache } = withStore({}, store);
    await cache.set(cache.keyOf('eyJ.a.b'), verifiedOf());
    await cache.set(cache.keyOf('eyJ.c.d'), verifiedOf({}, { vouchedAt: START }));
    expect(writes).toEqual([]);
    await cache.set(cache.keyOf(OPAQUE), vouchedFor());
    expect(writes).toHaveLength(1);
    const [key, , ttl] = writes[0] as [string, string, number];
    expect(key).toMatch(/^[\w-]{43}$/);
    expect(ttl).toBe(10_000);
    expect(JSON.stringify(writes)).not.toContain(OPAQUE);
    expect(JSON.stringify(writes)).not.toContain('app-secret');
  });

  it('gives it whole milliseconds of at least 1', async () => {
    const writes: unknown[][] = [];
    const store = recording(writes);
    const { cache } = withStore({}, store);
    for (const ms of [-1, 0, 0.4, 1, 1.5, 999.9]) {
      await cache.set(`k${ms}`, vouchedFor({ exp: (START + ms) / 1_000 }));
    }
    expect(writes).toHaveLength(3);
    for (const [, , ttl] of writes)
      expect(Number.isInteger(ttl) && (ttl as number) >= 1).toBe(true);
  });

  it('does not believe what the store kept longer than it was told to', async () => {
    const { cache, clock, store } = withStore();
    await cache.set('k', vouchedFor());
    const sealed = await store.get('k');
    clock.advance(10_000);
    await store.set('k', sealed);
    expect(await cache.getShared('k')).toBeUndefined();
  });

  it('keeps no trace of what was pushed out: forgetting its token touches what is left alone', async () => {
    const dropped: string[] = [];
    const store = createCache();
    const { del } = store;
    Object.assign(store, { del: (key: string) => (dropped.push(key), del(key)) });
    const { cache } = newCache({ cache: { store, max: 3 } });
    for (let n = 0; n < 30; n += 1) await cache.set(`k${n}`, vouchedFor());
    await cache.forget(revocationOf('token', 'id-1'));
    expect(dropped.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(
      ['k27', 'k28', 'k29']
        .map((key) => cache.sharedKeyOf(key))
        .toSorted((a, b) => (a < b ? -1 : 1)),
    );
  });

  it('drops there what is dropped here, and what it does not know itself', async () => {
    const { cache, store } = withStore();
    await cache.set('k', vouchedFor());
    await cache.drop('k');
    expect(await store.get('k')).toBeUndefined();
    await cache.set('l', vouchedFor());
    await withStore({}, store).cache.drop('l');
    expect(await store.get('l')).toBeUndefined();
  });

  it('goes on without a store that fails', async () => {
    const fails = (): never => {
      throw new Error('down');
    };
    const store = Object.assign(createCache(), { get: fails, set: fails, del: fails });
    const { cache } = withStore({}, store);
    const verified = vouchedFor();
    await cache.set('k', verified);
    expect(cache.get('k')).toBe(verified);
    expect(await cache.getShared('l')).toBeUndefined();
    await cache.drop('k');
    expect(cache.get('k')).toBeUndefined();
  });
});
