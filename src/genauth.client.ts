import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

import { Injectable, type OnApplicationShutdown } from '@nestjs/common';

import { publishAlarm } from './core/channels.js';
import { Clock, type Moment, momentOf } from './core/clock.js';
import { GenAuthUnavailableError } from './core/errors.js';
import { type ClockOffset, IssuerClock } from './core/issuer-clock.js';
import type { JsonObject } from './core/json.js';
import {
  badAnswer,
  clientRefused,
  errorCodeIn,
  isConfirmation,
  type Exchange,
  objectIn,
} from './genauth.answer.js';
import {
  type ClientAuthMethod,
  type ResolvedApplication,
  ResolvedOptions,
} from './genauth.options.js';
import { contentOf, formEncode, HttpSender, TRANSPORT } from './genauth.request.js';

const MOST_INTROSPECTIONS = 64;
const MOST_SOCKETS = 128;
/** The wall clock was set when it and the monotonic clock have come apart by more. */
const SET_CLOCK_MS = 500;

/** How GenAuth's revocation endpoint answered. `refused` carries a code of RFC 6749 or RFC 7009, or `other`. */
export type RevocationAnswer =
  { readonly is: 'confirmed' | 'unsupported' } | { readonly is: 'refused'; readonly code: string };

/**
 * Everything this library asks GenAuth over HTTP.
 *
 * Only configured URLs are called, redirects are not followed, each exchange ends within `timeout` and
 * within 1 MiB of decompressed body. Errors never carry what was sent.
 *
 * @throws {GenAuthUnavailableError} from every method, when there is no usable answer
 */
@Injectable()
export class GenAuthClient implements OnApplicationShutdown {
  readonly #agents: { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent };
  readonly #clocks: ReadonlyMap<string, IssuerClock>;
  readonly #introspections = { verification: 0, revocation: 0 };
  #isClosed = false;
  #drift: number;

  constructor(
    private readonly http: HttpSender,
    private readonly options: ResolvedOptions,
    private readonly clock: Clock,
  ) {
    this.#drift = clock.wall() - clock.mono();
    const agent = { keepAlive: true, maxSockets: MOST_SOCKETS };
    this.#agents = {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, rejectUnauthorized: options.rejectUnauthorized }),
    };
    this.#clocks = new Map(
      options.applications.map(({ appId }) => [
        appId,
        new IssuerClock(Math.max(options.clockToleranceMs, 1_000)),
      ]),
    );
  }

  /** How far the clock of the application's issuer may be from ours, now. */
  offsetOf(application: ResolvedApplication, now = momentOf(this.clock)): ClockOffset {
    return this.#clockOf(application, now).offset(now.wall);
  }

  #clockOf({ appId }: ResolvedApplication, { wall, mono }: Moment): IssuerClock {
    const drift = wall - mono;
    if (Math.abs(drift - this.#drift) > SET_CLOCK_MS) {
      for (const clock of this.#clocks.values()) clock.forget();
    }
    this.#drift = drift;
    return this.#clocks.get(appId) as IssuerClock;
  }

  /** The published keys (RFC 7517 §5), unjudged. */
  async fetchKeys(application: ResolvedApplication): Promise<readonly unknown[]> {
    const answer = await this.#exchange(application, application.jwksUri);
    const keys = objectIn(answer)?.['keys'];
    if (answer.status !== 200 || !Array.isArray(keys))
      throw badAnswer('the key set', answer.status);
    return keys;
  }

  /**
   * Asks about a token (RFC 7662 §2). `sentAt` is when the question left: the answer is no younger.
   *
   * Beyond 64 questions at a time for the same purpose it refuses at once rather than pile up: a flood of
   * bearer tokens does not keep anyone from revoking.
   */
  async introspect(
    application: ResolvedApplication,
    token: string,
    hint: 'access_token' | 'refresh_token' | undefined,
    purpose: 'verification' | 'revocation' = 'verification',
  ): Promise<{ readonly answer: JsonObject; readonly sentAt: number }> {
    if (this.#introspections[purpose] >= MOST_INTROSPECTIONS) {
      throw new GenAuthUnavailableError(
        'busy',
        `${MOST_INTROSPECTIONS} introspections are under way`,
      );
    }
    this.#introspections[purpose] += 1;
    try {
      const { introspectionEndpoint, introspectionAuthMethod } = application;
      const form = new URLSearchParams({ token, ...(hint && { token_type_hint: hint }) });
      const reply = await this.#post(
        application,
        introspectionEndpoint,
        introspectionAuthMethod,
        form,
      );
      const answer = objectIn(reply);
      if (errorCodeIn(reply) === 'invalid_client') throw clientRefused();
      if (reply.status !== 200 || typeof answer?.['active'] !== 'boolean') {
        throw badAnswer('introspection', reply.status);
      }
      return { answer, sentAt: reply.sentAt };
    } finally {
      this.#introspections[purpose] -= 1;
    }
  }

  /** Tells GenAuth that a token is revoked (RFC 7009 §2). An unknown token is confirmed as well. */
  async revoke(
    application: ResolvedApplication,
    token: string,
    hint: 'access_token' | 'refresh_token' | undefined,
  ): Promise<RevocationAnswer> {
    const { revocationEndpoint, revocationAuthMethod } = application;
    const form = new URLSearchParams({ token, ...(hint && { token_type_hint: hint }) });
    const reply = await this.#post(application, revocationEndpoint, revocationAuthMethod, form);
    const code = errorCodeIn(reply);
    if (code === 'unsupported_token_type') return { is: 'unsupported' };
    if (reply.status === 429 || reply.status >= 500) throw badAnswer('revocation', reply.status);
    if (code !== undefined) return { is: 'refused', code };
    if (reply.status < 200 || reply.status > 299 || !isConfirmation(reply)) {
      throw badAnswer('revocation', reply.status);
    }
    return { is: 'confirmed' };
  }

  onApplicationShutdown(): void {
    this.#isClosed = true;
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  #post(
    application: ResolvedApplication,
    url: string,
    method: ClientAuthMethod,
    form: URLSearchParams,
  ): Promise<Exchange> {
    const { appId, appSecret = '' } = application;
    if (method === 'client_secret_basic') {
      const pair = [appId, appSecret].map(formEncode).join(':');
      const authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
      return this.#exchange(application, url, form, authorization);
    }
    form.set('client_id', appId);
    if (method === 'client_secret_post') form.set('client_secret', appSecret);
    return this.#exchange(application, url, form);
  }

  async #exchange(
    application: ResolvedApplication,
    url: string,
    form?: URLSearchParams,
    authorization?: string,
  ): Promise<Exchange> {
    await this.http.ready();
    // A destroyed agent opens new sockets all the same.
    if (this.#isClosed) throw new GenAuthUnavailableError('stopped', 'the application is closed');
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), this.options.timeoutMs);
    const sentAt = this.clock.wall();
    const request = { url, ...contentOf(form, authorization), signal: deadline.signal };
    try {
      const reply = await this.http.send({ ...request, ...this.#agents, ...TRANSPORT });
      const { date, age } = reply.headers as Record<string, unknown>;
      if (typeof date === 'string' && age === undefined) {
        const now = momentOf(this.clock);
        this.#clockOf(application, now).observe(date, sentAt, now.wall);
      }
      return { status: reply.status, body: String(reply.data), sentAt };
    } catch {
      // What axios throws carries the request, with its token and secret: nothing of it goes on.
      const why = deadline.signal.aborted ? 'took too long' : 'failed or was cut off';
      publishAlarm({
        alarm: 'genauth_unreachable',
        detail: `a call to ${new URL(url).pathname} ${why}`,
      });
      throw new GenAuthUnavailableError('no_answer', `the call to GenAuth ${why}`);
    } finally {
      clearTimeout(timer);
    }
  }
}
