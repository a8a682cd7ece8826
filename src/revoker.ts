import { Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';

import { publishAlarm, publishRevocation } from './core/channels.js';
import { Clock } from './core/clock.js';
import { RevocationError, type RevocationFailure } from './core/errors.js';
import type { Principal } from './core/principal.js';
import {
  cutAt,
  type Revocation,
  type RevocationEvent,
  type RevocationReceipt,
  type RevocationSource,
  watermarkKey,
} from './core/revocation.js';
import { GenAuthClient } from './genauth.client.js';
import { type ResolvedApplication, ResolvedOptions } from './genauth.options.js';
import { RevocationIndex, type Verdict } from './revocation/revocation-index.js';
import { type Freshness, RevocationLog } from './revocation/revocation-log.js';
import { Applications } from './verify/applications.js';
import { PrincipalCache } from './verify/principal-cache.js';
import type { Token } from './verify/compact-jws.js';
import type { Verified } from './verify/token-verifier.js';

/** A cut may lie this far ahead of the moment it is made. */
const MOST_AHEAD_MS = 300_000;

/** A watermark without its issuer: a kind, and the ids that name its target. */
export interface Target {
  readonly kind: 'session' | 'subject' | 'client' | 'issuer';
  readonly ids: readonly string[];
}

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
  readonly #forgetting = new Set<Promise<void>>();
  #started: Promise<void> = Promise.resolve();

  readonly revocations$: Observable<RevocationEvent> = this.#events.asObservable();

  constructor(
    private readonly options: ResolvedOptions,
    private readonly index: RevocationIndex,
    private readonly log: RevocationLog,
    private readonly applications: Applications,
    private readonly cache: PrincipalCache,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    const { maxTokenLifetimeMs, maxStalenessMs } = this.options;
    this.#started = this.log.start({
      clock: this.clock,
      maxTokenLifetimeMs,
      maxStalenessMs,
      apply: (facts) => this.#take(facts, { source: 'log' }),
    });
    // Whoever awaits ready() is told; a start that nobody awaits must not end the process.
    this.#started.catch(() => undefined);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.log.stop();
    await this.#forgotten();
    this.#events.complete();
  }

  ready(): Promise<void> {
    return this.#started;
  }

  freshness(): Freshness {
    const freshness = this.log.freshness();
    return this.index.full && freshness.state === 'live'
      ? { ...freshness, state: 'stale' }
      : freshness;
  }

  /** Goes up with every revocation that took effect here. */
  get version(): number {
    return this.index.version;
  }

  /** What the revocations known here say of a principal. Synchronous: the last step before accepting it. */
  verdict({ principal, vouchedAt, vouchedVersion }: Verified): Verdict {
    const application = this.applications.byId(principal.appId)?.options;
    return this.index.check(principal, {
      vouchedAt,
      vouchedVersion,
      clockAheadMs: application ? this.client.offsetOf(application).highMs : 0,
      freshness: this.freshness(),
      maxStalenessMs: this.options.maxStalenessMs,
    });
  }

  /** Whether this very token was revoked. */
  isBuried(token: Token): boolean {
    const exp = token.form === 'jws' ? Number(token.claims['exp']) : NaN;
    return this.index.hasTombstone(token.id, exp * 1_000);
  }

  /** Denies a token that GenAuth says is dead. In this process only: the others can ask as well. */
  bury({ id, expiresAt }: Principal): void {
    const fact: Revocation = { kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt };
    this.#take([fact], { source: 'introspection' });
  }

  /** Takes a fact in here, now. @throws {RevocationError} `stopped`, or `index_full`: it did not fit */
  deny(facts: readonly Revocation[], cause: Cause): void {
    if (this.log.freshness().state === 'stopped')
      throw failed('stopped', 'the application is closed');
    this.#take(facts, cause);
    if (this.index.full) {
      publishAlarm({ alarm: 'index_full', detail: 'raise revocation.maxEntries' });
      throw failed('index_full', 'no room for another revocation: raise revocation.maxEntries');
    }
  }

  /**
   * As `deny`, for everything issued to the target up to now, or before `at`.
   *
   * @param unsettledBy the token that GenAuth is yet to be told of; its word on the boundary counts after
   *   `settle`
   * @returns the facts, for the log
   */
  cut(
    application: ResolvedApplication,
    { kind, ids }: Target,
    cause: Cause,
    { at, unsettledBy }: { readonly at?: number | undefined; readonly unsettledBy?: string } = {},
  ): Revocation[] {
    const now = this.clock.wall();
    const cutoff = Math.min(at ?? now, now + MOST_AHEAD_MS);
    const bounds = cutAt(cutoff, this.client.offsetOf(application));
    const keepUntilAt = Math.max(cutoff, now) + this.options.maxTokenLifetimeMs;
    const issuers = kind === 'issuer' ? ids : application.issuers;
    const watermarks = issuers.map((issuer): Revocation => {
      const key = watermarkKey(kind, issuer, ...(kind === 'issuer' ? [] : ids));
      return { kind, key, ...bounds, keepUntilAt };
    });
    const seen = at === undefined ? watermarks.flatMap((mark) => this.#seenOnBoundary(mark)) : [];
    const facts = [...watermarks, ...seen];
    this.deny(facts, cause);
    if (at === undefined) this.index.datePresented(watermarks);
    if (unsettledBy !== undefined) this.index.unsettle(watermarks, unsettledBy);
    return facts;
  }

  /**
   * GenAuth has been told of `cause`: from now on its word decides about the boundaries of its cuts. They
   * reach up to now, because a refresh token may have been used while GenAuth was being told.
   *
   * @returns the facts, for the log
   */
  settle(application: ResolvedApplication, cause: string): Revocation[] {
    const now = this.clock.wall();
    const { askedThroughAt } = cutAt(now, this.client.offsetOf(application));
    return this.index.settle(cause, askedThroughAt);
  }

  /** Resolves when the facts are durable and the cache has dropped what they reach. */
  async append(facts: readonly Revocation[]): Promise<void> {
    try {
      if (facts.length > 0) await this.log.append(facts);
    } catch {
      throw failed('log_not_acknowledged', 'denied here; revoke again to make it durable');
    } finally {
      await this.#forgotten();
    }
  }

  /** Tombstones for tokens on the watermark's boundary that were seen here: they are older than now. */
  #seenOnBoundary(watermark: Revocation): Revocation[] {
    const { refusedThroughAt = -Infinity } = watermark;
    return this.cache
      .reached(watermark)
      .filter(({ issuedAt = -Infinity }) => issuedAt > refusedThroughAt)
      .map(({ id, expiresAt }) => ({ kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt }));
  }

  #take(facts: readonly Revocation[], { source, reason }: Cause): void {
    for (const fact of this.index.apply(facts)) {
      const forgetting = this.cache.forget(fact).catch(() => undefined);
      this.#forgetting.add(forgetting);
      void forgetting.finally(() => this.#forgetting.delete(forgetting));
      publishRevocation({ kind: fact.kind, source });
      this.#events.next({ ...fact, source, ...(reason !== undefined && { reason }) });
    }
  }

  async #forgotten(): Promise<void> {
    await Promise.all(this.#forgetting);
  }
}

/** A failure before anything else was attempted; callers refine the receipt. */
export function failed(
  code: RevocationFailure,
  detail: string,
  receipt: Partial<RevocationReceipt> = {},
): RevocationError {
  return new RevocationError(code, detail, {
    success: false,
    log: 'not_acknowledged',
    genauth: 'not_told',
    ...receipt,
  });
}
