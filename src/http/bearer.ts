import { BearerRequestError } from '../core/errors.js';
import { isJsonObject, type JsonObject } from '../core/json.js';

/** What is read of a request, the same on Express and on Fastify. */
export interface HttpRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly query?: unknown;
  readonly body?: unknown;
  /** Express: node's own request. */
  readonly headersDistinct?: Readonly<Record<string, readonly string[] | undefined>>;
  /** Fastify: wraps node's own request. */
  readonly raw?: Pick<HttpRequest, 'headersDistinct'>;
}

/**
 * The bearer token in the `Authorization` header (RFC 6750 §2.1), the only place one is taken from.
 *
 * @returns undefined when nothing was sent, or credentials of another scheme
 * @throws {BearerRequestError} the header is malformed, or there is more than one credential
 */
export function bearerToken(request: HttpRequest): string | undefined {
  const { authorization } = (request.raw ?? request).headersDistinct ?? {};
  const [header, second] = authorization ?? [request.headers['authorization']].flat();
  if (second !== undefined) throw new BearerRequestError('more than one Authorization header');
  if (header === undefined || !/^bearer(?: |$)/i.test(header)) return undefined;
  const token = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(header)?.[1];
  if (token === undefined) throw new BearerRequestError('the Authorization header is malformed');
  if (hasAnotherToken(request)) {
    throw new BearerRequestError('a token in the header and another one in the query or form');
  }
  return token;
}

/** RFC 6750 §2: one method at a time. The other two are never taken from, but do count. */
function hasAnotherToken({ headers, query, body }: HttpRequest): boolean {
  const isForm = /^application\/x-www-form-urlencoded/i.test(String(headers['content-type']));
  return [query, isForm ? body : undefined].some((part) => {
    return isJsonObject(part) && (part as JsonObject)['access_token'] !== undefined;
  });
}
