import { Injectable } from '@nestjs/common';

import { publishNews } from '../core/channels.js';
import { Clock, latestWall } from '../core/clock.js';
import { isJsonObject } from '../core/json.js';
import { ResolvedOptions } from '../genauth.options.js';
import { Intake, type NewsCut } from '../intake.js';
import { type JwsToken, readToken } from '../verify/compact-jws.js';
import { VERIFICATION } from './event-effects.js';
import { judgeClaims, judgeSetHeader, type SecurityEventToken } from './judge-set.js';
import { refusalOfSet, SetRefusal } from './set-refusal.js';
import type { Transmitter } from './transmitter.js';

/** How a SET came here. */
export interface Delivery {
  /** Of those that are configured, who may have sent it. */
  readonly from: readonly Transmitter[];
  /** Whether it is named by its `jti` outside of itself; then the two must be the same. */
  readonly jti?: string;
  /** Whether whoever brings it has to show an `Authorization`, and which one was shown. */
  readonly shown?: { readonly authorization: string | undefined };
}

/** Judges SETs, however they were delivered, and makes revocations of them. */
@Injectable()
export class SecurityEventReceiver {
  constructor(
    private readonly intake: Intake,
    private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {}

  /**
   * Resolves when what the SET says is durable, or when it says nothing that concerns us; the transmitter may
   * then forget it. One that was taken before changes nothing.
   *
   * @throws {SetRefusal} it is not to be believed
   * @throws {GenAuthUnavailableError} it could not be judged; it has to come again
   * @throws {RevocationError} it is not durable; it has to come again
   */
  async take(text: string, delivery: Delivery): Promise<void> {
    try {
      const { transmitter, set } = await this.#judge(text, delivery);
      await this.#revoke(transmitter, set);
    } catch (error) {
      const refusal = refusalOfSet(error);
      if (refusal instanceof SetRefusal) {
        publishNews({ source: 'securityEvent', outcome: 'refused', detail: refusal.message });
      }
      throw refusal;
    }
  }

  async #judge(text: string, { from, jti, shown }: Delivery) {
    const token = readToken(text);
    if (token.form !== 'jws') throw new SetRefusal('invalid_request', 'a SET is a signed JWT');
    const { claims } = token;
    const transmitter = from.find(({ options }) => options.issuer === claims['iss']);
    if (!transmitter) throw new SetRefusal('invalid_issuer', "'iss' is no configured transmitter");
    if (shown && !transmitter.isAuthorizedBy(shown.authorization)) {
      throw new SetRefusal('authentication_failed', "the 'Authorization' header is not as agreed");
    }
    await judgeSignature(token, transmitter);
    const now = latestWall(this.clock);
    const set = judgeClaims(claims, transmitter.options, now, this.options.clockToleranceMs);
    if (jti !== undefined && jti !== set.jti) {
      throw new SetRefusal('invalid_request', "'jti' is not the one that the SET was listed under");
    }
    judgeState(set, transmitter);
    return { transmitter, set };
  }

  async #revoke(transmitter: Transmitter, set: SecurityEventToken): Promise<void> {
    const { cuts, unknown } = await newsIn(transmitter, set);
    const source = 'securityEvent';
    if (cuts.length === 0) {
      const outcome = unknown ? 'not_understood' : 'taken';
      publishNews({ source, outcome, ...(unknown && { detail: unknown }) });
      return;
    }
    const { issuer, maxAgeMs } = transmitter.options;
    const endsAt = set.issuedAt + maxAgeMs + this.options.clockToleranceMs;
    const repeatableUntilAt = Math.ceil(endsAt);
    await this.intake.take({ source, cuts, message: { issuer, jti: set.jti, repeatableUntilAt } });
  }
}

async function judgeSignature(token: JwsToken, { keys, options }: Transmitter): Promise<void> {
  const { header, signingInput, signature } = token;
  const alg = judgeSetHeader(header, options);
  const key = await keys.findForGood(header['kid'] as string | undefined, alg);
  if (!key.verifies(alg, signingInput, signature)) {
    throw new SetRefusal('invalid_key', 'the signature does not verify');
  }
}

/** SSF 1.0 §8.1.4.1. What the transmitter verifies of its own accord has no state. */
function judgeState({ events }: SecurityEventToken, { options }: Transmitter): void {
  const { verificationState: expected } = options;
  if (expected === undefined) return;
  for (const { type, payload } of events) {
    const { state } = payload;
    if (type === VERIFICATION && state !== undefined && state !== expected) {
      throw new SetRefusal('invalid_state', "'state' is not the one that was asked for");
    }
  }
}

/** What the events cut off; if one is of no use, why. */
async function newsIn(transmitter: Transmitter, { events, subject }: SecurityEventToken) {
  let unknown: string | undefined;
  const cuts: NewsCut[] = [];
  for (const event of events) {
    const effect = transmitter.effectOf(event);
    if (effect === 'nothing') continue;
    // Before RFC 9493 each event had a subject of its own.
    const whom = subject ?? event.payload['subject'];
    if (effect === undefined) unknown = 'an event of a type that is not mapped';
    else if (!isJsonObject(whom)) unknown = 'an event without a subject';
    else {
      const found = await transmitter.cutsOf(event, effect, whom);
      if (found.length === 0) unknown = 'a subject that is nobody of the configured applications';
      cuts.push(...found);
    }
  }
  return { cuts, unknown };
}
