import { randomFillSync } from 'node:crypto';

import {
  type Freshness,
  type Revocation,
  RevocationLog,
  type RevocationLogContext,
} from 'nestjs-genauth';

const FRESH: Freshness = { state: 'live', ageMs: 0, coveredSince: 0 };
const DAY_MS = 86_400_000;

/**
 * A log that was there before the first token, as a fleet's is: no token has to be asked about, and
 * everything measured is the work of this process.
 */
export class CoveredLog extends RevocationLog {
  #context: RevocationLogContext | undefined;

  override start(context: RevocationLogContext): Promise<void> {
    this.#context = context;
    return Promise.resolve();
  }

  override append(): Promise<void> {
    return Promise.resolve();
  }

  override freshness(): Freshness {
    return FRESH;
  }

  override stop(): Promise<void> {
    return Promise.resolve();
  }

  /** Facts arrive, as if another process had revoked. */
  deliver(facts: readonly Revocation[]): void {
    this.#context?.apply(facts);
  }

  /** Revocations of tokens nobody knows, which expire within GenAuth's fourteen days. */
  deliverRandom(count: number): void {
    for (let left = count; left > 0; left -= 1_000) {
      this.deliver(Array.from({ length: Math.min(left, 1_000) }, randomFact));
    }
  }
}

/** Bytes of a digest; random ones are drawn many at a time. */
const DIGEST = 16;
const pool = Buffer.alloc(DIGEST * 1_024);
let drawn = pool.length;

/** The revocation of a token nobody knows. */
export function randomFact(): Revocation {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  const key = pool.toString('base64url', drawn, (drawn += DIGEST));
  const lifeMs = 60_000 + Math.floor(Math.random() * (14 * DAY_MS - 120_000));
  return tokenFact(key, Math.floor((Date.now() + lifeMs) / 1_000) * 1_000);
}

export function tokenFact(key: string, expiresAt: number): Revocation {
  return { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
}
