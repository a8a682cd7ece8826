import {
  failed,
  type GenAuthUnavailableError,
  type RevocationError,
  type RevocationFailure,
  type RevocationReceipt,
} from './core/errors.js';
import type { RevokeOptions } from './revocation-task.js';

/** What keeps an errand from being run now, and may be different later. */
const PASSING: ReadonlySet<RevocationFailure> = new Set([
  'genauth_unreachable',
  'log_not_acknowledged',
  'stopped',
]);

export function mayPass({ code }: RevocationError): boolean {
  return PASSING.has(code);
}

export function incomplete(
  { reason }: GenAuthUnavailableError,
  { whenUnreachable }: RevokeOptions,
  log: RevocationReceipt['log'],
): RevocationError {
  if (reason === 'client_refused') return refused('invalid_client', log);
  const receipt = { log, genauth: 'unreachable' } as const;
  return whenUnreachable === 'queue'
    ? failed(
        'no_outbox',
        'GenAuth did not answer, and the log has no outbox, or no room in it',
        receipt,
      )
    : failed('genauth_unreachable', 'GenAuth did not answer; denied here, revoke again', receipt);
}

export function refused(code: string, log: RevocationReceipt['log']): RevocationError {
  const detail = `GenAuth answered '${code}'; the token stays denied here`;
  return failed('genauth_refused', detail, { log, genauth: 'refused' });
}
