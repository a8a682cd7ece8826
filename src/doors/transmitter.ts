import type { Clock } from '../core/clock.js';
import { GenAuthUnavailableError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import { NO_SESSION, type Target } from '../core/revocation.js';
import type { ResolvedApplication } from '../genauth.options.js';
import type { NewsCut } from '../intake.js';
import { KeySet, type KeySetTimes } from '../verify/key-set.js';
import { effectOf } from './event-effects.js';
import type { SecurityEvent } from './judge-set.js';
import type { EventEffect, ResolvedTransmitter } from './security-events.options.js';
import { digestOf, isOneOf } from './shared-secret.js';
import { type Mention, mentionsIn } from './subject-identifier.js';

/** A configured transmitter: its keys, and what its words mean for our applications. */
export class Transmitter {
  readonly keys: KeySet;

  constructor(
    readonly options: ResolvedTransmitter,
    fetchKeys: (options: ResolvedTransmitter) => Promise<readonly unknown[]>,
    private readonly times: KeySetTimes & { readonly timeoutMs: number },
    clock: Clock,
  ) {
    this.keys = new KeySet(() => fetchKeys(options), options.algorithms, times, clock);
  }

  /** Whether this is what it was told to send as `Authorization`. In constant time. */
  isAuthorizedBy(header: string | undefined): boolean {
    const { authorization } = this.options;
    return authorization === undefined || isOneOf([digestOf(authorization)], header ?? '');
  }

  /**
   * What an event does; undefined when nobody has said.
   *
   * @throws {GenAuthUnavailableError} the application could not say it
   */
  effectOf({ type, payload }: SecurityEvent): EventEffect | undefined {
    let effect: unknown;
    try {
      effect = this.options.map?.(type, payload) ?? effectOf(type, payload);
    } catch {
      throw new GenAuthUnavailableError('no_answer', 'map threw');
    }
    if (effect === undefined || isEffect(effect)) return effect;
    // A promise comes too late; its failure must not end the process.
    if (effect instanceof Promise) effect.catch(() => undefined);
    throw new GenAuthUnavailableError('no_answer', 'map returned something else than an effect');
  }

  /**
   * What an event cuts off; nothing when its subject is nobody we know.
   *
   * @throws {GenAuthUnavailableError} the application could not say who is meant
   */
  async cutsOf(
    { happenedAt }: SecurityEvent,
    about: 'subject' | 'session',
    subject: JsonObject,
  ): Promise<NewsCut[]> {
    const mentions = await mentionsIn(subject, about, (identifier) => this.#lookUp(identifier));
    const isKept = this.options.sessionless === 'keep';
    const meant = mentions.filter(({ isNarrowed }) => !(isNarrowed && isKept));
    return meant.flatMap((mention) => {
      const { kind, id, isNarrowed } = mention;
      const target: Target = { kind, ids: isNarrowed ? [id, NO_SESSION] : [id] };
      return this.#applicationsOf(mention).map((application) => ({
        target,
        application,
        happenedAt,
      }));
    });
  }

  #applicationsOf({ issuer }: Mention): readonly ResolvedApplication[] {
    const { applications, subjectIssuers } = this.options;
    if (issuer === undefined || subjectIssuers.includes(issuer)) return applications;
    return applications.filter(({ issuers }) => issuers.includes(issuer));
  }

  async #lookUp(identifier: JsonObject): Promise<string | undefined> {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new Error('late')), this.times.timeoutMs);
      cancel = () => clearTimeout(timer);
    });
    try {
      return await Promise.race([this.options.mapSubject?.(identifier), late]);
    } catch {
      // Whatever it threw may name the subject.
      throw new GenAuthUnavailableError('no_answer', 'mapSubject threw, or took too long');
    } finally {
      cancel();
    }
  }
}

function isEffect(effect: unknown): effect is EventEffect {
  return effect === 'subject' || effect === 'session' || effect === 'nothing';
}
