import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';

import { publishAlarm, publishRevocation } from './core/channels.js';
import { Clock, latestWall, type Moment, momentOf } from './core/clock.js';
import { failed, type RevocationReceipt } from './core/errors.js';
import { instantOf } from './core/principal.js';
import {
  isAimedAt,
  type Revocation,
  type RevocationEvent,
  type RevocationSource,
  subjectOf,
  type Target,
  watermarkKey,
} from './core/revocation.js';
import { GenAuthClient } from './genauth.client.js';
import { type ResolvedApplication, ResolvedOptions } from './genauth.options.js';
import { RevocationIndex, type Verdict } from './revocation/revocation-index.js';
import { type Errand, type Freshness, RevocationLog } from './core/revocation-log.js';
import { CutBounds, type CutTime } from './cut-bounds.js';
import { UnsettledCuts } from './unsettled-cuts.js';
import { Applications } from './verify/applications.js';
import { PrincipalCache } from './verify/principal-cache.js';
import type { Token } from './verify/compact-jws.js';
import { tombstoneOf, type Verified } from './verify/token-verifier.js';

/** Who says that something is revoked, and why. */
export interface Cause {
  readonly source: RevocationSource;
  readonly reason?: string | undefined;
}

/**
 * The one road a revocation travels: index, log, cache, listeners. Knows what is revoked, and nothing of
 * how tokens are verified or GenAuth is told.
 */
@Injectable()
export class Revoker implements OnModuleInit, OnApplicationShutdown {
  readonly #events = new Subject<RevocationEvent>();
  /** When the cache has dropped what every revocation so far reaches. */
  #forgotten: Promise<void> = Promise.resolve();
  readonly #unsettled = new UnsettledCuts((cut) => this.index.askedThrough(cut));
  readonly #bounds: CutBounds;
  #runErrand: (errand: string) => Promise<void> = () => Promise.resolve();
  #started: Promise<void> = Promise.resolve();
  #wasLive = false;

  readonly revocations$: Observable<RevocationEvent> = this.#events.asObservable();

  constructor(
    private readonly options: ResolvedOptions,
    private readonly index: RevocationIndex,
    private readonly log: RevocationLog,
    private readonly applications: Applications,
    private readonly cache: PrincipalCache,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {
    this.#bounds = new CutBounds(options, client, clock);
  }

  onModuleInit(): void {
    const { maxTokenLifetimeMs, maxStalenessMs } = this.options;
    this.#started = this.log.start({
      clock: this.clock,
      maxTokenLifetimeMs,
      maxStalenessMs,
      apply: (facts) => this.#take(facts, { source: 'log' }),
      held: () => this.index.held(),
      deliver: (errand) => this.#runErrand(errand),
    });
    // Whoever awaits ready() is told; a start that nobody awaits must not end the process.
    this.#started.then(
      () => (this.#wasLive = true),
      () => undefined,
    );
  }

  async onApplicationShutdown(): Promise<void> {
    try {
      await this.log.stop();
      await this.#forgotten;
    } finally {
      this.#events.complete();
    }
  }

  ready(): Promise<void> {
    return this.#started;
  }

  freshness(now?: Moment): Freshness {
    const freshness = this.log.freshness(now);
    const isFull = this.index.full && freshness.state === 'live';
    return isFull ? { ...freshness, state: 'stale' } : freshness;
  }

  /** Goes up with every revocation that took effect here. */
  get version(): number {
    return this.index.version;
  }

  /**
   * What the revocations known here say of a principal. Synchronous: the last step before accepting it.
   *
   * @param presented the newest revocation when the token was presented this time
   */
  verdict(verified: Verified, now = momentOf(this.clock), presented = Infinity): Verdict {
    const { principal, vouchedAt, vouchedVersion, presentedVersion = Infinity } = verified;
    const application = this.applications.byId(principal.appId)?.options;
    const standing = {
      vouchedAt,
      vouchedVersion,
      presentedVersion: Math.min(presented, presentedVersion),
      clockAheadMs: application ? this.client.offsetOf(application, now).highMs : 0,
      freshness: this.freshness(now),
      maxStalenessMs: this.options.maxStalenessMs,
      now: now.wall,
    };
    const verdict = this.index.check(principal, standing, verified);
    // Who brings it next did not bring it before the cut, and is to be refused as well.
    if (verdict.is === 'denied' && verdict.by === 'presented') this.bury(verified);
    return verdict;
  }

  /** When the last of the tokens of now is dead. */
  get #horizon(): number {
    return latestWall(this.clock) + this.options.maxTokenLifetimeMs;
  }

  /** Whether this very token was revoked. */
  isBuried(token: Token): boolean {
    const expiresAt = token.form === 'jws' ? instantOf(token.claims['exp']) : NaN;
    return this.index.hasTombstone(token.id, expiresAt);
  }

  /** Whether the fact is known here. */
  knows(fact: Revocation): boolean {
    return this.index.holds(fact);
  }

  /** Denies a token that GenAuth says is dead. In this process only: the others can ask as well. */
  bury(verified: Verified): void {
    this.#take([tombstoneOf(verified, this.#horizon)], { source: 'introspection' });
  }

  /** Takes facts in here, now. Whether all of them fitted, `refuseUnheld` tells. @throws {RevocationError} `stopped` */
  deny(facts: readonly Revocation[], cause: Cause): void {
    if (this.log.freshness().state === 'stopped')
      throw failed('stopped', 'the application is closed');
    this.#take(facts, cause);
  }

  /**
   * The last step of a revocation: what did not fit is denied nowhere but at GenAuth.
   *
   * @throws {RevocationError} `index_full`
   */
  refuseUnheld(facts: readonly Revocation[], receipt: Partial<RevocationReceipt>): void {
    if (facts.every((fact) => this.index.holds(fact))) return;
    const detail = 'no room for another revocation: raise revocation.maxEntries';
    publishAlarm({ alarm: 'index_full', detail });
    throw failed('index_full', detail, receipt);
  }

  /**
   * As `deny`, for everything issued to the target up to the time of the cut.
   *
   * @returns the facts, for the log
   */
  cut(
    application: ResolvedApplication,
    { kind, ids }: Target,
    cause: Cause,
    time: CutTime = {},
  ): Revocation[] {
    const bounds = this.#bounds.of(application, kind, time);
    const longestMs = this.options.maxTokenLifetimeMs;
    const keepUntilAt = Math.max(bounds.refusedThroughAt + longestMs, this.#horizon);
    const issuers = kind === 'issuer' ? ids : application.issuers;
    const cuts = issuers.map((issuer): Revocation => {
      const key = watermarkKey(kind, issuer, ...(kind === 'issuer' ? [] : ids));
      return { kind, key, ...bounds, keepUntilAt };
    });
    const { at, happenedAt, unsettledBy } = time;
    const isNow = at === undefined && happenedAt === undefined;
    const waitsFor = unsettledBy && `${application.appId} ${unsettledBy}`;
    const watermarks = this.#unsettled.made(cuts, waitsFor);
    const seen = isNow ? this.#seenAfter({ kind, ids }, bounds.refusedThroughAt) : [];
    const facts = [...watermarks, ...seen];
    this.deny(facts, cause);
    if (isNow) this.index.dateNow(watermarks);
    return facts;
  }

  /**
   * GenAuth has been told of `cause`: from now on its word decides about the boundaries of its cuts. They
   * reach up to now, because a refresh token may have been used while GenAuth was being told.
   *
   * @returns the facts, for the log
   */
  settle(application: ResolvedApplication, cause: string): Revocation[] {
    const { askedThroughAt } = this.#bounds.ofSettled(application);
    const facts = this.#unsettled.settle(`${application.appId} ${cause}`, askedThroughAt);
    this.index.apply(facts);
    return facts;
  }

  /** Who runs errands, those of other processes too. Rejects when one is to be run again. */
  onErrand(run: (errand: string) => Promise<void>): void {
    this.#runErrand = run;
  }

  /** Resolves when the facts, and the errand with them, are durable and the cache has dropped what they reach. */
  async append(facts: readonly Revocation[], errand?: Errand): Promise<void> {
    try {
      if (facts.length > 0) await this.log.append(facts, errand);
    } catch {
      const detail = 'an append to the revocation log failed';
      publishAlarm({ alarm: 'log_not_acknowledged', detail });
      throw failed('log_not_acknowledged', 'denied here; revoke again to make it durable');
    } finally {
      await this.#forgotten;
    }
  }

  /** Tombstones for tokens of the target that were seen here: on the boundary or not, they are older than now. */
  #seenAfter(target: Target, refusedThroughAt: number): Revocation[] {
    return this.cache
      .remembered((principal) => isAimedAt(target, principal), subjectOf(target))
      .filter(({ principal: { issuedAt = -Infinity } }) => issuedAt > refusedThroughAt)
      .map((verified) => tombstoneOf(verified, this.#horizon));
  }

  #take(facts: readonly Revocation[], { source, reason }: Cause): void {
    const news = this.index.apply(facts);
    // What a log reads before it is first live is history: it denies, but nothing has just happened.
    if (source === 'log' && !this.#wasLive) return;
    for (const fact of news) {
      // A message that was taken is no revocation; those it told of are.
      if (fact.kind === 'message') continue;
      const before = this.#forgotten;
      const next = (): Promise<void> => before;
      this.#forgotten = this.cache.forget(fact).then(next, next);
      publishRevocation({ kind: fact.kind, source });
      this.#events.next({ ...fact, source, ...(reason !== undefined && { reason }) });
    }
  }
}
