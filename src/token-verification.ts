import { Injectable } from '@nestjs/common';

import { Caution } from './caution.js';
import { publishAlarm } from './core/channels.js';
import { Clock, latestWall } from './core/clock.js';
import { type Demands, judgeDemands } from './core/demands.js';
import { GenAuthUnavailableError, TokenError } from './core/errors.js';
import type { Principal } from './core/principal.js';
import { type Doubt, unavailable } from './doubt.js';
import { ResolvedOptions } from './genauth.options.js';
import { Revoker } from './revoker.js';
import { Applications } from './verify/applications.js';
import { judgeTimes } from './verify/claims.js';
import { readToken, refuseUnreadable, type Token } from './verify/compact-jws.js';
import { PrincipalCache } from './verify/principal-cache.js';
import type { Verified } from './verify/token-verifier.js';

/** When a verification began: by our clock, and by what was revoked. */
interface Begun {
  readonly at: number;
  readonly version: number;
}

/** What was accepted, and the newest revocation at the time its token was presented. */
interface Known extends Verified {
  readonly presented: number;
}

/** A verification under way, and which revocations were known when it began. */
interface Flight {
  readonly version: number;
  readonly verified: Promise<Verified>;
}

/** Each doubt needs one question at most; more rounds than kinds of doubt means the world is moving. */
const MOST_ROUNDS = 4;

/** The one road of a request: remembered or verified, demands, and last the revocations. */
@Injectable()
export class TokenVerification {
  readonly #flights = new Map<string, Flight>();
  readonly #known = new WeakMap<Principal, Known>();

  constructor(
    private readonly options: ResolvedOptions,
    private readonly applications: Applications,
    private readonly cache: PrincipalCache,
    private readonly revoker: Revoker,
    private readonly clock: Clock,
    private readonly caution: Caution,
  ) {}

  /** See `TokenService.verify`. */
  async verify(text: string, demands: Demands): Promise<Principal> {
    const begun: Begun = { at: this.clock.wall(), version: this.revoker.version };
    refuseUnreadable(text);
    const key = this.cache.keyOf(text);
    let verified = (await this.#remembered(key)) ?? (await this.#verifyAnew(key, text, demands));
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      // Nothing is awaited between this check and the answer. A revoked token is no good token: 401, not 403.
      const doubt = this.#doubt(key, verified, demands, begun);
      judgeDemands(verified.principal, demands);
      if (!doubt) return this.#accept(verified, begun);
      verified = await this.#ask(key, text, verified, doubt);
    }
    throw new GenAuthUnavailableError(
      'revocation_boundary',
      'revocations keep arriving; try again',
    );
  }

  /** See `TokenService.check`. */
  check(principal: Principal): void {
    const verified = this.#known.get(principal);
    if (!verified) throw new TokenError('malformed', 'this principal did not come from verify()');
    this.#refuseUnusable(verified);
    const doubt = this.#judge(verified, this.revoker.version);
    if (doubt) throw unavailable(doubt);
  }

  #accept(verified: Verified, { version }: Begun): Principal {
    const { principal } = verified;
    const presented = Math.min(version, this.#known.get(principal)?.presented ?? Infinity);
    this.#known.set(principal, { ...verified, presented });
    return principal;
  }

  async #remembered(key: string): Promise<Verified | undefined> {
    const verified = await this.cache.get(key);
    if (!verified) return undefined;
    try {
      this.#refuseUnusable(verified);
      return verified;
    } catch {
      await this.cache.drop(key);
      return undefined;
    }
  }

  /**
   * @throws {TokenError} its times no longer hold, or its key is no longer published
   * @throws {GenAuthUnavailableError} the keys are too old to say so
   */
  #refuseUnusable({ principal, keyId }: Verified): void {
    judgeTimes(principal, latestWall(this.clock), this.options.clockToleranceMs);
    if (keyId === undefined) return;
    const keys = this.applications.byId(principal.appId)?.keys;
    if (keys?.holds(keyId) === true) return;
    if (keys?.tooOld)
      throw new GenAuthUnavailableError('keys_stale', 'the keys are too old to rely on');
    throw new TokenError('unknown_key', 'the key that signed the token is no longer published');
  }

  async #verifyAnew(key: string, text: string, demands: Demands): Promise<Verified> {
    const { appId } = demands;
    const name = appId === undefined ? key : `${key} ${appId}`;
    this.cache.refuseAgain(name);
    const token = readToken(text);
    // Denied here is denied, also while GenAuth or its keys are away.
    if (this.revoker.isBuried(token))
      throw new TokenError('revoked', 'by a revocation of its token');
    if (token.form === 'opaque') {
      const shared = await this.cache.getShared(key);
      if (shared) return shared;
    }
    return this.#join(name, key, () => this.#verifyToken(token, appId));
  }

  #verifyToken(token: Token, appId: string | undefined): Promise<Verified> {
    if (token.form === 'jws') return this.applications.ofJws(token).local.verify(token);
    return this.#verifyOpaque(token, appId);
  }

  /** An opaque token does not say whose it is: the applications are asked in the configured order. */
  async #verifyOpaque(token: Token, appId: string | undefined): Promise<Verified> {
    let failure: unknown = new TokenError('issuer', 'no configured application is meant');
    for (const { options, online } of this.applications.candidates(token)) {
      if (appId !== undefined && options.appId !== appId) continue;
      try {
        return await online.verify(token);
      } catch (error) {
        // One server that could not answer keeps all the others' "no" from being definite.
        if (!(failure instanceof GenAuthUnavailableError)) failure = error;
      }
    }
    throw failure;
  }

  /** Asks GenAuth about a token that is good as far as is known here. */
  #ask(key: string, text: string, verified: Verified, doubt: Doubt): Promise<Verified> {
    const { appId } = verified.principal;
    const application = this.applications.byId(appId);
    if (!application || doubt.askedSince === Infinity) throw unavailable(doubt);
    return this.#join(`${key} ask`, key, async () => {
      try {
        return await application.online.confirm(readToken(text), verified);
      } catch (error) {
        // Denied once, denied for good: what GenAuth calls dead must not pass locally a moment later.
        if (error instanceof TokenError && error.reason === 'inactive') {
          this.revoker.bury(verified.principal);
        }
        throw error;
      }
    });
  }

  /** One verification of a token at a time; nobody joins one that began before the newest revocation. */
  #join(name: string, key: string, begin: () => Promise<Verified>): Promise<Verified> {
    const { version } = this.revoker;
    const current = this.#flights.get(name);
    if (current?.version === version) return current.verified;
    const verified = this.#remember(name, key, version, begin()).finally(() => {
      if (this.#flights.get(name)?.verified === verified) this.#flights.delete(name);
    });
    this.#flights.set(name, { version, verified });
    return verified;
  }

  async #remember(
    name: string,
    key: string,
    vouchedVersion: number,
    pending: Promise<Verified>,
  ): Promise<Verified> {
    try {
      const found = await pending;
      const verified = found.vouchedAt === undefined ? found : { ...found, vouchedVersion };
      if (this.revoker.verdict(verified).is !== 'denied') await this.cache.set(key, verified);
      return verified;
    } catch (error) {
      this.cache.rememberRefusal(name, error);
      throw error;
    }
  }

  /** @returns what only GenAuth can settle. @throws {TokenError} revoked */
  #doubt(key: string, verified: Verified, demands: Demands, begun: Begun): Doubt | undefined {
    try {
      return this.#judge(verified, begun.version) ?? this.#tooOld(verified, demands, begun);
    } catch (error) {
      if (error instanceof TokenError) void this.cache.drop(key);
      throw error;
    }
  }

  /** @param presented the newest revocation at the time the token was presented */
  #judge(verified: Verified, presented: number): Doubt | undefined {
    const verdict = this.revoker.verdict(verified);
    if (verdict.is === 'accepted') return undefined;
    if (verdict.is === 'denied')
      throw new TokenError('revoked', `by a revocation of its ${verdict.by}`);
    if (verdict.why === 'boundary') this.#refuseOlder(verified, verdict, presented);
    if (verdict.why === 'boundary' || verdict.why === 'stopped') return verdict;
    if (this.options.whenStale === 'refuse') throw unavailable(verdict);
    if (this.options.whenStale === 'introspect') return verdict;
    publishAlarm({
      alarm: 'policy_accepted',
      detail: `accepted although the log is ${verdict.why}`,
    });
    return undefined;
  }

  /** A token that was in our hands before the cut is older than it: nobody has to be asked. */
  #refuseOlder({ principal }: Verified, { presentedBefore = 0 }: Doubt, presented: number): void {
    const first = Math.min(presented, this.#known.get(principal)?.presented ?? Infinity);
    if (first >= presentedBefore) return;
    this.revoker.bury(principal);
    throw new TokenError('revoked', 'it was presented before a cut that covers it');
  }

  /** Whether the application or the caller wants GenAuth's own word, and a newer one. */
  #tooOld(
    { principal, vouchedAt }: Verified,
    { maxAge }: Demands,
    begun: Begun,
  ): Doubt | undefined {
    const { online } = this.applications.byId(principal.appId)?.options ?? {};
    const missed = this.caution.askedSince;
    const limitMs = Math.min(
      maxAge ?? Infinity,
      online || missed > -Infinity ? this.options.introspectionTtlMs : Infinity,
    );
    const askedSince = Math.max(begun.at - limitMs, missed);
    // A word from the future was given before our clock was set back: nobody knows how old it is.
    const known = vouchedAt !== undefined && vouchedAt <= this.clock.wall() ? vouchedAt : -Infinity;
    return known >= askedSince ? undefined : { is: 'unknown', why: 'not-covered', askedSince };
  }
}
