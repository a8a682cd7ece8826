import { hash, randomBytes } from 'node:crypto';

import type { Cache } from 'cache-manager';
import { compactDecrypt, CompactEncrypt } from 'jose';

import { publishAlarm } from '../core/channels.js';
import { type JsonObject, readJsonObject } from '../core/json.js';
import { principalOf } from '../core/principal.js';
import type { Verified } from './token-verifier.js';

/** Longest wait for the store; a slower one is a miss. */
const LIMIT_MS = 250;

const SEAL = { alg: 'dir', enc: 'A256GCM' } as const;
const ONLY_SEALED = {
  keyManagementAlgorithms: [SEAL.alg],
  contentEncryptionAlgorithms: [SEAL.enc],
};

/** A verified token and the instant until which it may be reused. */
export interface Remembered {
  readonly verified: Verified;
  /** Wall time. */
  readonly until: number;
  /** How many entries had been written when its use was last taken down. */
  usedAt?: number;
}

/** What is inside of an entry; it names the key it belongs under. */
interface SealedEntry {
  readonly key: string;
  readonly appId: string;
  readonly id: string;
  readonly claims: JsonObject;
  readonly vouchedAt: number;
  readonly until: number;
}

/**
 * The application's own cache, for introspection results. Entries are encrypted (RFC 7516) with a key made
 * from the applications' secrets: who can read or write the store learns nothing, and cannot invent, edit
 * or move one. A store that throws, hangs or returns anything else is a miss.
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

  get(key: string): Promise<Remembered | undefined> {
    return this.#within(async () => {
      const sealed = await this.store.get<unknown>(key);
      return typeof sealed === 'string' ? this.#unseal(key, sealed) : undefined;
    });
  }

  async set(key: string, { verified, until }: Remembered, ttlMs: number): Promise<void> {
    const { appId, id, claims } = verified.principal;
    const entry: SealedEntry = {
      key,
      appId,
      id,
      claims,
      vouchedAt: verified.vouchedAt ?? 0,
      until,
    };
    await this.#within(async () => this.store.set(key, await this.#seal(entry), ttlMs));
  }

  async delete(key: string): Promise<void> {
    await this.#within(() => this.store.del(key));
  }

  #seal(entry: SealedEntry): Promise<string> {
    return new CompactEncrypt(Buffer.from(JSON.stringify(entry)))
      .setProtectedHeader(SEAL)
      .encrypt(this.#sealKey);
  }

  async #unseal(key: string, sealed: string): Promise<Remembered | undefined> {
    const opened = await compactDecrypt(sealed, this.#sealKey, ONLY_SEALED).catch(() => undefined);
    if (!opened) return undefined;
    // Only we can have written it, so its shape is ours.
    const entry = readJsonObject(
      Buffer.from(opened.plaintext).toString(),
    ) as unknown as SealedEntry;
    if (entry.key !== key) return undefined;
    const { appId, id, claims, vouchedAt, until } = entry;
    return { verified: { principal: principalOf(claims, appId, id), vouchedAt }, until };
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
