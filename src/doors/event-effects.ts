import type { JsonObject } from '../core/json.js';
import type { EventEffect } from './security-events.options.js';

const CAEP = 'https://schemas.openid.net/secevent/caep/event-type';
const RISC = 'https://schemas.openid.net/secevent/risc/event-type';
const SSF = 'https://schemas.openid.net/secevent/ssf/event-type';

/** Whether the stream works end to end (SSF 1.0 §8.1.4.1). */
export const VERIFICATION = `${SSF}/verification`;

const EFFECTS: ReadonlyMap<string, EventEffect> = new Map([
  [`${CAEP}/session-revoked`, 'session'],
  [`${CAEP}/credential-change`, 'subject'],
  [`${CAEP}/token-claims-change`, 'subject'],
  [`${RISC}/account-disabled`, 'subject'],
  [`${RISC}/account-purged`, 'subject'],
  [`${RISC}/sessions-revoked`, 'subject'],
  [VERIFICATION, 'nothing'],
  [`${SSF}/stream-updated`, 'nothing'],
]);

/**
 * What an event does by CAEP 1.0, RISC 1.0 and SSF 1.0; undefined for any other type. A credential that was
 * added takes nothing away from the tokens there are (CAEP 1.0 §3.3).
 */
export function effectOf(
  type: string,
  { change_type: change }: JsonObject,
): EventEffect | undefined {
  if (type === `${CAEP}/credential-change` && change === 'create') return 'nothing';
  return EFFECTS.get(type);
}
