import type { IncomingMessage, ServerResponse } from 'node:http';
import { invalidRequest, Refusal, refusalAnswer, type Answer } from './answer.js';
import { writeAnswer, writeFault } from './answer-writer.js';
import type { FakeApplication } from './application.js';
import type { EndpointRequest } from './endpoint-request.js';
import { FaultPlan, reachesServer } from './faults.js';
import { Holds } from './holds.js';
import { RequestLog, type LoggedRequest } from './request-log.js';
import { routeOf, type Route } from './routes.js';
import type { UserPool } from './user-pool.js';

const BODY_LIMIT = 56 * 1024;
const FORM = 'application/x-www-form-urlencoded';
const UNCACHED = new Set(['introspection', 'token']);

interface Arrival {
  readonly route: Route;
  readonly request: EndpointRequest;
  /** Why the body cannot be used, if it cannot. */
  readonly bodyRefusal: Refusal | undefined;
}

/** Takes each request from its socket to its answer: read, logged, decided, held back, spoilt, written. */
export class FrontDoor {
  readonly requests = new RequestLog();
  readonly faults = new FaultPlan();
  readonly holds = new Holds();

  constructor(
    private readonly pool: UserPool,
    private readonly prefixed: boolean,
  ) {}

  /** Answers a request that came in at the address of these applications. */
  async receive(
    incoming: IncomingMessage,
    response: ServerResponse,
    applications: readonly FakeApplication[],
  ): Promise<void> {
    const body = await bodyOf(incoming).catch(() => undefined);
    if (!body) return;
    const arrival = this.#arrival(incoming, body, applications);
    const { endpoint } = arrival.route;
    const entry = this.#note(incoming, arrival);
    const fault = this.faults.take(endpoint);
    const answer = fault && !reachesServer(fault) ? undefined : this.#answer(arrival);
    await this.holds.pass(endpoint);
    if (response.destroyed) return;
    response.setHeader('Date', new Date(this.pool.now()).toUTCString());
    response.on('finish', () => (entry.status = response.statusCode));
    if (fault) writeFault(response, fault, answer);
    else if (answer) writeAnswer(response, answer);
    if (response.headersSent) entry.status = response.statusCode;
  }

  #arrival(
    incoming: IncomingMessage,
    body: Body,
    applications: readonly FakeApplication[],
  ): Arrival {
    const { method = 'GET', url = '/', headers } = incoming;
    const [whole = '/', query = ''] = splitOnce(url, '?');
    const { path, addressed } = this.#addressed(whole, applications);
    const route = routeOf(method, path);
    const { endpoint, protocol } = route;
    const isForm = mediaType(headers['content-type']) === FORM;
    const request: EndpointRequest = {
      method,
      path,
      endpoint,
      protocol,
      application: addressed[0] ?? this.pool.application(),
      clients: addressed,
      query: new URLSearchParams(query),
      form: new URLSearchParams(isForm ? body.text : ''),
      headers,
    };
    return { route, request, bodyRefusal: bodyRefusal(request, isForm, body.tooLarge) };
  }

  #addressed(whole: string, applications: readonly FakeApplication[]) {
    const [, prefix, rest] = /^\/([^/]+)(\/.*)$/.exec(whole) ?? [];
    const named = this.prefixed ? applications.find((each) => each.appId === prefix) : undefined;
    return named && rest
      ? { path: rest, addressed: [named] }
      : { path: whole, addressed: applications };
  }

  #note({ url = '/' }: IncomingMessage, { request }: Arrival): LoggedRequest {
    const { method, endpoint, protocol, application, query, form, headers } = request;
    const entry: LoggedRequest = {
      method,
      path: splitOnce(url, '?')[0] ?? '/',
      query: Object.fromEntries(query),
      endpoint,
      protocol,
      appId: application.appId,
      headers,
      body: Object.fromEntries(form),
      at: this.pool.now(),
      status: undefined,
    };
    this.requests.add(entry);
    return entry;
  }

  #answer({ route, request, bodyRefusal: refusal }: Arrival): Answer {
    const answer = this.#decided(route, request, refusal);
    if (!UNCACHED.has(route.endpoint)) return answer;
    return { ...answer, headers: { ...answer.headers, 'Cache-Control': 'no-cache, no-store' } };
  }

  #decided(route: Route, request: EndpointRequest, refusal: Refusal | undefined): Answer {
    try {
      if (refusal) throw refusal;
      return route.respond(request, this.pool);
    } catch (error) {
      const { accept } = request.headers;
      const { localizedErrors: localized } = this.pool.switches;
      return refusalAnswer(asRefusal(error), { accept, localized });
    }
  }
}

interface Body {
  readonly text: string;
  readonly tooLarge: boolean;
}

async function bodyOf(incoming: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= BODY_LIMIT) chunks.push(chunk);
  }
  const tooLarge = size > BODY_LIMIT;
  return { text: tooLarge ? '' : Buffer.concat(chunks).toString(), tooLarge };
}

function bodyRefusal(
  { method, path, headers, endpoint }: EndpointRequest,
  isForm: boolean,
  tooLarge: boolean,
): Refusal | undefined {
  if (method !== 'POST' || endpoint === 'unknown') return undefined;
  if (tooLarge) return invalidRequest('failed to parse the request body');
  if (isForm || headers['content-type'] === undefined) return undefined;
  return invalidRequest(`only ${FORM} content-type bodies are supported on ${method} ${path}`);
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal(500, 'server_error', error instanceof Error ? error.message : 'failed');
}

function mediaType(contentType = ''): string {
  return (splitOnce(contentType, ';')[0] ?? '').trim().toLowerCase();
}

function splitOnce(text: string, mark: string): string[] {
  const cut = text.indexOf(mark);
  return cut === -1 ? [text] : [text.slice(0, cut), text.slice(cut + 1)];
}
