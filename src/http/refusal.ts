import { HttpException, HttpStatus } from '@nestjs/common';

import { channels, publishRefusal } from '../core/channels.js';
import {
  BearerRequestError,
  GenAuthUnavailableError,
  InsufficientScopeError,
  RevocationError,
  TokenError,
  type RevocationReceipt,
  withoutStack,
} from '../core/errors.js';

/** A refusal as HTTP: the exception, and the headers that go with it. */
export interface Refusal {
  readonly exception: HttpException;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * The one place that decides what a stranger learns: a status and a code of RFC 6750 §3.1, never the
 * reason. The reason goes to the operator. Undefined for what is no refusal.
 */
export function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof BearerRequestError) {
    tell(error, 'bearer_syntax');
    return refuse(HttpStatus.BAD_REQUEST, 'invalid_request', 'Bad Request');
  }
  if (error instanceof TokenError) {
    tell(error, error.reason);
    return refuse(HttpStatus.UNAUTHORIZED, 'invalid_token', 'Unauthorized');
  }
  if (error instanceof InsufficientScopeError) {
    tell(error, 'scope');
    const scope = error.scopes.join(' ').replaceAll(/[^\x21\x23-\x5b\x5d-\x7e ]/g, '');
    return refuse(HttpStatus.FORBIDDEN, 'insufficient_scope', 'Forbidden', `, scope="${scope}"`);
  }
  if (error instanceof GenAuthUnavailableError) {
    tell(error, error.reason);
    return tryLater({ error: error.code }, error.retryAfterMs);
  }
  return error instanceof RevocationError ? refusalOfRevocation(error) : undefined;
}

/** The caller's own doing, or a revocation to be finished by another attempt. */
function refusalOfRevocation({ code, receipt }: RevocationError): Refusal {
  if (code !== 'invalid_request') return tryLater({ error: code, receipt });
  const body = bodyOf(HttpStatus.BAD_REQUEST, code, 'Bad Request');
  return { exception: exceptionOf(body), headers: {} };
}

function tryLater(
  { error, receipt }: { readonly error: string; readonly receipt?: RevocationReceipt },
  afterMs = 1_000,
): Refusal {
  const body = bodyOf(HttpStatus.SERVICE_UNAVAILABLE, error, 'Service Unavailable');
  return {
    exception: exceptionOf(receipt ? { ...body, receipt } : body),
    headers: { 'Retry-After': String(Math.max(1, Math.ceil(afterMs / 1_000))) },
  };
}

/** Nothing was sent: a bare challenge, without an error code (RFC 6750 §3.1). */
export function challenge(): Refusal {
  return {
    exception: exceptionOf({ statusCode: HttpStatus.UNAUTHORIZED, message: 'Unauthorized' }),
    headers: { 'WWW-Authenticate': 'Bearer' },
  };
}

function refuse(status: HttpStatus, code: string, message: string, more = ''): Refusal {
  return {
    exception: exceptionOf(bodyOf(status, code, message)),
    headers: { 'WWW-Authenticate': `Bearer error="${code}"${more}` },
  };
}

interface Body {
  readonly statusCode: number;
  readonly message: string;
  readonly error?: string;
  readonly receipt?: RevocationReceipt;
}

/** Made for this request alone: filters and interceptors of the application may write on it. */
function exceptionOf(body: Body): HttpException {
  return withoutStack(() => new HttpException(body, body.statusCode));
}

function bodyOf(statusCode: number, error: string, message: string): Body {
  return { statusCode, error, message };
}

function tell(
  { code, message }: { readonly code: string; readonly message: string },
  reason: Parameters<typeof publishRefusal>[0]['reason'],
): void {
  if (channels.refusal.hasSubscribers) publishRefusal({ code, reason, detail: message });
}
