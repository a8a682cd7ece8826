import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';

import { publishAlarm } from './core/channels.js';
import { Clock, latestWall } from './core/clock.js';
import {
  failed,
  GenAuthUnavailableError,
  RevocationError,
  type RevocationReceipt,
} from './core/errors.js';
import type { JsonObject } from './core/json.js';
import { instantOf } from './core/principal.js';
import type { Digest, Revocation } from './core/revocation.js';
import { type Errand, RevocationLog } from './core/revocation-log.js';
import { readErrand, writeErrand } from './errand.js';
import { GenAuthClient } from './genauth.client.js';
import { ResolvedOptions } from './genauth.options.js';
import {
  grantIn,
  mayBeRefreshToken,
  readTask,
  type RevocationTask,
  type RevokeOptions,
} from './revocation-task.js';
import { incomplete, mayPass, refused } from './revocation-failures.js';
import { Revoker } from './revoker.js';
import { Denials } from './denials.js';
import { type Application, Applications } from './verify/applications.js';

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
  readonly #denials: Denials;

  constructor(
    private readonly options: ResolvedOptions,
    private readonly revoker: Revoker,
    private readonly log: RevocationLog,
    private readonly applications: Applications,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {
    this.#denials = new Denials(options, client, clock);
    revoker.onErrand((errand) => this.deliver(errand));
  }

  /** See `TokenService.revoke`. What happens before the first `await` is the denial. */
  async revoke(text: string, options: RevokeOptions): Promise<RevocationReceipt> {
    return this.#run(readTask(text, options, this.applications));
  }

  /**
   * Finishes what `revoke` left to the log, here or in another process; running it again does no harm.
   * Resolves when nothing more can be achieved, rejects when it is to be tried again.
   */
  async deliver(text: string): Promise<void> {
    const errand = readErrand(text);
    try {
      if (!errand) throw failed('invalid_request', 'an errand in the log is none of ours');
      const { token, at, ...options } = errand;
      await this.#run({ ...readTask(token, options, this.applications), at });
    } catch (error) {
      if (!(error instanceof RevocationError) || mayPass(error)) throw error;
      publishAlarm({
        alarm: 'errand_failed',
        detail: `GenAuth could not be told of a revocation, and will not be (${error.code})`,
      });
    }
  }

  async #run(task: RevocationTask): Promise<RevocationReceipt> {
    const isKnown = task.at !== undefined && !!task.token && this.revoker.isBuried(task.token);
    const tombstone = this.#denials.first(task);
    this.revoker.deny(tombstone ? [tombstone] : [], task.cause);

    const learned = await this.#learn(task);
    const lasting = isKnown ? [] : await this.#denials.lasting(tombstone, task, learned);
    this.revoker.deny(lasting, task.cause);
    const facts = [...lasting, ...learned.cut];
    const errand = this.#errandFor(task, facts, learned);
    await this.revoker.append(facts, errand);
    const log = facts.length > 0 ? 'acknowledged' : 'not_needed';

    const told = learned.owner ? [learned.owner] : task.candidates;
    const genauth = await this.#tellOrLeave(task, told, learned.failure, errand, log);
    // An attempt that failed half-way is finished here too: GenAuth may call the token dead by now.
    if (genauth !== 'queued') await this.#settle(task, told);
    this.#refuseIncomplete(facts, learned, { log, genauth });
    return Object.freeze({ success: true, log, genauth });
  }

  /** What somebody has to do when this process cannot: only for what is worth a fact as well. */
  #errandFor(
    { token, text, options, at }: RevocationTask,
    facts: readonly Revocation[],
    { expiresAt = 0 }: Learned,
  ): Errand | undefined {
    const isWanted = at === undefined && options.whenUnreachable === 'queue';
    if (!isWanted || !token || facts.length === 0 || !this.log.keepsErrands) return undefined;
    const now = latestWall(this.clock);
    const known = token.form === 'jws' ? instantOf(token.claims['exp']) : expiresAt;
    const dueUntilAt = known > 0 ? known : now + this.options.maxTokenLifetimeMs;
    return { text: writeErrand({ ...options, token: text, at: now }), dueUntilAt };
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
      return { is: 'unavailable', cut: [], failure, isCascadeUnknown: true };
    }
  }

  #cascade(
    answer: JsonObject,
    owner: Application,
    { options, cause, at }: RevocationTask,
    id: Digest,
  ): Learned {
    this.#unlearned.delete(id);
    const learned = { is: 'active', owner, expiresAt: instantOf(answer['exp']) } as const;
    const ids = grantIn(answer, owner, options);
    if (ids === undefined) return { ...learned, cut: [] };
    if (ids === 'unknown') return { ...learned, cut: [], isCascadeUnknown: true };
    const target = { kind: 'client', ids } as const;
    const cut = this.revoker.cut(owner.options, target, cause, { at, unsettledBy: id });
    return { ...learned, cut };
  }

  async #tellOrLeave(
    task: RevocationTask,
    told: readonly Application[],
    failure: GenAuthUnavailableError | undefined,
    errand: Errand | undefined,
    log: RevocationReceipt['log'],
  ): Promise<RevocationReceipt['genauth']> {
    let isLeft = false;
    try {
      // Telling GenAuth now would make it forget what a second attempt must learn: what to cascade to.
      if (failure) throw failure;
      return await this.#tell(task, told, log);
    } catch (error) {
      if (!(error instanceof GenAuthUnavailableError)) throw error;
      isLeft = errand !== undefined && error.reason !== 'client_refused';
      if (!isLeft) throw incomplete(error, task.options, log);
      return 'queued';
    } finally {
      if (errand && !isLeft) this.log.withdraw(errand);
    }
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
      if (answer instanceof GenAuthUnavailableError) throw answer;
      // "This token does not belong to you" is no failure where it belongs to somebody else.
      const isStrangers =
        isConfirmed && answer.is === 'refused' && answer.code === 'invalid_request';
      if (answer.is === 'refused' && !isStrangers) throw refused(answer.code, log);
    }
    if (answers.length === 0) return 'not_told';
    return isConfirmed ? 'confirmed' : 'unsupported';
  }

  async #settle({ token }: RevocationTask, told: readonly Application[]): Promise<void> {
    for (const { options } of told) {
      await this.revoker.append(token ? this.revoker.settle(options, token.id) : []);
    }
  }

  #refuseIncomplete(
    facts: readonly Revocation[],
    { isCascadeUnknown = false }: Learned,
    receipt: Pick<RevocationReceipt, 'log' | 'genauth'>,
  ): void {
    this.revoker.refuseUnheld(facts, receipt);
    if (isCascadeUnknown) {
      const detail =
        receipt.genauth === 'queued'
          ? 'the access tokens that are to die with it live until GenAuth can be asked which they are'
          : 'nobody can say which access tokens were to die with it: use revokeSubject';
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

function asUnavailable(error: unknown): GenAuthUnavailableError {
  if (error instanceof GenAuthUnavailableError) return error;
  throw error;
}
