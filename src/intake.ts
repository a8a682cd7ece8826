import { Injectable } from '@nestjs/common';

import { publishNews } from './core/channels.js';
import { type DoorSource, messageKey, type Revocation, type Target } from './core/revocation.js';
import type { ResolvedApplication } from './genauth.options.js';
import { Revoker } from './revoker.js';

/** What a message from outside says is dead, once its sender was believed. Instants are epoch milliseconds. */
export interface News {
  readonly source: DoorSource;
  readonly cuts: readonly NewsCut[];
  /** Makes the message count once, in the whole fleet. Without it, telling it again is cutting again. */
  readonly message?: {
    readonly issuer: string;
    readonly jti: string;
    /** After this instant the door refuses it by its age alone. */
    readonly repeatableUntilAt: number;
  };
  /** Handed to listeners as it is: a constant of ours or of the application, nothing the sender wrote. */
  readonly reason?: string | undefined;
}

/** Everything that was issued to a target by an application's issuers until something happened. */
export interface NewsCut {
  readonly target: Target;
  readonly application: ResolvedApplication;
  /** By the sender's clock, in whole seconds. */
  readonly happenedAt?: number | undefined;
  /** By our clock, where the sender says nothing: when it was told first. Neither: now. */
  readonly heardAt?: number | undefined;
}

/** `repeated`: it was taken before, here or elsewhere, and changes nothing. */
export type Taken = 'taken' | 'repeated';

/** Where the doors for news from outside meet the road of a revocation. */
@Injectable()
export class Intake {
  constructor(private readonly revoker: Revoker) {}

  /**
   * Makes revocations of the news. Resolves when the log has acknowledged them, so that the sender may be
   * told of success. That the message was taken is remembered only then: an attempt that failed can be made
   * again, and does the same once more.
   *
   * @throws {RevocationError} it is not durable, or does not fit: the sender has to come again
   */
  async take({ source, cuts, message, reason }: News): Promise<Taken> {
    const taken = message && factOf(message);
    if (taken && this.revoker.knows(taken)) {
      publishNews({ source, outcome: 'repeated' });
      return 'repeated';
    }
    const facts = cuts.flatMap(({ target, application, happenedAt, heardAt }) =>
      this.revoker.cut(application, target, { source, reason }, { happenedAt, at: heardAt }),
    );
    await this.revoker.append(facts);
    this.revoker.refuseUnheld(facts, { log: 'acknowledged' });
    if (taken) await this.#remember(taken, source);
    publishNews({ source, outcome: 'taken' });
    return 'taken';
  }

  /** A message that is told again although it was taken does no harm: it cuts at the same instant. */
  async #remember(taken: Revocation, source: DoorSource): Promise<void> {
    this.revoker.deny([taken], { source });
    await this.revoker.append([taken]).catch(() => undefined);
  }
}

function factOf({ issuer, jti, repeatableUntilAt }: NonNullable<News['message']>): Revocation {
  return { kind: 'message', key: messageKey(issuer, jti), keepUntilAt: repeatableUntilAt };
}
