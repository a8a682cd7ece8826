import { GenAuthOptionsError } from '../core/errors.js';
import { OptionReader } from '../option-reader.js';

/** Options of `BackchannelLogoutModule`. Durations are milliseconds. */
export interface BackchannelLogoutOptions {
  /**
   * How old a logout token may be, by its `iat`. For as long a token that was taken is remembered, so that it
   * counts once. @default 300_000
   */
  maxAge?: number;
  /**
   * What the logout of one session means for the user's access tokens that name no session (`sid`), and so may
   * be of that one. `keep` is fail-open where access tokens never name one. @default 'revoke'
   */
  sessionless?: 'revoke' | 'keep';
}

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface BackchannelLogoutOptionsFactory {
  createBackchannelLogoutOptions(): BackchannelLogoutOptions | Promise<BackchannelLogoutOptions>;
}

/** The options with every default filled in. The class is the injection token. */
export abstract class ResolvedBackchannelLogout {
  abstract readonly maxAgeMs: number;
  abstract readonly sessionless: 'revoke' | 'keep';
}

/** @throws {GenAuthOptionsError} with one sentence for each option at fault */
export function resolveBackchannelLogout(
  options: BackchannelLogoutOptions,
): ResolvedBackchannelLogout {
  const faults: string[] = [];
  const read = OptionReader.of(options, faults);
  const resolved = {
    maxAgeMs: read.integer('maxAge', 300_000, 1_000, 3_600_000),
    sessionless: read.oneOf('sessionless', ['revoke', 'keep'] as const, 'revoke'),
  };
  read.refuseUnknown();
  if (faults.length > 0) throw new GenAuthOptionsError(faults, 'BackchannelLogoutModule');
  return Object.freeze(resolved);
}
