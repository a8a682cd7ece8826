import { latestWall, type Clock } from './core/clock.js';
import { cutAt, cutWhen, type WatermarkKind } from './core/revocation.js';
import type { GenAuthClient } from './genauth.client.js';
import type { ResolvedApplication, ResolvedOptions } from './genauth.options.js';

/** A cut may lie this far ahead of the moment it is made. */
const MOST_AHEAD_MS = 300_000;

/** When a cut was made. Without an instant: now, by whoever speaks for this process. */
export interface CutTime {
  /** By our clock. */
  readonly at?: number | undefined;
  /** By the issuer's clock, in whole seconds: when what is reported from outside happened. */
  readonly happenedAt?: number | undefined;
  /** The token that GenAuth is yet to be told of; its word on the boundary counts after `settle`. */
  readonly unsettledBy?: string;
}

/** Which tokens a cut refuses, and about which GenAuth is asked. Epoch milliseconds. */
export interface Bounds {
  readonly refusedThroughAt: number;
  readonly askedThroughAt: number;
}

/** Says how far cuts reach. */
export class CutBounds {
  constructor(
    private readonly options: ResolvedOptions,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {}

  /** Of a cut with `time`; never further ahead of now than five minutes, whatever it says. */
  of(application: ResolvedApplication, kind: WatermarkKind, time: CutTime): Bounds {
    const now = latestWall(this.clock);
    const { at = now, happenedAt } = time;
    const latest = now + MOST_AHEAD_MS;
    if (happenedAt !== undefined) return cutWhen(kind, Math.min(happenedAt, latest));
    const cutoff = Math.min(at, latest);
    // Whoever names an instant that is yet to come wants everything up to there refused.
    if (cutoff > now) return { refusedThroughAt: cutoff, askedThroughAt: cutoff };
    return this.#around(application, cutoff, time.unsettledBy !== undefined);
  }

  /** Of a cut that GenAuth has been told of, now. */
  ofSettled(application: ResolvedApplication): Bounds {
    return this.#around(application, latestWall(this.clock), true);
  }

  /**
   * About a cut that GenAuth is not told of its word is worth little, so nothing it says of its clock may
   * turn a refusal into a question.
   */
  #around(application: ResolvedApplication, cutoff: number, isTold: boolean): Bounds {
    const { lowMs, highMs } = this.client.offsetOf(application);
    const unknownMs = this.options.clockToleranceMs;
    return cutAt(cutoff, { lowMs: isTold ? lowMs : Math.max(lowMs, -unknownMs), highMs });
  }
}
