import { channel } from 'node:diagnostics_channel';

import type { TokenRefusal, Unavailability } from './errors.js';
import type { DoorSource } from './revocation.js';

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
    | 'transmitter_unreachable'
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
    | 'event_hub_unreachable'
    | 'policy_accepted';
  readonly detail: string;
}

/** A revocation took effect here. Published on `genauth:revocation`. */
export interface RevocationMessage {
  readonly kind: string;
  readonly source: string;
}

/** A message came through a door. Published on `genauth:news`; holds nothing of what it said. */
export interface NewsMessage {
  readonly source: DoorSource;
  /**
   * `taken`: made into revocations, or of a kind that asks for none. `repeated`: it had been taken before.
   * `refused`: it is not to be believed. `not_understood`: believed, and of no use. `unavailable`: it could
   * not be judged or made durable, and is to be told again.
   */
  readonly outcome: 'taken' | 'repeated' | 'refused' | 'not_understood' | 'unavailable';
  /** One sentence for the operator: names the rule or member at fault, never its value. */
  readonly detail?: string;
}

/** `node:diagnostics_channel` channels for operators; nothing is built when nobody subscribed. */
export const channels = {
  refusal: channel('genauth:refusal'),
  alarm: channel('genauth:alarm'),
  revocation: channel('genauth:revocation'),
  news: channel('genauth:news'),
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

export function publishNews(message: NewsMessage): void {
  if (channels.news.hasSubscribers) channels.news.publish(message);
}
