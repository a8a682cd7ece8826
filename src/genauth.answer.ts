import { publishAlarm } from './core/channels.js';
import { GenAuthUnavailableError } from './core/errors.js';
import { isJsonObject, type JsonObject, readJsonObject } from './core/json.js';

/** One answer of GenAuth, unjudged. */
export interface Exchange {
  readonly status: number;
  readonly body: string;
  /** When the request left, wall time. */
  readonly sentAt: number;
}

/** The JSON object in the body, if there is one. */
export function objectIn({ body }: Exchange): JsonObject | undefined {
  const value = readJsonObject(body);
  return isJsonObject(value) ? value : undefined;
}

const KNOWN_ERRORS = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_token_type',
]);

/** GenAuth answers failures in three shapes: an OAuth error, and envelopes with `statusCode` or `code`. */
export function errorCodeIn(reply: Exchange): string | undefined {
  // An HTML page with status 200 is some proxy's or login form's, not the endpoint's.
  if (reply.body.trimStart().startsWith('<')) return 'other';
  const { error, statusCode, code } = objectIn(reply) ?? {};
  if (typeof error === 'string') return KNOWN_ERRORS.has(error) ? error : 'other';
  if (error) return 'other';
  const statuses = [statusCode, code, reply.status];
  return statuses.some((status) => isText(status) && Number(status) >= 400) ? 'other' : undefined;
}

function isText(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}

/**
 * Whether a 2xx answer says that the revocation was done: nothing at all, `true`, or an object that names no
 * failure. Anything else is not this endpoint speaking.
 */
export function isConfirmation({ body }: Exchange): boolean {
  const text = body.trim();
  const object = readJsonObject(text);
  return text === '' || text === 'true' || (isJsonObject(object) && object['success'] !== false);
}

export function clientRefused(): GenAuthUnavailableError {
  const detail = 'GenAuth refuses the appId and appSecret, or the …EndPointAuthMethod';
  publishAlarm({ alarm: 'client_refused', detail });
  return new GenAuthUnavailableError('client_refused', detail);
}

export function badAnswer(what: string, status: number): GenAuthUnavailableError {
  publishAlarm({
    alarm: 'genauth_unreachable',
    detail: `${what}: unusable answer, status ${status}`,
  });
  return new GenAuthUnavailableError('bad_answer', `GenAuth gave no usable answer about ${what}`);
}
