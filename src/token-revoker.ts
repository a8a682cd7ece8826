import { Injectable } from '@nestjs/common';

import { publishAlarm } from './core/channels.js';
import { Clock } from './core/clock.js';
import { GenAuthUnavailableError, type RevocationError } from './core/errors.js';
import type { Revocation, RevocationReceipt } from './core/revocation.js';
import { GenAuthClient } from './genauth.client.js';
import { ResolvedOptions } from './genauth.options.js';
import {
  grantIn,
  isForged,
  mayBeRefreshToken,
  readTask,
  type RevocationTask,
  type RevokeOptions,
} from './revocation-task.js';
import { failed, Revoker } from './revoker.js';
import { type Application, Applications } from './verify/applications.js';

/** What GenAuth said of a token before it was revoked. */
interface Learned {
  /** The application that called it active. */
  readonly application: Application | undefined;
  /** The facts that deny the access tokens of its grant. */
  readonly cut: readonly Revocation[];
  /** 0 when it is not active anywhere; NaN when GenAuth does not say. */
  readonly expiresAt: number;
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
    const task = readTask(text, options, this.applications);
    const tombstone = this.#tombstone(task);
    if (tombstone) this.revoker.deny([tombstone], task.cause);

    const learned = await this.#learn(task).catch((error: unknown) => asUnavailable(error));
    const facts = this.#lasting(tombstone, learned, task);
    if (learned instanceof GenAuthUnavailableError) {
      // Telling GenAuth now would make it forget what a second attempt must learn: what to cascade to.
      await this.revoker.append(facts);
      throw incomplete(learned, options, 'acknowledged');
    }
    await this.revoker.append(facts);
    const log = facts.length > 0 ? 'acknowledged' : 'not_needed';

    const told = learned?.application ? [learned.application] : task.candidates;
    const genauth = await this.#tell(task, told, log);
    // An attempt that failed half-way is finished here too: GenAuth may call the token dead by now.
    for (const { options: application } of told) {
      await this.revoker.append(task.token ? this.revoker.settle(application, task.token.id) : []);
    }
    this.#refuseOutliving(tombstone, log, genauth);
    return Object.freeze({ success: true, log, genauth });
  }

  /** The fact that denies the token, unless it could not be accepted in any case. */
  #tombstone({ token, candidates, options }: RevocationTask): Revocation | undefined {
    const now = this.clock.wall();
    if (!token || candidates.length === 0) return undefined;
    if (token.form === 'opaque') {
      // Junk must not fill the index: kept for good only when GenAuth does not call it dead already.
      const keptMs = options.cascade === false ? this.options.maxTokenLifetimeMs : 0;
      return { kind: 'token', key: token.id, keepUntilAt: now + keptMs };
    }
    const expiresAt = Number(token.claims['exp']) * 1_000;
    if (!(expiresAt + this.options.clockToleranceMs > now)) return undefined;
    if (candidates.every((application) => isForged(token, application))) return undefined;
    return { kind: 'token', key: token.id, expiresAt, keepUntilAt: expiresAt };
  }

  /** What only GenAuth can say of a token, asked before it is told; a grant's access tokens are denied. */
  async #learn(task: RevocationTask): Promise<Learned | undefined> {
    const { token, text, candidates, options, cause } = task;
    if (!token || !mayBeRefreshToken(token, options)) return undefined;
    for (const application of candidates) {
      const { answer } = await this.client.introspect(
        application.options,
        text,
        options.tokenTypeHint,
      );
      if (answer['active'] !== true) continue;
      // A server may call the tokens of its other clients active as well.
      const owner = this.applications.byId(String(answer['client_id'])) ?? application;
      const ids = grantIn(answer, options);
      const target = { kind: 'client', ids: ids ?? [] } as const;
      const unsettledBy = token.id;
      const cut = ids ? this.revoker.cut(owner.options, target, cause, { unsettledBy }) : [];
      return { application: owner, cut, expiresAt: Number(answer['exp']) * 1_000 };
    }
    return { application: undefined, cut: [], expiresAt: 0 };
  }

  /** The facts for the log. By now it is known how long an opaque token must stay denied. */
  #lasting(
    tombstone: Revocation | undefined,
    learned: Learned | GenAuthUnavailableError | undefined,
    { token, cause }: RevocationTask,
  ): Revocation[] {
    const { cut, expiresAt } = learned && 'cut' in learned ? learned : NOTHING_LEARNED;
    if (!tombstone || token?.form !== 'opaque') return [tombstone ?? [], cut].flat();
    if (expiresAt === 0) return [];
    const longest = this.clock.wall() + this.options.maxTokenLifetimeMs;
    const lasting = { ...tombstone, keepUntilAt: Number.isNaN(expiresAt) ? longest : expiresAt };
    this.revoker.deny([lasting], cause);
    return [lasting, ...cut];
  }

  async #tell(
    { text, options }: RevocationTask,
    told: readonly Application[],
    log: RevocationReceipt['log'],
  ): Promise<RevocationReceipt['genauth']> {
    let genauth: RevocationReceipt['genauth'] = 'not_told';
    for (const { options: application } of told) {
      const answer = await this.client
        .revoke(application, text, options.tokenTypeHint)
        .catch((error: unknown) => asUnavailable(error));
      if (answer instanceof GenAuthUnavailableError) throw incomplete(answer, options, log);
      if (answer.is === 'refused') {
        throw refused(answer.code, log);
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

const NOTHING_LEARNED: Learned = { application: undefined, cut: [], expiresAt: NaN };

function incomplete(
  { reason }: GenAuthUnavailableError,
  { whenUnreachable }: RevokeOptions,
  log: RevocationReceipt['log'],
): RevocationError {
  if (reason === 'client_refused') return refused('invalid_client', log);
  const receipt = { log, genauth: 'unreachable' } as const;
  return whenUnreachable === 'queue'
    ? failed('no_outbox', 'GenAuth did not answer, and the log has no outbox', receipt)
    : failed('genauth_unreachable', 'GenAuth did not answer; denied here, revoke again', receipt);
}

function refused(code: string, log: RevocationReceipt['log']): RevocationError {
  const detail = `GenAuth answered '${code}'; the token stays denied here`;
  return failed('genauth_refused', detail, { log, genauth: 'refused' });
}

function asUnavailable(error: unknown): GenAuthUnavailableError {
  if (error instanceof GenAuthUnavailableError) return error;
  throw error;
}
