import { randomFillSync } from 'node:crypto';

import {
  type Freshness,
  InProcessRevocationLog,
  type Revocation,
  type RevocationLogContext,
} from 'nestjs-genauth';

const DAY_MS = 86_400_000;

/**
 * The log of one process, as if it had been there before the first token: no token has to be asked about, and
 * everything measured is the work of this process.
 */
export class CoveredLog extends InProcessRevocationLog {
  #context: RevocationLogContext | undefined;

  override start(context: RevocationLogContext): Promise<void> {
    this.#context = context;
    return super.start(context);
  }

  override freshness(...now: Parameters<InProcessRevocationLog['freshness']>): Freshness {
    const { state, ageMs } = super.freshness(...now);
    return { state, ageMs, coveredSince: 0 };
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

/** A few cuts of every kind, of targets nobody knows: each token issued up to `askedThroughAt` is held against them. */
export function randomCuts(askedThroughAt: number): Revocation[] {
  const kinds = ['subject', 'client', 'session'] as const;
  return kinds.flatMap((kind) =>
    Array.from({ length: 10 }, () => ({
      kind,
      key: randomFact().key,
      refusedThroughAt: askedThroughAt - 1_000,
      askedThroughAt,
      keepUntilAt: askedThroughAt + 14 * DAY_MS,
    })),
  );
}

export function tokenFact(key: string, expiresAt: number): Revocation {
  return { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
}
