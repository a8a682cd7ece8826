import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';

import type { Demands } from './core/demands.js';
import { failed, type RevocationReceipt } from './core/errors.js';
import type { JsonObject } from './core/json.js';
import type { Principal } from './core/principal.js';
import type { RevocationEvent, Target } from './core/revocation.js';
import type { Freshness } from './core/revocation-log.js';
import { Revoker } from './revoker.js';
import type { RevokeOptions } from './revocation-task.js';
import { type IntrospectOptions, TokenIntrospection } from './token-introspection.js';
import { TokenRevoker } from './token-revoker.js';
import { TokenVerification } from './token-verification.js';
import { type Application, Applications } from './verify/applications.js';

/** Options of `revokeSubject`, `revokeSession`, `revokeClient` and `revokeIssuer`. */
export interface CutOptions {
  /** With several applications, the one that is meant. @default all of them */
  readonly appId?: string;
  /**
   * Tokens issued before this instant are revoked. At most five minutes ahead, which is also how to
   * refuse, rather than ask GenAuth about, tokens issued within the second of the cut. @default now
   */
  readonly issuedBefore?: Date;
  /** Handed to listeners as it is. Not logged. */
  readonly reason?: string;
}

/** Whether this process should be sent requests. */
export type Readiness = 'ready' | 'degraded' | 'not_ready';

/**
 * The application's door: may this token act here, now? And: from now on it may not.
 *
 * @example
 * await this.tokens.revoke(refreshToken); // signed out: the access tokens die with it
 * await this.tokens.revokeSubject(userId); // signed out everywhere
 */
@Injectable()
export class TokenService {
  constructor(
    private readonly verification: TokenVerification,
    private readonly revoker: Revoker,
    private readonly tokenRevoker: TokenRevoker,
    private readonly applications: Applications,
    private readonly introspection: TokenIntrospection,
  ) {}

  /** Every revocation that takes effect in this process, wherever it was made. Completes with the application. */
  get revocations$(): Observable<RevocationEvent> {
    return this.revoker.revocations$;
  }

  /**
   * Decides whether a bearer token may act here, now.
   *
   * Every answer, remembered or fresh, is held against the revocation log last, so a revoked token is
   * refused even while its cache entry is still alive.
   *
   * @throws {TokenError} the token is malformed, expired, not meant for this application, or revoked
   * @throws {InsufficientScopeError} a demanded scope is missing
   * @throws {GenAuthUnavailableError} GenAuth had to be asked and gave no usable answer
   * @throws {TypeError} a demand that does not exist, or of the wrong type
   */
  verify(token: string, demands: Demands = NONE): Promise<Principal> {
    return this.verification.verify(token, demands);
  }

  /**
   * As `verify`, without a promise wherever nobody has to be asked: for a token that is remembered, and for a
   * JWT whose key is known and that the log covers. The same checks, throwing the same. Undefined says nothing.
   *
   * @example
   * const principal = this.tokens.verifyAtOnce(token) ?? (await this.tokens.verify(token));
   */
  verifyAtOnce(token: string, demands: Demands = NONE): Principal | undefined {
    return this.verification.verifyAtOnce(token, demands);
  }

  /**
   * Holds a principal that `verify` returned against expiry and revocations once more. Synchronous and
   * without I/O: for sockets and streams, which pass a guard only once.
   *
   * @throws {TokenError} it has expired or was revoked meanwhile, or did not come from `verify`
   * @throws {GenAuthUnavailableError} only GenAuth could tell: verify the token again
   */
  check(principal: Principal): void {
    this.verification.check(principal);
  }

  /**
   * GenAuth's word on an access or refresh token (RFC 7662 §2.2), frozen. What was revoked here is
   * `{ active: false }` whatever GenAuth says; so is what is no token at all.
   *
   * @throws {GenAuthUnavailableError} GenAuth gave no usable answer, or gave it too early: a revocation came between
   */
  introspect(token: string, options: IntrospectOptions = {}): Promise<JsonObject> {
    return this.introspection.introspect(token, options);
  }

  /**
   * Revokes an access or refresh token (RFC 7009): denied here before the call returns to the event loop,
   * then everywhere, then at GenAuth. A refresh token takes the access tokens of its subject and client
   * that were issued up to now. Idempotent; an unknown or expired token is a success.
   *
   * @throws {RevocationError} something did not take effect; `receipt` says what did, and that stays
   */
  revoke(token: string, options: RevokeOptions = {}): Promise<RevocationReceipt> {
    return this.tokenRevoker.revoke(token, options);
  }

  /** Revokes every token of a user (`sub`) issued up to now. GenAuth is not told. @throws {RevocationError} */
  revokeSubject(subject: string, options: CutOptions = {}): Promise<RevocationReceipt> {
    return this.#cut({ kind: 'subject', ids: [subject] }, options);
  }

  /** Revokes every token of a session (`sid`) issued up to now. GenAuth is not told. @throws {RevocationError} */
  revokeSession(sessionId: string, options: CutOptions = {}): Promise<RevocationReceipt> {
    return this.#cut({ kind: 'session', ids: [sessionId] }, options);
  }

  /** As `revokeSubject`, for a client (`client_id`, `azp`, or GenAuth's `aud`). @throws {RevocationError} */
  revokeClient(clientId: string, options: CutOptions = {}): Promise<RevocationReceipt> {
    return this.#cut({ kind: 'client', ids: [clientId] }, options);
  }

  /** Revokes every token of a configured issuer (`iss`) issued up to now. @throws {RevocationError} */
  revokeIssuer(issuer: string, options: CutOptions = {}): Promise<RevocationReceipt> {
    return this.#cut({ kind: 'issuer', ids: [issuer] }, options);
  }

  /** Resolves when the revocation log is live; rejects when it is known not to become so. */
  ready(): Promise<void> {
    return this.revoker.ready();
  }

  /** How current the revocation log is in this process. */
  freshness(): Freshness {
    return this.revoker.freshness();
  }

  /**
   * For a readiness probe: `not_ready` until the log was read to its end, and after the end of the
   * application; `degraded` while it is stale and `whenStale` decides.
   */
  readiness(): Readiness {
    return READINESS[this.freshness().state];
  }

  async #cut(target: Target, options: CutOptions): Promise<RevocationReceipt> {
    const [id] = target.ids;
    if (typeof id !== 'string' || id === '') {
      throw failed('invalid_request', `the ${target.kind} to revoke must be a non-empty string`);
    }
    const { issuedBefore } = options;
    const at = issuedBefore && (issuedBefore instanceof Date ? issuedBefore.getTime() : NaN);
    if (Number.isNaN(at))
      throw failed('invalid_request', "the option 'issuedBefore' is not a valid Date");
    const chosen = this.#chosen(options.appId, () => this.applications.all).filter(
      ({ options: { issuers } }) => target.kind !== 'issuer' || issuers.includes(id),
    );
    if (chosen.length === 0) {
      throw failed('invalid_request', 'no configured application has this issuer or appId');
    }
    const cause = { source: SOURCES[target.kind], reason: options.reason };
    const facts = chosen.flatMap(({ options: application }) =>
      this.revoker.cut(application, target, cause, { at }),
    );
    await this.revoker.append(facts);
    const receipt = { log: 'acknowledged', genauth: 'not_told' } as const;
    this.revoker.refuseUnheld(facts, receipt);
    return Object.freeze({ success: true, ...receipt });
  }

  #chosen(
    appId: string | undefined,
    otherwise: () => readonly Application[],
  ): readonly Application[] {
    if (appId === undefined) return otherwise();
    const application = this.applications.byId(appId);
    return application ? [application] : [];
  }
}

const NONE: Demands = Object.freeze({});

const READINESS = {
  'catching-up': 'not_ready',
  live: 'ready',
  stale: 'degraded',
  stopped: 'not_ready',
} as const satisfies Record<Freshness['state'], Readiness>;

const SOURCES = {
  subject: 'revokeSubject',
  session: 'revokeSession',
  client: 'revokeClient',
  issuer: 'revokeIssuer',
} as const;
