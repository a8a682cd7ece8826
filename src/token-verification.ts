import { Injectable } from '@nestjs/common';

import { Caution } from './caution.js';
import { publishAlarm } from './core/channels.js';
import { Clock, latestWallOf, type Moment, momentOf } from './core/clock.js';
import { checkDemands, type Demands, judgeDemands } from './core/demands.js';
import { GenAuthUnavailableError, TokenError } from './core/errors.js';
import type { Principal } from './core/principal.js';
import { type Doubt, tooOld, unavailable, wordFor } from './doubt.js';
import { Flights } from './flights.js';
import { ResolvedOptions } from './genauth.options.js';
import { InHand, type Presented } from './presented.js';
import { Revoker } from './revoker.js';
import { Applications } from './verify/applications.js';
import { judgeTimes } from './verify/claims.js';
import { isOpaque, readToken, refuseUnhashable } from './verify/compact-jws.js';
import { PrincipalCache } from './verify/principal-cache.js';
import type { Verified } from './verify/token-verifier.js';

/** Each doubt needs one question at most; more rounds than kinds of doubt means the world is moving. */
const MOST_ROUNDS = 4;

/** The one road of a request: remembered or verified, and last the revocations and demands. */
@Injectable()
export class TokenVerification {
  readonly #flights = new Flights<Verified>();
  readonly #latestWall: (now: number) => number;
  /** What each principal that was accepted rests on. */
  readonly #known = new WeakMap<Principal, Verified>();
  readonly #inHand = new InHand();
  /** The demands of the call before: nearly always those of the next as well. */
  #checked: Demands | undefined;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly applications: Applications,
    private readonly cache: PrincipalCache,
    private readonly revoker: Revoker,
    private readonly clock: Clock,
    private readonly caution: Caution,
  ) {
    this.#latestWall = latestWallOf(clock);
  }

  /** See `TokenService.verifyAtOnce`. Everything in `verify` that needs no `await`. */
  verifyAtOnce(text: string, demands: Demands): Principal | undefined {
    const token = this.#present(text, demands);
    const verified = this.#remembered(token) ?? this.#verifyHere(token);
    if (!verified || this.#judge(verified, demands, token, token.at)) return undefined;
    return this.#accept(verified, token);
  }

  /** See `TokenService.verify`. */
  async verify(text: string, demands: Demands): Promise<Principal> {
    const token = this.#present(text, demands);
    return this.#inHand.during(token, () => this.#verify(token, demands));
  }

  async #verify(token: Presented, demands: Demands): Promise<Principal> {
    let verified =
      this.#remembered(token) ??
      this.#verifyHere(token) ??
      (await this.#verifyElsewhere(token, demands));
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      // Nothing is awaited between these checks and the answer.
      this.#refuseUnusable(verified);
      const doubt = this.#judge(verified, demands, token, momentOf(this.clock));
      if (!doubt) return this.#accept(verified, token);
      // What GenAuth says next is of the same token, which is as old as it was before.
      token.version = Math.min(token.version, verified.presentedVersion ?? Infinity);
      verified = await this.#ask(token, verified, doubt);
    }
    const detail = 'revocations keep arriving; try again';
    throw new GenAuthUnavailableError('revocation_boundary', detail);
  }

  /** See `TokenService.check`. */
  check(principal: Principal): void {
    const known = this.#known.get(principal);
    if (!known) throw new TokenError('malformed', 'this principal did not come from verify()');
    const now = momentOf(this.clock);
    this.#refuseUnusable(known, now);
    const doubt = this.#judgeRevocations(known, this.revoker.version, now);
    if (doubt) throw unavailable(doubt);
  }

  #present(text: string, demands: Demands): Presented {
    if (demands !== this.#checked) checkDemands((this.#checked = demands));
    refuseUnhashable(text);
    const digest = this.cache.keyOf(text);
    // Whose an opaque token is said to be can depend on who is asked; a JWT says so itself.
    const { appId } = demands;
    const key = appId === undefined || !isOpaque(text) ? digest : `${digest} ${appId}`;
    const version = this.#inHand.oldest(key, this.revoker.version);
    return { text, key, at: momentOf(this.clock), version };
  }

  #accept(verified: Verified, { version }: Presented): Principal {
    const { principal, presentedVersion = Infinity } = verified;
    if (version < presentedVersion) {
      verified.presentedVersion = version;
      this.#known.set(principal, verified);
    }
    return principal;
  }

  /** What is remembered of the token, unless its times or its key no longer hold. */
  #remembered({ key, at }: Presented): Verified | undefined {
    const verified = this.cache.get(key, at.wall);
    if (!verified) return undefined;
    try {
      this.#refuseUnusable(verified, at);
      return verified;
    } catch {
      void this.cache.drop(key);
      return undefined;
    }
  }

  /**
   * @throws {TokenError} its times no longer hold, or its key is no longer published
   * @throws {GenAuthUnavailableError} the keys are too old to say so
   */
  #refuseUnusable({ principal, keyId }: Verified, now = momentOf(this.clock)): void {
    judgeTimes(principal, this.#latestWall(now.wall), this.options.clockToleranceMs);
    if (keyId === undefined) return;
    const keys = this.applications.byId(principal.appId)?.keys;
    if (keys?.holds(keyId, now.mono) === true) return;
    if (keys?.tooOld)
      throw new GenAuthUnavailableError('keys_stale', 'the keys are too old to rely on');
    throw new TokenError('unknown_key', 'the key that signed the token is no longer published');
  }

  /** For a JWT whose key is known. Undefined when somebody has to be asked. */
  #verifyHere(presented: Presented): Verified | undefined {
    this.cache.refusals.refuseAgain(presented.key);
    const token = (presented.read = readToken(presented.text));
    // Denied here is denied, also while GenAuth or its keys are away.
    if (this.revoker.isBuried(token))
      throw new TokenError('revoked', 'by a revocation of its token');
    if (token.form === 'opaque') return undefined;
    try {
      const verified = this.applications.verifyAtOnce(token);
      if (verified) void this.#keep(presented.key, verified);
      return verified;
    } catch (error) {
      this.cache.refusals.remember(presented.key, error);
      throw error;
    }
  }

  async #verifyElsewhere(presented: Presented, { appId }: Demands): Promise<Verified> {
    const { key, text, read: token = readToken(text) } = presented;
    const shared = token.form === 'opaque' ? await this.cache.getShared(key) : undefined;
    if (shared) return shared;
    return this.#join(key, key, () => this.applications.verify(token, appId));
  }

  /** Asks GenAuth about a token that is good as far as is known here. */
  #ask(
    { key, text, read: token = readToken(text) }: Presented,
    verified: Verified,
    doubt: Doubt,
  ): Promise<Verified> {
    const { appId } = verified.principal;
    const application = this.applications.byId(appId);
    if (!application || doubt.askedSince === Infinity) throw unavailable(doubt);
    return this.#join(`ask ${key}`, key, async () => {
      try {
        const { presentedVersion } = verified;
        const said = await application.online.confirm(token, verified);
        return presentedVersion === undefined ? said : { ...said, presentedVersion };
      } catch (error) {
        // Denied once, denied for good: what GenAuth calls dead must not pass locally a moment later.
        if (error instanceof TokenError && error.reason === 'inactive') {
          this.revoker.bury(verified);
        }
        throw error;
      }
    });
  }

  #join(name: string, key: string, begin: () => Promise<Verified>): Promise<Verified> {
    const { version } = this.revoker;
    return this.#flights.join(name, version, async () => {
      try {
        const found = await begin();
        const isVouched = found.vouchedAt !== undefined;
        const verified = isVouched ? { ...found, vouchedVersion: version } : found;
        // Another word on a token that was accepted before.
        if (verified.presentedVersion !== undefined) this.#known.set(verified.principal, verified);
        await this.#keep(key, verified);
        return verified;
      } catch (error) {
        this.cache.refusals.remember(name, error);
        throw error;
      }
    });
  }

  /** What is revoked already is not remembered. */
  #keep(key: string, verified: Verified): Promise<void> | undefined {
    const isDenied = this.revoker.verdict(verified).is === 'denied';
    return isDenied ? undefined : this.cache.set(key, verified);
  }

  /**
   * The checks that every answer passes, remembered or new. Synchronous: no revocation can come between.
   *
   * @returns what only GenAuth can settle
   * @throws {TokenError} revoked; a revoked token is no good token: that comes before the demands
   * @throws {InsufficientScopeError}
   */
  #judge(verified: Verified, demands: Demands, token: Presented, now: Moment): Doubt | undefined {
    let doubt: Doubt | undefined;
    try {
      doubt =
        this.#judgeRevocations(verified, token.version, now) ??
        this.#tooOld(verified, demands, token.at.wall, now.wall);
    } catch (error) {
      if (error instanceof TokenError) void this.cache.drop(token.key);
      throw error;
    }
    judgeDemands(verified.principal, demands);
    return doubt;
  }

  /** @param presented the newest revocation at the time the token was presented */
  #judgeRevocations(verified: Verified, presented: number, now: Moment): Doubt | undefined {
    const verdict = this.revoker.verdict(verified, now, presented);
    if (verdict.is === 'accepted') return undefined;
    if (verdict.is === 'denied') throw new TokenError('revoked', wordFor(verdict));
    if (verdict.why === 'boundary' || verdict.why === 'stopped') return verdict;
    if (this.options.whenStale === 'refuse') throw unavailable(verdict);
    if (this.options.whenStale === 'introspect') return verdict;
    publishAlarm({
      alarm: 'policy_accepted',
      detail: `accepted although the log is ${verdict.why}`,
    });
    return undefined;
  }

  #tooOld(verified: Verified, { maxAge = Infinity }: Demands, at: number, now: number) {
    const { online } = this.applications.byId(verified.principal.appId)?.options ?? {};
    const missed = this.caution.askedSince;
    const isOnline = online === true || missed > -Infinity;
    const mostMs = isOnline ? this.options.introspectionTtlMs : Infinity;
    return tooOld(verified, Math.max(at - Math.min(maxAge, mostMs), missed), now);
  }
}
