import { type Clock, latestWallOf } from '../core/clock.js';
import type { Principal } from '../core/principal.js';
import type { Freshness } from '../core/revocation-log.js';
import {
  type Digest,
  type Finding,
  isWatermark,
  type Revocation,
  type RevocationKind,
} from '../core/revocation.js';
import { type Words, wordsOf } from './digest-words.js';
import { Tombstones } from './tombstones.js';
import type { Open } from './watermark-table.js';
import { type Held, Watermarks } from './watermarks.js';

/** How long entries outlive what they deny: clocks may be set back by this much. */
const OUTLIVE_MS = 5 * 60_000;
/** How often the dead are dropped; and how often when there is no room. */
const EXPIRE_MS = 60_000;
const EXPIRE_FULL_MS = 1_000;

/** What the index says of a principal. `askedSince`: GenAuth's word counts if asked then or later. */
export type Verdict =
  | { readonly is: 'accepted' }
  /** `presented`: it was in this process before a cut that covers it, so it is older than that. */
  | { readonly is: 'denied'; readonly by: RevocationKind | 'expired' | 'presented' }
  | {
      readonly is: 'unknown';
      readonly why: 'boundary' | 'not-covered' | Exclude<Freshness['state'], 'live'>;
      readonly askedSince: number;
    };

/** What else bears on a decision besides the facts. */
export interface Standing {
  /** When GenAuth was last asked, with the answer "active". */
  readonly vouchedAt?: number | undefined;
  /** The version of the index at that time, when it was asked by this process. */
  readonly vouchedVersion?: number | undefined;
  /** The version at the time when the token was first presented to this process. @default it never was */
  readonly presentedVersion?: number;
  /** How far GenAuth's clock may be ahead of ours. */
  readonly clockAheadMs: number;
  readonly freshness: Freshness;
  readonly maxStalenessMs: number;
  /** Wall time, read just now. @default read by the index itself */
  readonly now?: number;
}

const ACCEPTED: Verdict = { is: 'accepted' };

/**
 * Every revocation this process knows, in memory. Facts are only ever united: order and repetition do
 * not matter. Nothing leaves before every token it covers is dead, and what cannot be stored any more
 * makes the index `full`, after which it accepts nothing on its own word.
 */
export class RevocationIndex {
  readonly #tombstones: Tombstones;
  readonly #watermarks = new Watermarks();
  readonly #outliveMs: number;
  readonly #latestWall: (now: number) => number;
  #droppedThrough = 0;
  #fullUntil = 0;
  #expiredAt = -Infinity;
  #version = 0;

  /** @param retainMs how long watermarks are kept, and the horizon of the tables by minute */
  constructor(
    private readonly clock: Clock,
    private readonly retainMs: number,
    clockToleranceMs: number,
    private readonly maxEntries: number,
  ) {
    this.#outliveMs = clockToleranceMs + OUTLIVE_MS;
    this.#latestWall = latestWallOf(clock);
    this.#tombstones = new Tombstones(this.#outliveMs);
  }

  get size(): number {
    return this.#tombstones.size + this.#watermarks.size;
  }

  /** What the entries take up, in bytes. */
  get bytes(): number {
    return this.#tombstones.bytes + this.#watermarks.bytes;
  }

  /** Goes up with everything that may change a verdict. */
  get version(): number {
    return this.#version;
  }

  /** Whether a fact had to be turned away, and its target may still be alive. */
  get full(): boolean {
    return this.#fullUntil > 0 && this.#fullUntil > this.clock.wall();
  }

  /** Takes facts in. @returns those that changed something; applying one twice is the same as once */
  apply(facts: readonly Revocation[]): Revocation[] {
    const now = this.#wall();
    if (now >= this.#expiredAt + EXPIRE_MS) this.#expire(now);
    const news = facts.filter((fact) => this.#applyOne(fact, now));
    this.#version += news.length;
    return news;
  }

  /**
   * The watermarks were cut here and now, whether or not that raised them: what was presented before is older,
   * and what GenAuth said before counts for nothing.
   */
  dateNow(watermarks: readonly Revocation[]): void {
    this.#version += 1;
    this.#watermarks.dateNow(watermarks, this.#wall(), this.#version);
  }

  /** How far the cuts of this target that are known here reach; `-Infinity` when there is none. */
  askedThrough(watermark: Revocation): number {
    return this.#watermarks.askedThrough(watermark);
  }

  /** Whether the fact is held: taken in, and not turned away for want of room. */
  holds(fact: Revocation): boolean {
    return this.#has(fact, wordsOf(fact.key));
  }

  /**
   * Every fact held here that can still matter; of the expiry of a token only the minute is known, and the
   * end of it is given. Facts may be applied between one and the next: those may be among them or not.
   */
  *held(): Generator<Revocation, void, undefined> {
    yield* this.#tombstones.held(() => this.#wall());
    for (const fact of this.#watermarks.held()) {
      if (fact.keepUntilAt + this.#outliveMs > this.#wall()) yield fact;
    }
  }

  /** Whether this very token was revoked. */
  hasTombstone(id: Digest, expiresAt: number): boolean {
    return this.#tombstones.size > 0 && this.#tombstones.has(wordsOf(id), expiresAt);
  }

  /** Synchronous and without I/O; to be the last thing that happens before a principal is accepted. */
  check(principal: Principal, standing: Standing, found: Finding = {}): Verdict {
    if (principal.expiresAt <= this.#droppedThrough) return { is: 'denied', by: 'expired' };
    return (
      objection(this.#hold(principal, found), standing) ?? this.#ownVerdict(principal, standing)
    );
  }

  #hold(principal: Principal, found: Finding): Held {
    // What nothing was held against stays so until another fact is applied.
    if (found.clearVersion === this.#version) return undefined;
    const held = this.#lookUp(principal, found);
    if (!held) found.clearVersion = this.#version;
    return held;
  }

  #lookUp(principal: Principal, found: Finding): Held {
    if (this.#tombstones.hasIdOf(principal)) return { is: 'denied', by: 'token' };
    if (this.#tombstones.hasJtiOf(principal)) return { is: 'denied', by: 'jti' };
    return this.#watermarks.hold(principal, found);
  }

  /** What is said of a principal against whom nothing is held. */
  #ownVerdict(principal: Principal, standing: Standing): Verdict {
    const vouchedAt = standing.vouchedAt ?? -Infinity;
    const live = standing.freshness.state === 'live' && !this.full;
    return live
      ? this.#coverageVerdict(principal, standing, vouchedAt)
      : this.#leaseVerdict(standing, vouchedAt);
  }

  /** Without a live log everything rests on GenAuth's word, and on a new one. */
  #leaseVerdict(standing: Standing, vouchedAt: number): Verdict {
    const { freshness, maxStalenessMs, now = this.clock.wall() } = standing;
    const why = freshness.state === 'live' ? 'stale' : freshness.state;
    if (why === 'stopped') return { is: 'unknown', why, askedSince: Infinity };
    const askedSince = now - maxStalenessMs;
    // A word from the future was given before our clock was set back: nobody knows how old it is.
    if (vouchedAt >= askedSince && vouchedAt <= now) return ACCEPTED;
    return { is: 'unknown', why, askedSince };
  }

  #coverageVerdict(principal: Principal, standing: Standing, vouchedAt: number): Verdict {
    // A watermark is gone after retainMs: the log says nothing about tokens that are older.
    const forgotten = this.#latestWall(standing.now ?? this.clock.wall()) - this.retainMs;
    const askedSince = Math.max(standing.freshness.coveredSince, forgotten);
    const issuedAt = principal.issuedAt ?? -Infinity;
    if (issuedAt > askedSince + standing.clockAheadMs || vouchedAt >= askedSince) return ACCEPTED;
    return { is: 'unknown', why: 'not-covered', askedSince };
  }

  #applyOne(fact: Revocation, now: number): boolean {
    if (fact.keepUntilAt + this.#outliveMs <= now) return false;
    const key = wordsOf(fact.key);
    if (!this.#has(fact, key) && !this.#hasRoom(fact, now)) return false;
    return isWatermark(fact.kind)
      ? this.#watermarks.raise(fact, key, now, this.#version + 1)
      : this.#tombstones.add(fact, key, now + this.retainMs + this.#outliveMs);
  }

  #has({ kind, expiresAt = NaN }: Revocation, key: Words): boolean {
    if (kind === 'token') return this.#tombstones.has(key, expiresAt);
    if (kind === 'message') return this.#tombstones.hasMessage(key);
    return kind === 'jti' ? this.#tombstones.hasJti(key) : this.#watermarks.has(kind, key);
  }

  #hasRoom({ keepUntilAt }: Revocation, now: number): boolean {
    if (this.size < this.maxEntries) return true;
    if (now >= this.#expiredAt + EXPIRE_FULL_MS) this.#expire(now);
    if (this.size < this.maxEntries) return true;
    this.#fullUntil = Math.max(this.#fullUntil, keepUntilAt + this.#outliveMs);
    return false;
  }

  /** The highest wall time seen: a clock that is set back brings nothing back to life. */
  #wall(): number {
    return this.#latestWall(this.clock.wall());
  }

  #expire(now: number): void {
    this.#expiredAt = now;
    const before = this.size;
    this.#tombstones.expire(now);
    this.#watermarks.drop(now - this.#outliveMs);
    if (this.size < before) this.#droppedThrough = now - this.#outliveMs;
  }
}

/** Versions order what happened in this process exactly; another process's word has only its time. */
function isAsked({ askedSince, version }: Open, { vouchedAt, vouchedVersion }: Standing): boolean {
  if (askedSince === Infinity || vouchedAt === undefined) return false;
  return vouchedVersion === undefined ? vouchedAt >= askedSince : vouchedVersion >= version;
}

function objection(held: Held, standing: Standing): Verdict | undefined {
  if (!held || held.is === 'denied') return held;
  if (isOlder(held, standing)) return { is: 'denied', by: 'presented' };
  return isAsked(held, standing) ? undefined : boundary(held);
}

function isOlder({ presentedBefore }: Open, { presentedVersion = Infinity }: Standing): boolean {
  return presentedVersion < presentedBefore;
}

function boundary({ askedSince }: Open): Verdict {
  return { is: 'unknown', why: 'boundary', askedSince };
}
