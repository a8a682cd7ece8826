import { Injectable } from '@nestjs/common';

import { publishAlarm } from './core/channels.js';
import { Clock } from './core/clock.js';
import { GenAuthUnavailableError, TokenError } from './core/errors.js';
import type { JsonObject } from './core/json.js';
import { type Digest, type Revocation, type RevocationReceipt } from './core/revocation.js';
import { GenAuthClient } from './genauth.client.js';
import { ResolvedOptions } from './genauth.options.js';
import { type Cause, failed, Revoker } from './revoker.js';
import { type Application, Applications } from './verify/applications.js';
import { judgeHeader } from './verify/claims.js';
import {
  type JwsToken,
  LONGEST_TOKEN,
  readToken,
  respelled,
  type Token,
} from './verify/compact-jws.js';

/** Options of `TokenService.revoke`. */
export interface RevokeOptions {
  /** What the caller believes the token to be (RFC 7009 §2.1). Passed on to GenAuth, and believed by nobody. */
  readonly tokenTypeHint?: 'access_token' | 'refresh_token';
  /** Whether a refresh token takes the access tokens of its subject and client with it. @default true */
  readonly cascade?: boolean;
  /** Handed to listeners as it is. Not logged. */
  readonly reason?: string;
  /** `queue` leaves telling GenAuth to the log's durable outbox, and needs a log that has one. @default 'reject' */
  readonly whenUnreachable?: 'reject' | 'queue';
  /** With several applications, the one the token is of. */
  readonly appId?: string;
}

/** What one call to `revoke` is about. */
interface Task {
  /** Undefined when the text is a JWT that nothing here could ever accept. */
  readonly token: Token | undefined;
  readonly text: string;
  readonly candidates: readonly Application[];
  readonly options: RevokeOptions;
  readonly cause: Cause;
}

/** What GenAuth said of a refresh token before it was revoked. */
interface Grant {
  readonly application: Application;
  /** The refresh token itself. */
  readonly id: Digest;
  readonly facts: readonly Revocation[];
}

/** Revokes one token, whatever its kind: denied here, appended to the log, told to GenAuth, in that order. */
@Injectable()
export class TokenRevoker {
  constructor(
    private readonly options: ResolvedOptions,
    private readonly revoker: Revoker,
    private readonly applications: Applications,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {}

  /** See `TokenService.revoke`. What happens before the first `await` is the denial. */
  async revoke(text: string, options: RevokeOptions): Promise<RevocationReceipt> {
    const task = this.#read(text, options);
    const tombstone = this.#tombstone(task);
    if (tombstone) this.revoker.deny([tombstone], task.cause);
    const facts = tombstone ? [tombstone] : [];

    const grant = await this.#cascade(task).catch((error: unknown) => asUnavailable(error));
    if (grant instanceof GenAuthUnavailableError) {
      // Telling GenAuth now would make it forget what a second attempt must learn: what to cascade to.
      await this.revoker.append(facts);
      throw failed(
        'genauth_unreachable',
        'GenAuth could not say what else the token covers; revoke again',
        {
          log: 'acknowledged',
          genauth: 'unreachable',
        },
      );
    }
    if (grant) facts.push(...grant.facts);
    await this.revoker.append(facts);
    const log = facts.length > 0 ? 'acknowledged' : 'not_needed';

    const genauth = await this.#tell(task, grant ? [grant.application] : task.candidates, log);
    if (grant) {
      await this.revoker.append(
        this.revoker.settle(grant.facts, grant.application.options, grant.id),
      );
    }
    this.#refuseOutliving(tombstone, log, genauth);
    return Object.freeze({ success: true, log, genauth });
  }

  #read(text: string, options: RevokeOptions): Task {
    const canonical = typeof text === 'string' ? respelled(text) : text;
    const token = readOrUndefined(canonical);
    if (token === undefined && !isJwtLike(text)) {
      throw failed('invalid_request', 'what is to be revoked is not a token');
    }
    const { appId, reason } = options;
    const chosen = this.applications.all.filter((one) => one.options.appId === appId);
    if (appId !== undefined && chosen.length === 0) {
      throw failed('invalid_request', "the option 'appId' names no configured application");
    }
    const ofToken = token ? this.applications.candidates(token) : [];
    const candidates = appId === undefined ? ofToken : chosen;
    return { token, text: canonical, candidates, options, cause: { source: 'revoke', reason } };
  }

  /** The fact that denies the token, unless it could not be accepted in any case. */
  #tombstone({ token, candidates }: Task): Revocation | undefined {
    const now = this.clock.wall();
    if (!token || candidates.length === 0) return undefined;
    if (token.form === 'opaque') {
      return { kind: 'token', key: token.id, keepUntilAt: now + this.options.maxTokenLifetimeMs };
    }
    const expiresAt = Number(token.claims['exp']) * 1_000;
    if (!(expiresAt + this.options.clockToleranceMs > now)) return undefined;
    if (candidates.every((application) => isForged(token, application))) return undefined;
    return { kind: 'token', key: token.id, expiresAt, keepUntilAt: expiresAt };
  }

  /** A refresh token's grant is learned from GenAuth, and its access tokens are denied. */
  async #cascade(task: Task): Promise<Grant | undefined> {
    const { token, text, candidates, options, cause } = task;
    if (!token || !mayBeRefreshToken(token, options)) return undefined;
    for (const application of candidates) {
      const { answer } = await this.client.introspect(
        application.options,
        text,
        options.tokenTypeHint,
      );
      if (answer['active'] !== true) continue;
      const ids = grantIn(answer, options);
      if (!ids) return undefined;
      const target = { kind: 'client', ids } as const;
      const unsettledBy = token.id;
      const facts = this.revoker.cut(application.options, target, cause, { unsettledBy });
      return { application, id: token.id, facts };
    }
    return undefined;
  }

  async #tell(
    { text, options }: Task,
    told: readonly Application[],
    log: RevocationReceipt['log'],
  ): Promise<RevocationReceipt['genauth']> {
    let genauth: RevocationReceipt['genauth'] = 'not_told';
    for (const { options: application } of told) {
      const answer = await this.client
        .revoke(application, text, options.tokenTypeHint)
        .catch((error: unknown) => asUnavailable(error));
      if (answer instanceof GenAuthUnavailableError) throw unreachable(options, log);
      if (answer.is === 'refused') {
        const detail = `GenAuth answered '${answer.code}'; the token stays denied here`;
        throw failed('genauth_refused', detail, { log, genauth: 'refused' });
      }
      if (genauth !== 'confirmed') genauth = answer.is;
    }
    return genauth;
  }

  #refuseOutliving(
    tombstone: Revocation | undefined,
    log: RevocationReceipt['log'],
    genauth: RevocationReceipt['genauth'],
  ): void {
    const horizon =
      this.clock.wall() + this.options.maxTokenLifetimeMs + this.options.clockToleranceMs;
    if ((tombstone?.expiresAt ?? 0) <= horizon) return;
    const detail = "the token outlives 'maxTokenLifetime': raise it to what GenAuth's console says";
    publishAlarm({ alarm: 'token_outlives_log', detail });
    throw failed('token_outlives_log', detail, { log, genauth });
  }
}

function readOrUndefined(text: string): Token | undefined {
  try {
    return readToken(text);
  } catch (error) {
    if (error instanceof TokenError) return undefined;
    throw error;
  }
}

/** A JWT that cannot be read cannot be accepted either: like any unknown token, it counts as revoked. */
function isJwtLike(text: unknown): boolean {
  return typeof text === 'string' && text.length <= LONGEST_TOKEN && text.includes('.');
}

/** GenAuth's refresh tokens are opaque; other servers' may be JWTs, and then the caller must say so. */
function mayBeRefreshToken({ form }: Token, { cascade, tokenTypeHint }: RevokeOptions): boolean {
  return cascade !== false && (form === 'opaque' || tokenTypeHint === 'refresh_token');
}

/** Client and subject of a refresh token; undefined for an access token, which takes nothing with it. */
function grantIn(
  answer: JsonObject,
  { tokenTypeHint }: RevokeOptions,
): [client: string, subject: string] | undefined {
  const { sub, client_id: clientId, token_type: type } = answer;
  if (typeof type === 'string' && tokenTypeHint !== 'refresh_token') return undefined;
  return typeof clientId === 'string' && typeof sub === 'string' ? [clientId, sub] : undefined;
}

/** Whether the application could certainly never accept the token, by its header and the keys at hand. */
function isForged(
  { header, signingInput, signature }: JwsToken,
  { options, keys }: Application,
): boolean {
  let alg: string;
  try {
    alg = judgeHeader(header, options);
  } catch {
    return true;
  }
  try {
    const key = keys.peek(header['kid'] as string | undefined, alg);
    return key !== undefined && !key.verifies(alg, signingInput, signature);
  } catch {
    return false;
  }
}

function unreachable(options: RevokeOptions, log: RevocationReceipt['log']) {
  const receipt = { log, genauth: 'unreachable' } as const;
  if (options.whenUnreachable === 'queue') {
    return failed(
      'no_outbox',
      'GenAuth did not confirm, and the log has no outbox to queue in',
      receipt,
    );
  }
  return failed(
    'genauth_unreachable',
    'GenAuth did not confirm; denied here, revoke again',
    receipt,
  );
}

function asUnavailable(error: unknown): GenAuthUnavailableError {
  if (error instanceof GenAuthUnavailableError) return error;
  throw error;
}
