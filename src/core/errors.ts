/** Everything this library throws on purpose. Carries no token, secret or personal claim. */
export abstract class GenAuthError extends Error {
  /** Stable and machine-readable; the message is for people and may change. */
  abstract readonly code: string;

  /** @param isTraced whether the stack is worth its price: the verdict on a token is the same from everywhere */
  constructor(message: string, isTraced = true) {
    const { stackTraceLimit } = Error;
    if (!isTraced) limitStacks(0);
    super(message);
    if (!isTraced) limitStacks(stackTraceLimit);
    this.name = new.target.name;
  }
}

/**
 * Makes an error that has no stack. To write one down costs as much as the rest of a refusal, and whoever
 * sends junk decides how often.
 */
export function withoutStack<T>(make: () => T): T {
  const { stackTraceLimit } = Error;
  limitStacks(0);
  try {
    return make();
  } finally {
    limitStacks(stackTraceLimit);
  }
}

/** Where the application has frozen Error this does nothing, and stacks are as long as ever. */
function limitStacks(frames: number): void {
  Reflect.set(Error, 'stackTraceLimit', frames);
}

/** A module was configured wrongly. Thrown once, at start, with every fault found. */
export class GenAuthOptionsError extends GenAuthError {
  override readonly code = 'invalid_options';

  /** @param faults one sentence for each option at fault, naming it and saying what to do */
  constructor(
    readonly faults: readonly string[],
    moduleName = 'GenAuthModule',
  ) {
    super(
      `${moduleName} is not configured correctly:\n${faults.map((f) => `  - ${f}`).join('\n')}`,
    );
  }
}

/** The request is not one a bearer token can be read from (RFC 6750 §3.1 `invalid_request`). */
export class BearerRequestError extends GenAuthError {
  override readonly code = 'invalid_request';

  constructor(detail: string) {
    super(detail, false);
  }
}

/** Why a token is refused. For the operator only: callers learn `invalid_token` and no more. */
export type TokenRefusal =
  | 'malformed'
  | 'oversized'
  | 'not_canonical'
  | 'not_json'
  | 'duplicate_member'
  | 'encrypted'
  | 'nested'
  | 'header_type'
  | 'critical_header'
  | 'compressed'
  | 'algorithm'
  | 'token_type'
  | 'unknown_key'
  | 'ambiguous_key'
  | 'unsuitable_key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'expired'
  | 'not_yet_valid'
  | 'issued_in_future'
  | 'claim_missing'
  | 'claim_type'
  | 'not_an_access_token'
  | 'sender_constrained'
  | 'inactive'
  | 'revoked';

/** The token is refused, definitely: asking again changes nothing (RFC 6750 §3.1 `invalid_token`). */
export class TokenError extends GenAuthError {
  override readonly code = 'invalid_token';

  /** @param detail names the header, claim or rule at fault, never its value */
  constructor(
    readonly reason: TokenRefusal,
    detail: string,
  ) {
    super(`Token refused (${reason}): ${detail}`, false);
  }
}

/** The token is good but does not carry what the route asks for (RFC 6750 §3.1). */
export class InsufficientScopeError extends GenAuthError {
  override readonly code = 'insufficient_scope';

  /** @param scopes what the route asks for: the application's own words, never the caller's */
  constructor(readonly scopes: readonly string[]) {
    super(`The token lacks a scope that is asked for here: ${scopes.join(' ')}`, false);
  }
}

/** Why no verdict was possible. */
export type Unavailability =
  | 'no_answer'
  | 'bad_answer'
  | 'client_refused'
  | 'busy'
  | 'keys_stale'
  | 'log_stale'
  | 'log_catching_up'
  | 'log_not_covered'
  | 'revocation_boundary'
  | 'stopped';

/** Neither yes nor no could be said. Never a statement about the token: it may be good. */
export class GenAuthUnavailableError extends GenAuthError {
  override readonly code = 'temporarily_unavailable';

  /** @param retryAfterMs a sensible pause before the caller tries again */
  constructor(
    readonly reason: Unavailability,
    detail: string,
    readonly retryAfterMs = 1_000,
  ) {
    super(`No verdict possible (${reason}): ${detail}`, false);
  }
}

/** What is known to have happened when a revocation ends, well or not. */
export interface RevocationReceipt {
  /** No instance accepts the token any more, and GenAuth knows or will be told. */
  readonly success: boolean;
  /** `acknowledged`: durable, as far as the configured log can be. */
  readonly log: 'acknowledged' | 'not_acknowledged' | 'not_needed';
  /**
   * `unsupported`: the server does not revoke this kind of token, our own denial is the whole effect.
   * `not_told`: this kind of revocation is not GenAuth's business, or an earlier step failed.
   */
  readonly genauth: 'confirmed' | 'queued' | 'unsupported' | 'unreachable' | 'refused' | 'not_told';
}

/** What kept a revocation from being complete. */
export type RevocationFailure =
  | 'invalid_request'
  | 'log_not_acknowledged'
  | 'genauth_unreachable'
  | 'genauth_refused'
  | 'token_outlives_log'
  | 'cascade_unknown'
  | 'index_full'
  | 'no_outbox'
  | 'stopped';

/**
 * A revocation did not take effect completely. What did take effect stays: `receipt` says which steps.
 * Revoking again is safe and is the way to finish.
 */
export class RevocationError extends GenAuthError {
  constructor(
    override readonly code: RevocationFailure,
    detail: string,
    readonly receipt: RevocationReceipt,
  ) {
    super(`Revocation incomplete (${code}): ${detail}`);
  }
}

/** A failure before anything else was attempted; callers refine the receipt. */
export function failed(
  code: RevocationFailure,
  detail: string,
  receipt: Partial<RevocationReceipt> = {},
): RevocationError {
  return new RevocationError(code, detail, {
    success: false,
    log: 'not_acknowledged',
    genauth: 'not_told',
    ...receipt,
  });
}
