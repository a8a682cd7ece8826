import { describe, it, expect } from '@jest/globals';
import { type Cache, createCache } from 'cache-manager';
import { Keyv } from 'keyv';

import { channels } from '../core/channels.js';
import { principalOf } from '../core/principal.js';
import { type Remembered, SealedStore } from './sealed-store.js';

const NOW = 1_800_000_000_000;

function remembered(claims: Record<string, unknown> = {}): Remembered {
  const complete = {
    iss: 'https://example.genauth.ai/oauth',
    client_id: 'app',
    sub: 'user-1',
    exp: NOW / 1_000 + 600,
    active: true,
    ...claims,
  };
  const principal = principalOf(complete, 'app', 'id-1');
  return { verified: { principal, vouchedAt: NOW - 5 }, until: NOW + 10_000 };
}

function newStore(secrets: readonly string[] = ['s3cret'], cache: Cache = createCache()) {
  return { cache, store: new SealedStore(cache, secrets) };
}

async function sealedText(cache: Cache, key: string): Promise<string> {
  const sealed = await cache.get<string>(key);
  if (typeof sealed !== 'string') throw new Error('nothing was stored');
  return sealed;
}

describe('SealedStore', () => {
  it('gives back what was put in, frozen', async () => {
    const { store } = newStore();
    const entry = remembered({ scope: 'a b', nested: { list: [1, 'ü', null] } });
    await store.set('k', entry, 10_000);
    const found = await store.get('k');
    expect(found).toEqual(entry);
    expect(Object.isFrozen(found?.verified.principal)).toBe(true);
    expect(Object.isFrozen(found?.verified.principal.claims['nested'])).toBe(true);
  });

  it('opens what another process with the same secrets sealed', async () => {
    const { cache, store } = newStore(['a', 'b']);
    await store.set('k', remembered(), 10_000);
    expect(await newStore(['a', 'b'], cache).store.get('k')).toEqual(remembered());
  });

  it.each([
    ['another secret', ['a', 'c']],
    ['the same secrets in another order', ['b', 'a']],
    ['fewer secrets', ['a']],
    ['more secrets', ['a', 'b', 'c']],
    ['secrets that look alike when joined', ['a,b']],
    ['no secret', []],
  ])('does not open what %s sealed', async (_, secrets) => {
    const { cache, store } = newStore(['a', 'b']);
    await newStore(secrets, cache).store.set('k', remembered(), 10_000);
    expect(await cache.get('k')).toBeDefined();
    expect(await store.get('k')).toBeUndefined();
  });

  it('without secrets opens only what it sealed itself', async () => {
    const { cache, store } = newStore([]);
    await store.set('k', remembered(), 10_000);
    expect(await store.get('k')).toBeDefined();
    expect(await newStore([], cache).store.get('k')).toBeUndefined();
  });

  it('does not open an entry that was moved to another key', async () => {
    const { cache, store } = newStore();
    await store.set('k', remembered(), 10_000);
    await cache.set('l', await sealedText(cache, 'k'));
    await cache.set('', await sealedText(cache, 'k'));
    expect(await store.get('l')).toBeUndefined();
    expect(await store.get('')).toBeUndefined();
    expect(await store.get('k')).toBeDefined();
  });

  it('does not open an entry whose key and text were shifted against each other', async () => {
    const { cache, store } = newStore();
    await store.set('k', remembered(), 10_000);
    const sealed = await sealedText(cache, 'k');
    await cache.set('k\n{', `${sealed.slice(0, 44)}${sealed.slice(45)}`);
    expect(await store.get('k\n{')).toBeUndefined();
  });

  it('reads nothing else out of an entry with any one character edited', async () => {
    const { cache, store } = newStore();
    await store.set('k', remembered(), 10_000);
    const sealed = await sealedText(cache, 'k');
    const original = await store.get('k');
    let misses = 0;
    for (let at = 0; at < sealed.length; at += 1) {
      const other = sealed[at] === '1' ? '2' : '1';
      await cache.set('k', sealed.slice(0, at) + other + sealed.slice(at + 1));
      const found = await store.get('k');
      // The last character of a segment has bits to spare, which say nothing.
      if (found === undefined) misses += 1;
      else expect(found).toEqual(original);
    }
    expect(misses).toBeGreaterThan(sealed.length - 5);
    await cache.set('k', sealed);
    expect(await store.get('k')).toBeDefined();
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty string', ''],
    ['a short string', 'abc'],
    ['a string of 43 characters', 'A'.repeat(43)],
    ['a seal of nothing', `${'A'.repeat(43)}.`],
    ['characters of several bytes', 'ü'.repeat(50)],
    ['an entry without its seal', '{"appId":"app","id":"x","claims":{},"until":1e99}'],
    ['an object', { verified: remembered().verified, until: NOW * 2 }],
    ['an entry itself', remembered()],
    ['a number', 7],
    ['true', true],
    ['a list', ['a']],
    ['bytes', Buffer.from('abc')],
  ])('takes %s for a miss', async (_, value) => {
    const get = (): Promise<unknown> => Promise.resolve(value);
    const { store } = newStore(['s3cret'], { get } as unknown as Cache);
    expect(await store.get('k')).toBeUndefined();
  });

  it('writes down neither the secret nor anything of a token', async () => {
    const { cache, store } = newStore(['s3cret']);
    await store.set('k', remembered(), 10_000);
    expect(await sealedText(cache, 'k')).not.toContain('s3cret');
  });

  it('forgets what is deleted', async () => {
    const { store } = newStore();
    await store.set('k', remembered(), 10_000);
    await store.delete('k');
    expect(await store.get('k')).toBeUndefined();
  });

  it.each<[string, () => Promise<never>]>([
    ['rejects', () => Promise.reject(new Error('down'))],
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
  ])('takes a store that %s for a miss, and says so once for each call', async (_, fail) => {
    const alarms: unknown[] = [];
    const listen = (message: unknown): void => void alarms.push(message);
    channels.alarm.subscribe(listen);
    try {
      const { store } = newStore(['s'], { get: fail, set: fail, del: fail } as unknown as Cache);
      expect(await store.get('k')).toBeUndefined();
      await expect(store.set('k', remembered(), 1_000)).resolves.toBeUndefined();
      await expect(store.delete('k')).resolves.toBeUndefined();
    } finally {
      channels.alarm.unsubscribe(listen);
    }
    expect(alarms).toHaveLength(3);
    expect(alarms).toContainEqual(expect.objectContaining({ alarm: 'cache_failed' }));
  });

  it('takes a store behind cache-manager that fails for a miss', async () => {
    const fails = (): Promise<never> => Promise.reject(new Error('down'));
    const adapter = { get: fails, set: fails, delete: fails, clear: fails };
    const { store } = newStore(['s'], createCache({ stores: [new Keyv({ store: adapter })] }));
    await store.set('k', remembered(), 1_000);
    expect(await store.get('k')).toBeUndefined();
    await store.delete('k');
  });

  it('takes a store that never answers for a miss', async () => {
    const hang = (): Promise<never> => new Promise(() => {});
    const { store } = newStore(['s'], { get: hang, set: hang, del: hang } as unknown as Cache);
    const ends = [store.get('k'), store.set('k', remembered(), 1_000), store.delete('k')];
    expect(await Promise.all<unknown>(ends)).toEqual([undefined, undefined, undefined]);
  });

  it('lets a store that fails after the limit fail in silence', async () => {
    let fail = (): void => {};
    const late = new Promise<never>((_, reject) => (fail = () => reject(new Error('late'))));
    const { store } = newStore(['s'], { get: () => late } as unknown as Cache);
    expect(await store.get('k')).toBeUndefined();
    fail();
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('does not fail for an answer that is nested too deeply to be written', async () => {
    const { store } = newStore();
    const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    await expect(store.set('k', remembered({ deep }), 1_000)).resolves.toBeUndefined();
    expect(await store.get('k')).toBeUndefined();
  });
});
