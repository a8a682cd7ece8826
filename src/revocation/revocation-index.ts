import { type Clock, latestWall } from '../core/clock.js';
import type { Principal } from '../core/principal.js';
import {
  type Digest,
  type Revocation,
  type RevocationKind,
  type TargetKeys,
  targetKeys,
} from '../core/revocation.js';
import { DigestTable } from './digest-table.js';
import { type Held, Watermarks } from './watermarks.js';
import type { Freshness } from '../core/revocation-log.js';

/** How long entries outlive what they deny: clocks may be set back by this much. */
const OUTLIVE_MS = 5 * 60_000;
const MINUTE_MS = 60_000;

/** What the index says of a principal. `askedSince`: GenAuth's word counts if asked then or later. */
export type Verdict =
  | { readonly is: 'accepted' }
  | { readonly is: 'denied'; readonly by: RevocationKind | 'expired' }
  | {
      readonly is: 'unknown';
      readonly why: 'boundary' | 'not-covered' | Exclude<Freshness['state'], 'live'>;
      readonly askedSince: number;
      /** At a boundary: a token presented here before this version is older than the cut. */
      readonly presentedBefore?: number;
    };

/** What else bears on a decision besides the facts. */
export interface Standing {
  /** When GenAuth was last asked, with the answer "active". */
  readonly vouchedAt?: number | undefined;
  /** The version of the index at that time, when it was asked by this process. */
  readonly vouchedVersion?: number | undefined;
  /** How far GenAuth's clock may be ahead of ours. */
  readonly clockAheadMs: number;
  readonly freshness: Freshness;
  readonly maxStalenessMs: number;
}

const ACCEPTED: Verdict = { is: 'accepted' };

/**
 * Every revocation this process knows, in memory. Facts are only ever united: order and repetition do
 * not matter. Nothing leaves before every token it covers is dead, and what cannot be stored any more
 * makes the index `full`, after which it accepts nothing on its own word.
 */
export class RevocationIndex {
  /** One table a minute of `exp`, so that a dead minute is dropped whole. */
  readonly #minutes = new Map<number, DigestTable>();
  /** By the key alone: tombstones without a known `exp`, or with one beyond the horizon. */
  readonly #loose = new DigestTable();
  readonly #watermarks = new Watermarks();
  #tombstones = 0;
  #droppedThrough = 0;
  #fullUntil = 0;
  #nextExpiry = 0;
  #version = 0;

  /** @param retainMs how long watermarks are kept, and the horizon of the tables by minute */
  constructor(
    private readonly clock: Clock,
    private readonly retainMs: number,
    private readonly clockToleranceMs: number,
    private readonly maxEntries: number,
  ) {}

  get size(): number {
    return this.#tombstones + this.#loose.size + this.#watermarks.size;
  }

  /** Goes up with everything that may change a verdict. */
  get version(): number {
    return this.#version;
  }

  /** Whether a fact had to be turned away, and its target may still be alive. */
  get full(): boolean {
    return this.#fullUntil > this.clock.wall();
  }

  /** Takes facts in. @returns those that changed something; applying one twice is the same as once */
  apply(facts: readonly Revocation[]): Revocation[] {
    this.#expire();
    const news = facts.filter((fact) => this.#applyOne(fact));
    this.#version += news.length;
    return news;
  }

  /** GenAuth is yet to be told of `cause`: its word does not settle what these watermarks leave open. */
  unsettle(watermarks: readonly Revocation[], cause: Digest): void {
    this.#watermarks.unsettle(watermarks, cause);
  }

  /** The watermarks were cut here and now: what was presented before this call is older. */
  datePresented(watermarks: readonly Revocation[]): void {
    this.#watermarks.datePresented(watermarks, this.#version);
  }

  /** GenAuth knows of `cause`: its word counts again, if asked from now on. @returns the widened facts */
  settle(cause: Digest, askedThroughAt: number): Revocation[] {
    this.#version += 1;
    return this.#watermarks.settle(cause, askedThroughAt, this.#wall(), this.#version);
  }

  /** Whether the fact is held: taken in, and not turned away for want of room. */
  holds({ kind, key, expiresAt }: Revocation): boolean {
    if (kind === 'token') return this.hasTombstone(key, expiresAt ?? NaN);
    return kind === 'jti' ? this.#loose.has(key) : this.#watermarks.has(key);
  }

  /** Whether this very token was revoked. */
  hasTombstone(id: Digest, expiresAt: number): boolean {
    const minute = this.#minutes.get(Math.floor(expiresAt / MINUTE_MS));
    return minute?.has(id) === true || (this.#loose.size > 0 && this.#loose.has(id));
  }

  /** Synchronous and without I/O; to be the last thing that happens before a principal is accepted. */
  check(principal: Principal, standing: Standing): Verdict {
    if (principal.expiresAt <= this.#droppedThrough) return { is: 'denied', by: 'expired' };
    if (this.hasTombstone(principal.id, principal.expiresAt)) return { is: 'denied', by: 'token' };
    const vouchedAt = standing.vouchedAt ?? -Infinity;
    const held = this.#heldAgainst(principal, standing);
    if (held) return held;
    const live = standing.freshness.state === 'live' && !this.full;
    return live
      ? this.#coverageVerdict(principal, standing, vouchedAt)
      : this.#leaseVerdict(standing, vouchedAt);
  }

  #heldAgainst(
    principal: Principal,
    { vouchedAt = -Infinity, vouchedVersion }: Standing,
  ): Verdict | undefined {
    if (this.#loose.size + this.#watermarks.size === 0) return undefined;
    const keys = targetKeys(principal);
    if (this.#hasBuriedJti(keys)) return { is: 'denied', by: 'jti' };
    const held = this.#watermarks.hold(keys, principal.issuedAt ?? -Infinity);
    if (held.is === 'denied') return held;
    if (held.is === 'free' || isAsked(held, vouchedAt, vouchedVersion)) return undefined;
    const { askedSince, presentedBefore } = held;
    return {
      is: 'unknown',
      why: 'boundary',
      askedSince,
      ...(presentedBefore > 0 && { presentedBefore }),
    };
  }

  #hasBuriedJti({ jti = [] }: TargetKeys): boolean {
    return jti.some((key) => this.#loose.has(key));
  }

  /** Without a live log everything rests on GenAuth's word, and on a new one. */
  #leaseVerdict({ freshness, maxStalenessMs }: Standing, vouchedAt: number): Verdict {
    const why = freshness.state === 'live' ? 'stale' : freshness.state;
    if (why === 'stopped') return { is: 'unknown', why, askedSince: Infinity };
    const now = this.clock.wall();
    const askedSince = now - maxStalenessMs;
    // A word from the future was given before our clock was set back: nobody knows how old it is.
    if (vouchedAt >= askedSince && vouchedAt <= now) return ACCEPTED;
    return { is: 'unknown', why, askedSince };
  }

  #coverageVerdict(principal: Principal, standing: Standing, vouchedAt: number): Verdict {
    // A watermark is gone after retainMs: the log says nothing about tokens that are older.
    const forgotten = this.#wall() - this.retainMs;
    const askedSince = Math.max(standing.freshness.coveredSince, forgotten);
    const issuedAt = principal.issuedAt ?? -Infinity;
    if (issuedAt > askedSince + standing.clockAheadMs || vouchedAt >= askedSince) return ACCEPTED;
    return { is: 'unknown', why: 'not-covered', askedSince };
  }

  #applyOne(fact: Revocation): boolean {
    if (fact.keepUntilAt + this.#outliveMs <= this.#wall()) return false;
    if (fact.kind === 'token' || fact.kind === 'jti') return this.#bury(fact);
    if (!this.#watermarks.has(fact.key) && !this.#hasRoom(fact)) return false;
    return this.#watermarks.raise(fact, this.#wall(), this.#version + 1);
  }

  #bury(fact: Revocation): boolean {
    const { kind, key, keepUntilAt } = fact;
    // Only a token is looked up by its own `exp`.
    const expiresAt = (kind === 'token' ? fact.expiresAt : undefined) ?? Infinity;
    const minute = Math.floor(expiresAt / MINUTE_MS);
    const loose = this.#loose.has(key);
    if (!loose && (this.#minutes.get(minute)?.has(key) || !this.#hasRoom(fact))) return false;
    if (loose || expiresAt > this.#wall() + this.retainMs + this.#outliveMs) {
      // Known already, it may have to be kept longer; that is no news.
      this.#loose.add(key, (keepUntilAt + this.#outliveMs) / 1_000);
      return !loose;
    }
    let table = this.#minutes.get(minute);
    if (!table) this.#minutes.set(minute, (table = new DigestTable()));
    table.add(key, expiresAt / 1_000);
    this.#tombstones += 1;
    return true;
  }

  #hasRoom({ keepUntilAt }: Revocation): boolean {
    if (this.size < this.maxEntries) return true;
    this.#fullUntil = Math.max(this.#fullUntil, keepUntilAt + this.#outliveMs);
    return false;
  }

  get #outliveMs(): number {
    return this.clockToleranceMs + OUTLIVE_MS;
  }

  /** The highest wall time seen: a clock that is set back brings nothing back to life. */
  #wall(): number {
    return latestWall(this.clock);
  }

  #expire(): void {
    const now = this.#wall();
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = now + MINUTE_MS;
    const dead = now - this.#outliveMs;
    const before = this.size;
    for (const [minute, table] of this.#minutes) {
      if ((minute + 1) * MINUTE_MS > dead) continue;
      this.#minutes.delete(minute);
      this.#tombstones -= table.size;
    }
    this.#loose.sweep(now / 1_000);
    this.#watermarks.drop(dead);
    if (this.size < before) this.#droppedThrough = dead;
  }
}

/** Versions order what happened in this process exactly; another process's word has only its time. */
function isAsked(
  { askedSince, version }: Extract<Held, { is: 'open' }>,
  vouchedAt: number,
  vouchedVersion: number | undefined,
): boolean {
  return vouchedVersion === undefined ? vouchedAt >= askedSince : vouchedVersion >= version;
}
