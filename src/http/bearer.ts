import { BearerRequestError } from '../core/errors.js';
import { isJsonObject } from '../core/json.js';
import { isBearerText } from '../verify/compact-jws.js';

/** What is read of a request, the same on Express and on Fastify. */
export interface HttpRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly url?: string | undefined;
  readonly query?: unknown;
  readonly body?: unknown;
  /** Express: node's own request. Names and values in turn, as they were sent. */
  readonly rawHeaders?: readonly string[];
  /** Fastify: wraps node's own request. */
  readonly raw?: Pick<HttpRequest, 'rawHeaders'>;
}

/**
 * The bearer token in the `Authorization` header (RFC 6750 §2.1), the only place one is taken from.
 *
 * @returns undefined when nothing was sent, or credentials of another scheme
 * @throws {BearerRequestError} the header is malformed, or there is more than one credential
 */
export function bearerToken(request: HttpRequest): string | undefined {
  const token = bearerCredentials(request);
  if (token !== undefined && !isBearerText(token)) throw malformedHeader();
  return token;
}

/**
 * As `bearerToken`, its characters unjudged (`isBearerText`). What turns out to be a good token needs no such
 * judgement, which takes as long as looking it up.
 */
export function bearerCredentials(request: HttpRequest): string | undefined {
  const header = authorizationOf(request);
  const token = header === undefined ? undefined : credentialsIn(header);
  if (token === undefined) return undefined;
  if (token === '') throw malformedHeader();
  if (hasAnotherToken(request)) {
    throw new BearerRequestError('a token in the header and another one in the query or form');
  }
  return token;
}

export function malformedHeader(): BearerRequestError {
  return new BearerRequestError('the Authorization header is malformed');
}

const SCHEME = 'bearer';

/** What follows the scheme and its spaces; undefined for another scheme. */
function credentialsIn(header: string): string | undefined {
  if (header.slice(0, SCHEME.length).toLowerCase() !== SCHEME) return undefined;
  let start = SCHEME.length;
  while (header[start] === ' ') start += 1;
  const isOther = start === SCHEME.length && header.length > start;
  return isOther ? undefined : header.slice(start);
}

/**
 * The one `Authorization` header: as middleware leaves it, which may have replaced it or taken it away. Of two
 * that were sent, node's `headers` show the first alone.
 */
function authorizationOf(request: HttpRequest): string | undefined {
  refuseTwo(request.rawHeaders ?? request.raw?.rawHeaders ?? []);
  const headers = request.headers[AUTHORIZATION];
  if (typeof headers === 'string' || headers === undefined) return headers;
  if (headers.length > 1) throw moreThanOne();
  return headers[0];
}

const AUTHORIZATION = 'authorization';

function refuseTwo(rawHeaders: readonly string[]): void {
  let isSent = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length !== AUTHORIZATION.length || name.toLowerCase() !== AUTHORIZATION) continue;
    if (isSent) throw moreThanOne();
    isSent = true;
  }
}

function moreThanOne(): BearerRequestError {
  return new BearerRequestError('more than one Authorization header');
}

/** RFC 6750 §2: one method at a time. The other two are never taken from, but do count. */
function hasAnotherToken(request: HttpRequest): boolean {
  if (mayHaveQuery(request) && namesToken(request.query)) return true;
  return namesToken(request.body) && FORM.test(String(request.headers['content-type']));
}

const FORM = /^application\/x-www-form-urlencoded/i;

/** Express parses the query anew for each who asks, and finds one after a `?` alone. */
function mayHaveQuery({ rawHeaders, url }: HttpRequest): boolean {
  return rawHeaders === undefined || url === undefined || url.includes('?');
}

function namesToken(part: unknown): boolean {
  return isJsonObject(part) && part['access_token'] !== undefined;
}
