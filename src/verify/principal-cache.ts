import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';

import { type Cache, createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { LRUCache } from 'lru-cache';

import type { Clock } from '../core/clock.js';
import type { Principal } from '../core/principal.js';
import { type Digest, reaches, type Revocation, targetKeys } from '../core/revocation.js';
import type { ResolvedOptions } from '../genauth.options.js';
import { KeyGroups } from './key-groups.js';
import { Refusals } from './refusals.js';
import { type Remembered, SealedStore } from './sealed-store.js';
import type { Verified } from './token-verifier.js';

/** Entries that are looked through without a pause. */
const AT_A_TIME = 500;
const DONE = Promise.resolve();

/** An entry of our store, as Keyv writes it. */
interface Stored {
  readonly value: Remembered;
  readonly expires: number;
}

/**
 * Remembers verified tokens over cache-manager, and forgets them on revocation.
 *
 * It saves work and decides nothing: whatever it returns is held against times, keys and revocations
 * again. One bounded store of this process holds everything; the application's own cache, if given,
 * holds introspection results as well.
 */
export class PrincipalCache {
  /** In a space of their own: no junk takes the place of a good token. */
  readonly refusals: Refusals;
  readonly #entries: LRUCache<string, Stored>;
  readonly #cache: Cache;
  readonly #shared: SealedStore | undefined;
  /** The entries of each token: one for each accepted spelling. */
  readonly #byToken = new KeyGroups();
  /** The entries of each user. */
  readonly #bySubject = new KeyGroups();
  readonly #fingerprint: string;
  #writes = 0;
  /** What the next walk through the entries is for. */
  #toForget = new Map<Digest, Revocation>();
  #walks: Promise<void> = Promise.resolve();

  constructor(
    private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    this.#entries = new LRUCache<string, Stored>({
      max: options.cacheMax,
      dispose: ({ value: { verified } }, key) => {
        const { id, sub = '' } = verified.principal;
        this.#byToken.remove(id, key);
        this.#bySubject.remove(sub, key);
      },
    });
    const keyv = new Keyv({ store: storeOver(this.#entries), useKeyPrefix: false });
    // Without a serializer Keyv stores the entry itself, not a copy of it.
    Object.assign(keyv, { serialize: undefined, deserialize: undefined });
    this.#cache = createCache({ stores: [keyv] });
    this.refusals = new Refusals(options, clock);
    const settings = options.applications.map((one) => ({ ...one, appSecret: undefined }));
    this.#fingerprint = hash(
      'sha256',
      JSON.stringify([settings, options.clockToleranceMs]),
      'base64url',
    );
    const secrets = options.applications.flatMap(({ appSecret }) => appSecret ?? []);
    this.#shared = options.cacheStore && new SealedStore(options.cacheStore, secrets);
  }

  /** A digest of the whole token: its key in stores of this object alone, which has one set of settings. */
  keyOf(token: string): string {
    return hash('sha256', token, 'base64url');
  }

  /** Its key in a store that others use as well: a digest of the token together with the settings. */
  sharedKeyOf(key: string): string {
    return hash('sha256', key + this.#fingerprint, 'base64url');
  }

  /**
   * What is remembered under the key, if it still may be. Reads the store itself: through cache-manager it
   * would cost each request a promise, and be the same entry.
   */
  get(key: string, now = this.clock.wall()): Verified | undefined {
    const found = this.#entries.peek(key)?.value;
    if (!found) return undefined;
    if (!isCurrent(found, now)) return void this.#entries.delete(key);
    if (this.#writes - (found.usedAt ?? -Infinity) > this.options.cacheMax / 16)
      this.#use(key, found);
    return found.verified;
  }

  /**
   * Moves an entry away from those that go next. That touches memory all over the store, so it is left until
   * a part of the store has been written anew since.
   */
  #use(key: string, found: Remembered): void {
    found.usedAt = this.#writes;
    this.#entries.get(key);
  }

  /** Looks into the application's own cache, and takes what is found there into ours. */
  async getShared(key: string): Promise<Verified | undefined> {
    const found = await this.#shared?.get(this.sharedKeyOf(key));
    if (!found || !isCurrent(found, this.clock.wall())) return undefined;
    await this.#write(key, found);
    return found.verified;
  }

  /** What was verified here is remembered when the call returns: whoever is next to bring the token finds it. */
  set(key: string, verified: Verified): Promise<void> {
    const now = this.clock.wall();
    const until = this.#lapseOf(verified, now);
    const remembered = { verified, until, usedAt: this.#writes };
    const ttlMs = Math.floor(until - now);
    // cache-manager keeps what has a ttl of 0 or NaN for ever.
    if (!(ttlMs >= 1)) return DONE;
    if (isOnline(verified)) return this.#setOnline(key, remembered, ttlMs);
    this.#entries.set(key, { value: remembered, expires: until });
    this.#group(key, verified.principal);
    return DONE;
  }

  async #setOnline(key: string, remembered: Remembered, ttlMs: number): Promise<void> {
    await this.#write(key, remembered);
    await this.#shared?.set(this.sharedKeyOf(key), remembered, ttlMs);
  }

  /** A JWT that GenAuth was asked about is remembered until it expires: GenAuth is asked once. */
  #lapseOf(verified: Verified, now: number): number {
    const { vouchedAt, principal } = verified;
    if (isOnline(verified)) {
      return Math.min((vouchedAt ?? now) + this.options.introspectionTtlMs, principal.expiresAt);
    }
    if (vouchedAt !== undefined) return principal.expiresAt;
    return Math.min(now + this.options.cacheTtlMs, principal.expiresAt);
  }

  async drop(key: string): Promise<void> {
    const remembered = this.#entries.peek(key)?.value;
    await this.#cache.del(key);
    if (!remembered || isOnline(remembered.verified)) {
      await this.#shared?.delete(this.sharedKeyOf(key));
    }
  }

  /** Drops everything the revocation reaches. What it misses is refused all the same. */
  async forget(revocation: Revocation): Promise<void> {
    if (revocation.kind === 'token') {
      const spellings = this.#byToken.of(revocation.key);
      await Promise.all(spellings.map((key) => this.drop(key)));
      return;
    }
    // One walk serves everything that arrives while another one is under way.
    if (this.#toForget.size === 0) {
      this.#walks = this.#walks.catch(() => {}).then(() => this.#forgetAll());
    }
    this.#toForget.set(revocation.key, latest(revocation, this.#toForget.get(revocation.key)));
    await this.#walks;
  }

  async #forgetAll(): Promise<void> {
    const revocations = this.#toForget;
    this.#toForget = new Map();
    const kinds = [...new Set([...revocations.values()].map(({ kind }) => kind))];
    const isReached = (principal: Principal): boolean =>
      kinds
        .flatMap((kind) => targetKeys(principal, kind))
        .some((key) => {
          const revocation = revocations.get(key);
          return revocation !== undefined && reaches(revocation, principal);
        });
    const entries = [...this.#entries.entries()];
    for (let from = 0; from < entries.length; from += AT_A_TIME) {
      const some = entries.slice(from, from + AT_A_TIME);
      const reached = some.filter(([, { value }]) => isReached(value.verified.principal));
      await Promise.all(reached.map(([key]) => this.drop(key)));
      // A large cache must not stand in the way of requests.
      if (from + AT_A_TIME < entries.length) await setImmediate();
    }
  }

  /** Drops everything whose signing key is gone. */
  async forgetKeys(isHeld: (keyId: string) => boolean): Promise<void> {
    const gone = [...this.#entries.entries()].filter(
      ([, { value }]) => value.verified.keyId !== undefined && !isHeld(value.verified.keyId),
    );
    await Promise.all(gone.map(([key]) => this.drop(key)));
  }

  /**
   * What is remembered of the principals that are meant: all of it was certainly issued before now.
   *
   * @param subject where only one user's are looked for
   */
  remembered(isMeant: (principal: Principal) => boolean, subject?: string): Verified[] {
    const entries =
      subject === undefined
        ? [...this.#entries.values()]
        : this.#bySubject.of(subject).flatMap((key) => this.#entries.peek(key) ?? []);
    return entries.map(({ value }) => value.verified).filter(({ principal }) => isMeant(principal));
  }

  /** Through cache-manager. That takes several promises, and five times as long as the store itself. */
  async #write(key: string, remembered: Remembered): Promise<void> {
    const ttlMs = Math.max(1, Math.ceil(remembered.until - this.clock.wall()));
    await this.#cache.set(key, remembered, ttlMs);
    if (this.#entries.has(key)) this.#group(key, remembered.verified.principal);
  }

  #group(key: string, { id, sub }: Principal): void {
    this.#writes += 1;
    if (sub !== undefined) this.#bySubject.add(sub, key);
    this.#byToken.add(id, key);
  }
}

/** Keyv passes `set` a ttl, where lru-cache expects options: the four methods alone, then. */
function storeOver(entries: LRUCache<string, Stored>) {
  return {
    get: (key: string) => entries.get(key),
    set: (key: string, stored: Stored) => void entries.set(key, stored),
    delete: (key: string) => entries.delete(key),
    clear: () => entries.clear(),
  };
}

/** GenAuth's word from the future was given before our clock was set back: too old, for all we know. */
function isCurrent({ verified: { vouchedAt = 0 }, until }: Remembered, now: number): boolean {
  return until > now && vouchedAt <= now;
}

/** Of two cuts of one target, the one that reaches further. */
function latest(one: Revocation, other: Revocation = one): Revocation {
  const reach = ({ askedThroughAt, refusedThroughAt }: Revocation): number =>
    askedThroughAt ?? refusedThroughAt ?? Infinity;
  return reach(one) >= reach(other) ? one : other;
}

/** Whether the principal rests on GenAuth's word alone. */
function isOnline({ keyId }: Verified): boolean {
  return keyId === undefined;
}
