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
  const token = bearerCredentials(request);
  if (token !== undefined && !isBearerText(token)) throw malformedHeader();
  return token;
}

/**
 * As `bearerToken`, its characters unjudged (`isBearerText`). What turns out to be a good token needs no such
 * judgement, which takes as long as looking it up.
 */
export function bearerCredentials(request: HttpRequest): string | undefined {
  const { authorization, contentType } = sentHeaders(request);
  const token = authorization === undefined ? undefined : credentialsIn(authorization);
  if (token === undefined) return undefined;
  if (token === '') throw malformedHeader();
  if (hasAnotherToken(request, contentType)) {
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

interface SentHeaders {
  authorization?: string | undefined;
  contentType?: string | undefined;
}

/**
 * The headers that matter, in one walk. Of two `Authorization` headers node's `headers` show the first alone;
 * and Express gives every request a hidden class of its own, so that each member read of it has to be looked for.
 */
function sentHeaders(request: HttpRequest): SentHeaders {
  const rawHeaders = request.rawHeaders ?? request.raw?.rawHeaders;
  const sent: SentHeaders = { authorization: undefined, contentType: undefined };
  if (rawHeaders) takeRaw(rawHeaders, sent);
  if (sent.authorization === undefined) takeOthers(request, sent, rawHeaders !== undefined);
  return sent;
}

function takeRaw(rawHeaders: readonly string[], sent: SentHeaders): void {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === AUTHORIZATION.length && name.toLowerCase() === AUTHORIZATION) {
      if (sent.authorization !== undefined) throw moreThanOne();
      sent.authorization = rawHeaders[at + 1];
    } else if (name.length === CONTENT_TYPE.length && name.toLowerCase() === CONTENT_TYPE) {
      sent.contentType ??= rawHeaders[at + 1];
    }
  }
}

const AUTHORIZATION = 'authorization';
const CONTENT_TYPE = 'content-type';

/** What some middleware has set; and everything, where nobody kept what was sent. */
function takeOthers(request: HttpRequest, sent: SentHeaders, isKept: boolean): void {
  const { headers } = request;
  // Node's own request copies every header of it for this.
  const distinct = isKept ? undefined : (request.raw ?? request).headersDistinct?.[AUTHORIZATION];
  const [authorization, second] = [distinct ?? headers[AUTHORIZATION]].flat();
  if (second !== undefined) throw moreThanOne();
  sent.authorization = authorization;
  sent.contentType ??= [headers[CONTENT_TYPE]].flat()[0];
}

function moreThanOne(): BearerRequestError {
  return new BearerRequestError('more than one Authorization header');
}

const FORM = /^application\/x-www-form-urlencoded/i;

/** RFC 6750 §2: one method at a time. The other two are never taken from, but do count. */
function hasAnotherToken(request: HttpRequest, contentType = ''): boolean {
  const { url } = request;
  if ((url === undefined || url.includes('?')) && namesToken(request.query)) return true;
  return contentType !== '' && FORM.test(contentType) && namesToken(request.body);
}

function namesToken(part: unknown): boolean {
  return isJsonObject(part) && part['access_token'] !== undefined;
}
