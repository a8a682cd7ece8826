import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';

import type { Cache } from 'cache-manager';

import { publishAlarm } from '../core/channels.js';
import { type JsonObject, readJsonObject } from '../core/json.js';
import { principalOf } from '../core/principal.js';
import type { Verified } from './token-verifier.js';

/** Longest wait for the store; a slower one is a miss. */
const LIMIT_MS = 250;

/** A verified token and the instant until which it may be reused. */
export interface Remembered {
  readonly verified: Verified;
  /** Wall time. */
  readonly until: number;
}

interface SealedEntry {
  readonly appId: string;
  readonly id: string;
  readonly claims: JsonObject;
  readonly vouchedAt: number;
  readonly until: number;
}

/**
 * The application's own cache, for introspection results. Entries are sealed with a key made from the
 * applications' secrets and bound to their cache key: who can write to the store cannot invent, edit or
 * move one. A store that throws, hangs or returns anything else is a miss.
 */
export class SealedStore {
  readonly #sealKey: Buffer;

  constructor(
    private readonly store: Cache,
    secrets: readonly string[],
  ) {
    this.#sealKey =
      secrets.length === 0
        ? randomBytes(32)
        : hash('sha256', `seal|${JSON.stringify(secrets)}`, 'buffer');
  }

  async get(key: string): Promise<Remembered | undefined> {
    const sealed = await this.#within(() => this.store.get<unknown>(key));
    return typeof sealed === 'string' ? this.#unseal(key, sealed) : undefined;
  }

  async set(key: string, { verified, until }: Remembered, ttlMs: number): Promise<void> {
    const { appId, id, claims } = verified.principal;
    const entry: SealedEntry = { appId, id, claims, vouchedAt: verified.vouchedAt ?? 0, until };
    await this.#within(() => {
      const text = JSON.stringify(entry);
      return this.store.set(key, `${this.#mac(key, text)}.${text}`, ttlMs);
    });
  }

  async delete(key: string): Promise<void> {
    await this.#within(() => this.store.del(key));
  }

  #unseal(key: string, sealed: string): Remembered | undefined {
    const [mac, text] = [Buffer.from(sealed.slice(0, 43)), sealed.slice(44)];
    const expected = Buffer.from(this.#mac(key, text));
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return undefined;
    // Only we can have written it, so its shape is ours.
    const { appId, id, claims, vouchedAt, until } = readJsonObject(text) as unknown as SealedEntry;
    return { verified: { principal: principalOf(claims, appId, id), vouchedAt }, until };
  }

  #mac(key: string, text: string): string {
    return createHmac('sha256', this.#sealKey).update(`${key}\n${text}`).digest('base64url');
  }

  async #within<T>(use: () => Promise<T>): Promise<T | undefined> {
    let cancel = (): void => {};
    const limit = new Promise<undefined>((resolve) => {
      const timer = setTimeout(resolve, LIMIT_MS);
      cancel = () => clearTimeout(timer);
    });
    try {
      return await Promise.race([use(), limit]);
    } catch {
      publishAlarm({ alarm: 'cache_failed', detail: 'the cache given as cache.store failed' });
      return undefined;
    } finally {
      cancel();
    }
  }
}
