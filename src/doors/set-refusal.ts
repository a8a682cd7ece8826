import { TokenError, type TokenRefusal } from '../core/errors.js';

/** Why a SET is refused, in the words of RFC 8935 §2.4; `invalid_state` is that of SSF 1.0 §8.1.4.1. */
export type SetErrorCode =
  | 'invalid_request'
  | 'invalid_key'
  | 'invalid_issuer'
  | 'invalid_audience'
  | 'authentication_failed'
  | 'invalid_state';

/** A SET is refused, definitely: sending it again changes nothing. */
export class SetRefusal extends Error {
  /** @param description names the member or rule at fault, never its value */
  constructor(
    readonly err: SetErrorCode,
    readonly description: string,
  ) {
    super(`${err}: ${description}`);
  }
}

/** The refusals that are about how a SET is signed; the others are about how it is written. */
const ABOUT_KEYS: ReadonlySet<TokenRefusal> = new Set([
  'algorithm',
  'unknown_key',
  'ambiguous_key',
  'unsuitable_key',
  'signature',
]);

/** What the strict reader or a key set threw, as a refusal of a SET; anything else as it is. */
export function refusalOfSet(error: unknown): unknown {
  if (!(error instanceof TokenError)) return error;
  const [, description = error.message] = error.message.split('): ', 2);
  return new SetRefusal(
    ABOUT_KEYS.has(error.reason) ? 'invalid_key' : 'invalid_request',
    description,
  );
}
