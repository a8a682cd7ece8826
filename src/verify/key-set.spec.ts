import { generateKeyPairSync } from 'node:crypto';

import { describe, it, expect } from '@jest/globals';

import { Clock } from '../core/clock.js';
import { GenAuthUnavailableError, TokenError } from '../core/errors.js';
import { KeySet } from './key-set.js';
import type { SigningKey } from './signing-key.js';

class TestClock extends Clock {
  #wall = 1_800_000_000_000;
  #mono = 12_345;

  override wall(): number {
    return this.#wall;
  }

  override mono(): number {
    return this.#mono;
  }

  override setTimeout(): () => void {
    return () => {};
  }

  advance(ms: number): void {
    this.#wall += ms;
    this.#mono += ms;
  }

  jump(ms: number): void {
    this.#wall += ms;
  }
}

type Jwk = Record<string, unknown>;

function newJwk(members: Jwk = {}): Jwk {
  const { publicKey } = generateKeyPairSync('ed25519');
  return { ...publicKey.export({ format: 'jwk' }), ...members };
}

const MAX_AGE = 600_000;
const COOLDOWN = 30_000;
const STALE_LIMIT = 3_600_000;
const [A, B, C] = ['a', 'b', 'c'].map((kid) => newJwk({ kid })) as [Jwk, Jwk, Jwk];

/** A key set over an endpoint that counts, and that answers what the test says. */
class World {
  readonly clock = new TestClock();
  readonly keys: KeySet;
  published: readonly unknown[] = [A];
  dead = false;
  fetches = 0;
  withdrawals = 0;
  /** When set, answers wait for it. */
  gate: Promise<void> | undefined;

  constructor(algorithms: readonly string[] = ['EdDSA']) {
    const times = {
      keysMaxAgeMs: MAX_AGE,
      keysCooldownMs: COOLDOWN,
      keysStaleLimitMs: STALE_LIMIT,
    };
    const withdrawn = (): void => void (this.withdrawals += 1);
    this.keys = new KeySet(() => this.#fetch(), algorithms, times, this.clock, withdrawn);
  }

  async #fetch(): Promise<readonly unknown[]> {
    this.fetches += 1;
    const { published, dead } = this;
    await this.gate;
    if (dead) throw new GenAuthUnavailableError('no_answer', 'dead');
    return published;
  }

  find(kid?: string, alg = 'EdDSA'): Promise<SigningKey> {
    return this.keys.find(kid, alg);
  }

  /** Why nothing was found; undefined when a key was. */
  async reason(kid?: string, alg?: string): Promise<string | undefined> {
    try {
      await this.find(kid, alg);
      return undefined;
    } catch (error) {
      if (error instanceof TokenError) return error.reason;
      if (error instanceof GenAuthUnavailableError) return `unavailable: ${error.reason}`;
      throw error;
    }
  }
}

/** Lets a refresh in the background come to its end. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('KeySet, choosing a key', () => {
  it('finds the key that kid names exactly', async () => {
    const world = new World();
    world.published = [A, B, C];
    expect((await world.find('b')).kid).toBe('b');
    for (const kid of ['B', 'b ', '', '__proto__', 'constructor', 'd']) {
      expect(await world.reason(kid)).toBe('unknown_key');
    }
  });

  it('never takes the first key for an unknown kid, even if it is the only one', async () => {
    expect(await new World().reason('other')).toBe('unknown_key');
  });

  it('without kid takes the key that fits only if exactly one does', async () => {
    const world = new World(['EdDSA', 'ES256']);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ec = { ...publicKey.export({ format: 'jwk' }), kid: 'ec' };
    world.published = [A, ec, { kty: 'oct', k: 'c2VjcmV0', kid: 'a' }];
    expect((await world.find(undefined, 'EdDSA')).kid).toBe('a');
    expect((await world.find(undefined, 'ES256')).kid).toBe('ec');
    expect(await world.reason(undefined, 'RS256')).toBe('unknown_key');

    world.published = [A, B, ec];
    world.clock.advance(MAX_AGE + COOLDOWN);
    await world.find('a');
    await settled();
    expect(await world.reason(undefined, 'EdDSA')).toBe('ambiguous_key');
    expect((await world.find(undefined, 'ES256')).kid).toBe('ec');
  });

  it('refuses a kid that two fitting keys have', async () => {
    const world = new World();
    world.published = [A, newJwk({ kid: 'a' })];
    expect(await world.reason('a')).toBe('ambiguous_key');
  });

  it('takes a kid that two keys have, of which one fits', async () => {
    const world = new World(['EdDSA', 'ES256']);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    world.published = [A, { ...publicKey.export({ format: 'jwk' }), kid: 'a' }];
    expect((await world.find('a', 'EdDSA')).suits('EdDSA')).toBe(true);
    expect((await world.find('a', 'ES256')).suits('ES256')).toBe(true);
  });

  it('refuses a key for another algorithm than its own, without asking again', async () => {
    const world = new World(['EdDSA', 'Ed25519']);
    world.published = [{ ...A, alg: 'EdDSA' }];
    expect(await world.reason('a', 'Ed25519')).toBe('unsuitable_key');
    expect(world.fetches).toBe(1);
  });
});

describe('KeySet, fetching', () => {
  it('fetches nothing before the first question', () => {
    expect(new World().fetches).toBe(0);
  });

  it('fetches once for any number of questions at a time', async () => {
    const world = new World();
    let open = (): void => {};
    world.gate = new Promise((resolve) => (open = resolve));
    const found = Array.from({ length: 500 }, () => world.find('a'));
    await settled();
    expect(world.fetches).toBe(1);
    open();
    const keys = await Promise.all(found);
    expect(new Set(keys).size).toBe(1);
    expect(world.fetches).toBe(1);
  });

  it('fetches once for any number of unknown kids at a time', async () => {
    const world = new World();
    await world.find('a');
    world.published = [A, B];
    const reasons = await Promise.all(
      Array.from({ length: 200 }, (_, n) => world.reason(n % 2 === 0 ? 'b' : `x${n}`)),
    );
    expect(reasons.filter((reason) => reason === undefined)).toHaveLength(100);
    expect(reasons.filter((reason) => reason === 'unknown_key')).toHaveLength(100);
    expect(world.fetches).toBe(2);
  });

  it('learns a new key from the first token that names it', async () => {
    const world = new World();
    await world.find('a');
    world.published = [A, B];
    expect((await world.find('b')).kid).toBe('b');
    expect(world.fetches).toBe(2);
  });

  it('fetches no more than the pause allows, whatever 10 000 unknown kids a minute ask for', async () => {
    const world = new World();
    const known = await world.find('a');
    for (let n = 0; n < 10_000; n += 1) {
      expect(await world.reason(`unknown-${n}`)).toBe('unknown_key');
      if (n % 10 === 0) expect((await world.find('a')).id).toBe(known.id);
      world.clock.advance(6);
    }
    // The first one, and one at the start of each pause of half a minute.
    expect(world.fetches).toBe(1 + 2);
  });

  it('does not say for good during the pause that a key is not published', async () => {
    const world = new World();
    const outcome = () =>
      world.keys.findForGood('b', 'EdDSA').then(
        ({ kid }) => kid,
        ({ reason }: TokenError | GenAuthUnavailableError) => reason,
      );
    expect(await Promise.all([outcome(), outcome()])).toEqual(['unknown_key', 'unknown_key']);
    world.published = [A, B];
    expect(await outcome()).toBe('keys_stale');
    world.clock.advance(COOLDOWN);
    expect(await outcome()).toBe('b');
  });

  it('leaves a dead endpoint alone during the pause, while known keys go on verifying', async () => {
    const world = new World();
    const known = await world.find('a');
    world.dead = true;
    world.clock.advance(MAX_AGE + 1);
    for (let ms = 0; ms < 60_000; ms += 20) {
      expect(await world.find('a')).toBe(known);
      expect(world.keys.holds(known.id)).toBe(true);
      if (ms % 100 === 0) expect(await world.reason(`x${ms}`)).toMatch(/^unavailable/);
      world.clock.advance(20);
    }
    await settled();
    expect(world.fetches).toBe(1 + 2);
  });

  it('leaves an endpoint that was dead from the beginning alone during the pause', async () => {
    const world = new World();
    world.dead = true;
    expect(await world.reason('a')).toBe('unavailable: no_answer');
    for (let ms = 20; ms < 60_000; ms += 20) {
      world.clock.advance(20);
      expect(await world.reason('a')).toMatch(/^unavailable/);
    }
    expect(world.fetches).toBe(2);
    world.dead = false;
    expect(await world.reason('a')).toBe('unavailable: keys_stale');
    world.clock.advance(COOLDOWN);
    expect((await world.find('a')).kid).toBe('a');
  });

  it('says when it is worth asking again', async () => {
    const world = new World();
    world.dead = true;
    await world.reason('a');
    world.clock.advance(10_000);
    await expect(world.find('a')).rejects.toMatchObject({ retryAfterMs: COOLDOWN - 10_000 });
  });

  it('calls an unknown kid unknown only if the last fetch could tell', async () => {
    const world = new World();
    await world.find('a');
    world.dead = true;
    expect(await world.reason('b')).toBe('unavailable: no_answer');
    expect(await world.reason('b')).toBe('unavailable: keys_stale');
    world.dead = false;
    world.clock.advance(COOLDOWN);
    expect(await world.reason('b')).toBe('unknown_key');
    expect(await world.reason('b')).toBe('unknown_key');
  });
});

describe('KeySet, growing old', () => {
  it('serves without asking until maxAge', async () => {
    const world = new World();
    await world.find('a');
    world.clock.advance(MAX_AGE);
    await world.find('a');
    expect(world.fetches).toBe(1);
  });

  it('refreshes ahead after maxAge, and keeps nobody waiting meanwhile', async () => {
    const world = new World();
    const known = await world.find('a');
    world.clock.advance(MAX_AGE + 1);
    let open = (): void => {};
    world.gate = new Promise((resolve) => (open = resolve));
    expect(await world.find('a')).toBe(known);
    expect(await world.find('a')).toBe(known);
    expect(world.fetches).toBe(2);
    open();
    await settled();
    world.clock.advance(MAX_AGE);
    await world.find('a');
    expect(world.fetches).toBe(2);
  });

  it('refreshes ahead when only asked whether it holds a key', async () => {
    const world = new World();
    const { id } = await world.find('a');
    world.published = [B];
    world.clock.advance(MAX_AGE + 1);
    expect(world.keys.holds(id)).toBe(true);
    await settled();
    expect(world.keys.holds(id)).toBe(false);
  });

  it('counts the age from when the question left, not from when the answer came', async () => {
    const world = new World();
    let open = (): void => {};
    world.gate = new Promise((resolve) => (open = resolve));
    const found = world.find('a');
    world.clock.advance(MAX_AGE - 1);
    open();
    await found;
    world.clock.advance(2);
    await world.find('a');
    expect(world.fetches).toBe(2);
  });

  it('serves while GenAuth is away until staleLimit, then says that it cannot tell', async () => {
    const world = new World();
    const known = await world.find('a');
    world.dead = true;
    world.clock.advance(STALE_LIMIT);
    expect(await world.find('a')).toBe(known);
    await settled();
    world.clock.advance(1);
    expect(world.keys.holds(known.id)).toBe(false);
    expect(world.keys.peek('a', 'EdDSA')).toBeUndefined();
    expect(await world.reason('a')).toMatch(/^unavailable/);
    expect(await world.reason('unknown')).toMatch(/^unavailable/);
    expect(await world.reason(undefined)).toMatch(/^unavailable/);
    world.clock.advance(COOLDOWN);
    expect(await world.reason('a')).toBe('unavailable: no_answer');
    expect(await world.reason('a')).toBe('unavailable: keys_stale');
  });

  it('serves again as soon as GenAuth is back', async () => {
    const world = new World();
    await world.find('a');
    world.dead = true;
    world.clock.advance(STALE_LIMIT + 1);
    expect(await world.reason('a')).toMatch(/^unavailable/);
    world.dead = false;
    world.clock.advance(COOLDOWN);
    const found = await world.find('a');
    expect(world.keys.holds(found.id)).toBe(true);
  });

  it('does not care what the wall clock says', async () => {
    const world = new World();
    const known = await world.find('a');
    for (const jump of [10 * STALE_LIMIT, -30 * STALE_LIMIT, 1e12]) {
      world.clock.jump(jump);
      expect(await world.find('a')).toBe(known);
      expect(world.keys.holds(known.id)).toBe(true);
    }
    await settled();
    expect(world.fetches).toBe(1);

    world.dead = true;
    world.clock.advance(STALE_LIMIT + 1);
    world.clock.jump(-2 * STALE_LIMIT);
    expect(world.keys.holds(known.id)).toBe(false);
    expect(await world.reason('a')).toMatch(/^unavailable/);
    world.clock.jump(10 * COOLDOWN);
    expect(await world.reason('a')).toBe('unavailable: keys_stale');
    expect(world.fetches).toBe(2);
  });
});

describe('KeySet, replacing keys', () => {
  async function refreshed(world: World, published: readonly unknown[]): Promise<void> {
    world.published = published;
    world.clock.advance(MAX_AGE + COOLDOWN);
    world.keys.refreshAhead();
    await settled();
  }

  it('replaces the keys as a whole', async () => {
    const world = new World();
    world.published = [A, B];
    const [a, b] = [await world.find('a'), await world.find('b')];
    await refreshed(world, [B, C]);
    expect(world.keys.holds(a.id)).toBe(false);
    expect(world.keys.holds(b.id)).toBe(true);
    expect(world.keys.peek('a', 'EdDSA')).toBeUndefined();
    expect(world.keys.peek('c', 'EdDSA')).toBeDefined();
  });

  it('takes new material under an old kid for another key', async () => {
    const world = new World();
    const old = await world.find('a');
    await refreshed(world, [newJwk({ kid: 'a' })]);
    expect(world.keys.holds(old.id)).toBe(false);
    expect((await world.find('a')).id).not.toBe(old.id);
    expect(world.withdrawals).toBe(1);
  });

  it('tells when a key has left, and only then', async () => {
    const world = new World();
    await world.find('a');
    expect(world.withdrawals).toBe(0);
    await refreshed(world, [A]);
    await refreshed(world, [B, A]);
    expect(world.withdrawals).toBe(0);
    await refreshed(world, [B]);
    expect(world.withdrawals).toBe(1);
    await refreshed(world, [C]);
    expect(world.withdrawals).toBe(2);
  });

  it('tells of a withdrawal when the new keys are already in place', async () => {
    const seen: boolean[] = [];
    let published = [A];
    const clock = new TestClock();
    const times = {
      keysMaxAgeMs: MAX_AGE,
      keysCooldownMs: COOLDOWN,
      keysStaleLimitMs: STALE_LIMIT,
    };
    const keys = new KeySet(
      () => Promise.resolve(published),
      ['EdDSA'],
      times,
      clock,
      () => void seen.push(keys.holds(id), keys.peek('b', 'EdDSA') !== undefined),
    );
    const { id } = await keys.find('a', 'EdDSA');
    published = [B];
    await keys.find('b', 'EdDSA');
    expect(seen).toEqual([false, true]);
  });

  it('withdraws every key when an empty set is published', async () => {
    const world = new World();
    const { id } = await world.find('a');
    await refreshed(world, []);
    expect(world.keys.holds(id)).toBe(false);
    expect(world.withdrawals).toBe(1);
    expect(await world.reason('a')).toBe('unknown_key');
  });

  it('passes over strange members and takes the rest', async () => {
    const world = new World();
    world.published = [null, 7, 'key', [], {}, { kty: 'oct', k: 'AA' }, { ...B, d: 'x' }, A];
    expect((await world.find('a')).kid).toBe('a');
    expect(await world.reason('b')).toBe('unknown_key');
  });

  it('keeps good keys through bad answers', async () => {
    const world = new World();
    const known = await world.find('a');
    await refreshed(
      world,
      Array.from({ length: 101 }, () => B),
    );
    expect(world.fetches).toBe(2);
    expect(await world.find('a')).toBe(known);
    expect(await world.reason('b')).toBe('unavailable: keys_stale');
    world.dead = true;
    await refreshed(world, [B]);
    expect(world.fetches).toBe(3);
    expect(world.keys.holds(known.id)).toBe(true);
    expect(world.withdrawals).toBe(0);
  });

  it('takes a hundred keys and refuses to look at more', async () => {
    const world = new World();
    const many = Array.from({ length: 100 }, (_, n) => ({ ...A, kid: `k${n}` }));
    world.published = many;
    expect((await world.find('k99')).kid).toBe('k99');
    const other = new World();
    other.published = [...many, A];
    expect(await other.reason('a')).toBe('unavailable: keys_stale');
  });

  it('knows nothing of a key that was never published', async () => {
    const world = new World();
    await world.find('a');
    for (const id of ['', 'a', '__proto__', 'constructor']) {
      expect(world.keys.holds(id)).toBe(false);
    }
  });
});
