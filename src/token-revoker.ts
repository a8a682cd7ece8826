import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';

import { publishAlarm } from './core/channels.js';
import { Clock, latestWall } from './core/clock.js';
import {
  failed,
  GenAuthUnavailableError,
  type RevocationError,
  type RevocationReceipt,
} from './core/errors.js';
import type { JsonObject } from './core/json.js';
import { instantOf } from './core/principal.js';
import type { Digest, Revocation } from './core/revocation.js';
import { GenAuthClient } from './genauth.client.js';
import { ResolvedOptions } from './genauth.options.js';
import {
  grantIn,
  mayBeRefreshToken,
  proofOf,
  readTask,
  type RevocationTask,
  type RevokeOptions,
} from './revocation-task.js';
import { Revoker } from './revoker.js';
import { type Application, Applications } from './verify/applications.js';
import type { JwsToken } from './verify/compact-jws.js';

/** Refresh tokens whose revocation GenAuth could not be asked about that are remembered for a second attempt. */
const MOST_UNLEARNED = 10_000;

/** What GenAuth said of a token before it was told to revoke it. */
interface Learned {
  readonly is: 'active' | 'inactive' | 'not_asked' | 'unavailable';
  /** The application whose token it is. */
  readonly owner?: Application;
  readonly expiresAt?: number;
  /** The facts that deny the access tokens of its grant. */
  readonly cut: readonly Revocation[];
  /** Access tokens may be alive that were to die with it, and nobody knows which. */
  readonly isCascadeUnknown?: boolean;
  readonly failure?: GenAuthUnavailableError;
}

/** Revokes one token, whatever its kind: denied here, appended to the log, told to GenAuth, in that order. */
@Injectable()
export class TokenRevoker {
  readonly #unlearned = new LRUCache<Digest, true>({ max: MOST_UNLEARNED });

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
    this.revoker.deny(tombstone ? [tombstone] : [], task.cause);

    const learned = await this.#learn(task);
    const lasting = await this.#lasting(tombstone, task, learned);
    this.revoker.deny(lasting, task.cause);
    const facts = [...lasting, ...learned.cut];
    await this.revoker.append(facts);
    const log = facts.length > 0 ? 'acknowledged' : 'not_needed';
    // Telling GenAuth now would make it forget what a second attempt must learn: what to cascade to.
    if (learned.failure) throw incomplete(learned.failure, options, log);

    const told = learned.owner ? [learned.owner] : task.candidates;
    const genauth = await this.#tell(task, told, log);
    // An attempt that failed half-way is finished here too: GenAuth may call the token dead by now.
    for (const { options: application } of told) {
      await this.revoker.append(task.token ? this.revoker.settle(application, task.token.id) : []);
    }
    this.#refuseIncomplete(facts, learned, { log, genauth });
    return Object.freeze({ success: true, log, genauth });
  }

  /** The fact that denies the token, unless it could not be accepted as things are. Provisional without proof. */
  #tombstone({ token, candidates, options }: RevocationTask): Revocation | undefined {
    const now = latestWall(this.clock);
    if (!token || candidates.length === 0) return undefined;
    const provisional: Revocation = { kind: 'token', key: token.id, keepUntilAt: now };
    if (token.form === 'opaque') {
      const keptMs = options.cascade === false ? this.options.maxTokenLifetimeMs : 0;
      return { ...provisional, keepUntilAt: now + keptMs };
    }
    if (!this.#isAlive(token)) return undefined;
    const proofs = candidates.map((one) => proofOf(token, one));
    if (proofs.includes('signed')) return tombstoneOf(token);
    // Who has only the signed part of somebody's token, and not its signature, must not be able to revoke it.
    return proofs.includes('unknown_key') ? provisional : undefined;
  }

  #isAlive({ claims }: JwsToken): boolean {
    return instantOf(claims['exp']) + this.options.clockToleranceMs > latestWall(this.clock);
  }

  /** What only GenAuth can say of a token, asked before it is told; a grant's access tokens are denied. */
  async #learn(task: RevocationTask): Promise<Learned> {
    const { token, text, candidates, options } = task;
    if (!token || !mayBeRefreshToken(token, options)) return { is: 'not_asked', cut: [] };
    try {
      for (const { options: application } of candidates) {
        const { answer } = await this.client.introspect(
          application,
          text,
          options.tokenTypeHint,
          'revocation',
        );
        const owner = this.applications.ownerOf(answer, application.appId);
        if (answer['active'] === true && owner) return this.#cascade(answer, owner, task, token.id);
      }
      return { is: 'inactive', cut: [], isCascadeUnknown: this.#unlearned.has(token.id) };
    } catch (error) {
      const failure = asUnavailable(error);
      this.#unlearned.set(token.id, true);
      return { is: 'unavailable', cut: [], failure };
    }
  }

  #cascade(
    answer: JsonObject,
    owner: Application,
    { options, cause }: RevocationTask,
    id: Digest,
  ): Learned {
    this.#unlearned.delete(id);
    const learned = { is: 'active', owner, expiresAt: instantOf(answer['exp']) } as const;
    const ids = grantIn(answer, owner, options);
    if (ids === undefined) return { ...learned, cut: [] };
    if (ids === 'unknown') return { ...learned, cut: [], isCascadeUnknown: true };
    const target = { kind: 'client', ids } as const;
    return { ...learned, cut: this.revoker.cut(owner.options, target, cause, { unsettledBy: id }) };
  }

  /**
   * The fact for the log, if the token needs one. Junk must not fill it: an opaque token that GenAuth calls
   * dead, and a JWT that not even newly fetched keys have signed, are left to the provisional denial.
   */
  async #lasting(
    tombstone: Revocation | undefined,
    { token, candidates }: RevocationTask,
    { is, expiresAt = 0 }: Learned,
  ): Promise<Revocation[]> {
    if (token?.form === 'jws') return this.#proven(tombstone, token, candidates);
    if (!tombstone || is === 'inactive') return [];
    const longest = latestWall(this.clock) + this.options.maxTokenLifetimeMs;
    return [{ ...tombstone, keepUntilAt: expiresAt > 0 ? Math.min(expiresAt, longest) : longest }];
  }

  /** GenAuth may have replaced its keys: what the keys at hand have not signed is held against new ones. */
  async #proven(
    tombstone: Revocation | undefined,
    token: JwsToken,
    candidates: readonly Application[],
  ): Promise<Revocation[]> {
    if (tombstone?.expiresAt !== undefined) return [tombstone];
    const usable = candidates.filter((one) => proofOf(token, one) !== 'unusable');
    if (usable.length === 0 || !this.#isAlive(token)) return [];
    const renewed = await Promise.all(usable.map(({ keys }) => keys.renew()));
    if (usable.some((one) => proofOf(token, one) === 'signed')) return [tombstoneOf(token)];
    if (!tombstone || renewed.every(Boolean)) return [];
    const longest = latestWall(this.clock) + this.options.maxTokenLifetimeMs;
    return [{ ...tombstone, keepUntilAt: Math.min(instantOf(token.claims['exp']), longest) }];
  }

  /** Every application is told, whatever the others answer: an opaque token does not say whose it is. */
  async #tell(
    { text, options }: RevocationTask,
    told: readonly Application[],
    log: RevocationReceipt['log'],
  ): Promise<RevocationReceipt['genauth']> {
    const answers = await Promise.all(
      told.map(({ options: application }) =>
        this.client.revoke(application, text, options.tokenTypeHint).catch(asUnavailable),
      ),
    );
    const isConfirmed = answers.some((answer) => 'is' in answer && answer.is === 'confirmed');
    for (const answer of answers) {
      if (answer instanceof GenAuthUnavailableError) throw incomplete(answer, options, log);
      // "This token does not belong to you" is no failure where it belongs to somebody else.
      const isStrangers =
        isConfirmed && answer.is === 'refused' && answer.code === 'invalid_request';
      if (answer.is === 'refused' && !isStrangers) throw refused(answer.code, log);
    }
    if (answers.length === 0) return 'not_told';
    return isConfirmed ? 'confirmed' : 'unsupported';
  }

  #refuseIncomplete(
    facts: readonly Revocation[],
    { isCascadeUnknown = false }: Learned,
    receipt: Pick<RevocationReceipt, 'log' | 'genauth'>,
  ): void {
    this.revoker.refuseUnheld(facts, receipt);
    if (isCascadeUnknown) {
      const detail = 'nobody can say which access tokens were to die with it: use revokeSubject';
      throw failed('cascade_unknown', detail, receipt);
    }
    const { maxTokenLifetimeMs, clockToleranceMs } = this.options;
    const horizon = latestWall(this.clock) + maxTokenLifetimeMs + clockToleranceMs;
    if (facts.every(({ expiresAt = 0 }) => expiresAt <= horizon)) return;
    const detail = "the token outlives 'maxTokenLifetime': raise it to what GenAuth's console says";
    publishAlarm({ alarm: 'token_outlives_log', detail });
    throw failed('token_outlives_log', detail, receipt);
  }
}

function tombstoneOf({ id, claims }: JwsToken): Revocation {
  const expiresAt = instantOf(claims['exp']);
  return { kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt };
}

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
