import type { Moment } from './core/clock.js';
import type { Token } from './verify/compact-jws.js';

/** A token as it was presented: when by our clock, and by what was revoked. */
export interface Presented {
  readonly text: string;
  /** Where it is remembered, and the name of what is under way about it. */
  readonly key: string;
  readonly at: Moment;
  /** The newest revocation at the time; an older one when the token turns out to be known since then. */
  version: number;
  /** What it says, once somebody has read it. */
  read?: Token;
}

/** Tokens that are being looked at. Who brings one of them meanwhile brings it as early as whoever was first. */
export class InHand {
  readonly #tokens = new Map<string, { readonly version: number; bearers: number }>();

  /** The version under which the token was first presented by those who still wait, or this one. */
  oldest(key: string, version: number): number {
    if (this.#tokens.size === 0) return version;
    return Math.min(version, this.#tokens.get(key)?.version ?? Infinity);
  }

  /** Keeps the token in hand until everybody who brought it has an answer. */
  async during<T>({ key, version }: Presented, judge: () => Promise<T>): Promise<T> {
    const token = this.#tokens.get(key) ?? { version, bearers: 0 };
    this.#tokens.set(key, token);
    token.bearers += 1;
    try {
      return await judge();
    } finally {
      token.bearers -= 1;
      if (token.bearers === 0) this.#tokens.delete(key);
    }
  }
}
