import { BearerRequestError } from '../core/errors.js';
import { isJsonObject } from '../core/json.js';

/** What is read of a request, the same on Express and on Fastify. */
export interface HttpRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query?: unknown;
  readonly body?: unknown;
  /** Express: node's own request. Names and values in turn, as they were sent. */
  readonly rawHeaders?: readonly string[];
  /** Fastify: wraps node's own request. */
  readonly raw?: Pick<HttpRequest, 'rawHeaders' | 'headersDistinct'>;
  readonly headersDistinct?: Readonly<Record<string, readonly string[] | undefined>>;
}

/**
 * The bearer token in the `Authorization` header (RFC 6750 §2.1), the only place one is taken from.
 *
 * @returns undefined when nothing was sent, or credentials of another scheme
 * @throws {BearerRequestError} the header is malformed, or there is more than one credential
 */
export function bearerToken(request: HttpRequest): string | undefined {
  const [header, second] = authorizations(request);
  if (second !== undefined) throw new BearerRequestError('more than one Authorization header');
  if (header === undefined || !/^bearer(?: |$)/i.test(header)) return undefined;
  const token = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header)?.[1];
  if (token === undefined) throw new BearerRequestError('the Authorization header is malformed');
  if (hasAnotherToken(request)) {
    throw new BearerRequestError('a token in the header and another one in the query or form');
  }
  return token;
}

/** Every `Authorization` header: of two, node's `headers` show the first alone. */
function authorizations(request: HttpRequest): readonly (string | undefined)[] {
  const source = request.raw ?? request;
  // `headersDistinct` copies every header of the request, for each that asks.
  const sent = source.rawHeaders
    ? authorizationsIn(source.rawHeaders)
    : (source.headersDistinct?.['authorization'] ?? []);
  return sent.length > 0 ? sent : [request.headers['authorization']].flat();
}

function authorizationsIn(rawHeaders: readonly string[]): string[] {
  const values: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = [rawHeaders[at], rawHeaders[at + 1]];
    if (name.length === 13 && name.toLowerCase() === 'authorization') values.push(value);
  }
  return values;
}

/** RFC 6750 §2: one method at a time. The other two are never taken from, but do count. */
function hasAnotherToken(request: HttpRequest): boolean {
  if (namesToken(request.query)) return true;
  const type = request.headers['content-type'];
  const isForm = type !== undefined && /^application\/x-www-form-urlencoded/i.test(String(type));
  return isForm && namesToken(request.body);
}

function namesToken(part: unknown): boolean {
  return isJsonObject(part) && part['access_token'] !== undefined;
}
