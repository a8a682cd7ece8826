import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';

import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { AxiosRequestConfig, AxiosResponse } from 'axios';

import { publishAlarm } from '../core/channels.js';
import { GenAuthUnavailableError, type Unavailability } from '../core/errors.js';
import { isJsonObject, type JsonObject, readJsonObject } from '../core/json.js';
import { ResolvedOptions } from '../genauth.options.js';
import { contentOf, HttpSender, TRANSPORT } from '../genauth.request.js';
import type { ResolvedPoll } from './security-events.options.js';

/** What a recipient tells a transmitter when it asks for SETs (RFC 8936 §2.2). */
export interface PollRequest {
  readonly maxEvents: number;
  readonly returnImmediately: boolean;
  readonly ack: readonly string[];
  readonly setErrs: Readonly<
    Record<string, { readonly err: string; readonly description: string }>
  >;
}

type Request = AxiosRequestConfig & { readonly url: string };

interface Limits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/**
 * Everything that is asked of transmitters, by the rules of `GenAuthClient`: configured URLs only, no
 * redirects, and a limit on the time and the size of each exchange.
 *
 * @throws {GenAuthUnavailableError} from every method, when there is no usable answer
 */
@Injectable()
export class TransmitterClient implements OnApplicationShutdown {
  readonly #agents: { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent };
  #isClosed = false;

  constructor(
    private readonly http: HttpSender,
    private readonly options: ResolvedOptions,
  ) {
    const agent = { keepAlive: true };
    this.#agents = {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent({ ...agent, rejectUnauthorized: options.rejectUnauthorized }),
    };
  }

  /** The published keys (RFC 7517 §5), unjudged. */
  async fetchKeys(jwksUri: string): Promise<readonly unknown[]> {
    const request = { url: jwksUri, ...contentOf(undefined, undefined) };
    const { keys } = await this.#exchange(request, { timeoutMs: this.options.timeoutMs });
    if (!Array.isArray(keys)) throw unusable(jwksUri, 'bad_answer', 'gave no key set');
    return keys;
  }

  /** The SETs that wait, unjudged, by the `jti` they are listed under (RFC 8936 §2.3). */
  async poll(
    { endpoint, authorization, timeoutMs }: ResolvedPoll,
    content: PollRequest,
    signal: AbortSignal,
  ): Promise<readonly (readonly [jti: string, set: unknown])[]> {
    const { headers } = contentOf(undefined, authorization);
    const language = Object.keys(content.setErrs).length > 0 && { 'Content-Language': 'en' };
    const request = {
      url: endpoint,
      method: 'POST',
      data: JSON.stringify(content),
      headers: { ...headers, 'Content-Type': 'application/json', ...language },
    };
    const { sets } = await this.#exchange(request, { timeoutMs, signal });
    if (!isJsonObject(sets)) throw unusable(endpoint, 'bad_answer', "gave no 'sets'");
    return Object.entries(sets).slice(0, content.maxEvents);
  }

  onApplicationShutdown(): void {
    this.#isClosed = true;
    this.#agents.httpAgent.destroy();
    this.#agents.httpsAgent.destroy();
  }

  /** The JSON object in an answer with status 200. */
  async #exchange(request: Request, limits: Limits): Promise<JsonObject> {
    if (this.#isClosed) throw stopped();
    const { status, data } = await this.#within(limits, request);
    const answer = readJsonObject(String(data));
    if (status === 200 && isJsonObject(answer)) return answer;
    throw unusable(request.url, 'bad_answer', `gave an unusable answer, status ${status}`);
  }

  async #within({ timeoutMs, signal }: Limits, request: Request): Promise<AxiosResponse<string>> {
    const deadline = new AbortController();
    const end = (): void => deadline.abort();
    const timer = setTimeout(end, timeoutMs);
    signal?.addEventListener('abort', end);
    try {
      const how = { ...this.#agents, ...TRANSPORT, signal: deadline.signal };
      return await this.http.send({ ...request, ...how });
    } catch {
      if (signal?.aborted) throw stopped();
      // What axios throws carries the request, with its credentials: nothing of it goes on.
      const why = deadline.signal.aborted ? 'took too long' : 'failed or was cut off';
      throw unusable(request.url, 'no_answer', why);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }
}

function stopped(): GenAuthUnavailableError {
  return new GenAuthUnavailableError('stopped', 'the application is closed');
}

function unusable(url: string, reason: Unavailability, why: string): GenAuthUnavailableError {
  const { host, pathname } = new URL(url);
  const detail = `a call to ${host}${pathname} ${why}`;
  publishAlarm({ alarm: 'transmitter_unreachable', detail });
  return new GenAuthUnavailableError(reason, detail);
}
