import { channel } from 'node:diagnostics_channel';

import type { TokenRefusal, Unavailability } from './errors.js';

/** A request or call was refused. Published on `genauth:refusal`. */
export interface RefusalMessage {
  /** `invalid_token` and the like: what the caller was told. */
  readonly code: string;
  /** What the caller was not told. */
  readonly reason: TokenRefusal | Unavailability | 'bearer_syntax' | 'scope' | 'context';
  /** One sentence for the operator. Holds no token, secret or claim value. */
  readonly detail: string;
}

/** Something an operator should look at. Published on `genauth:alarm`. */
export interface AlarmMessage {
  readonly alarm:
    | 'genauth_unreachable'
    | 'client_refused'
    | 'keys_not_refreshed'
    | 'token_outlives_log'
    | 'index_full'
    | 'log_not_acknowledged'
    | 'log_unreachable'
    | 'log_misconfigured'
    | 'log_entry_unreadable'
    | 'log_rewound'
    | 'log_replaced'
    | 'errand_failed'
    | 'listener_failed'
    | 'listener_behind'
    | 'cache_failed'
    | 'policy_accepted';
  readonly detail: string;
}

/** A revocation took effect here. Published on `genauth:revocation`. */
export interface RevocationMessage {
  readonly kind: string;
  readonly source: string;
}

/** `node:diagnostics_channel` channels for operators; nothing is built when nobody subscribed. */
export const channels = {
  refusal: channel('genauth:refusal'),
  alarm: channel('genauth:alarm'),
  revocation: channel('genauth:revocation'),
} as const;

export function publishRefusal(message: RefusalMessage): void {
  if (channels.refusal.hasSubscribers) channels.refusal.publish(message);
}

export function publishAlarm(message: AlarmMessage): void {
  if (channels.alarm.hasSubscribers) channels.alarm.publish(message);
}

export function publishRevocation(message: RevocationMessage): void {
  if (channels.revocation.hasSubscribers) channels.revocation.publish(message);
}
