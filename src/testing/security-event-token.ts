import { randomUUID, type KeyObject } from 'node:crypto';
import { segment, signatureOf, type TokenAlgorithm } from './compact-token.js';
import type { SigningKeys } from './signing-keys.js';

/** How a SET departs from a good one; everything left out is as SSF 1.0 wants it. */
export interface SetOptions {
  /** `sub_id`, the subject of every event in it. */
  subject?: Record<string, unknown>;
  /** Claims to add or replace; one set to `undefined` is left out. */
  claims?: Record<string, unknown>;
  /** Header members to add or replace; one set to `undefined` is left out. */
  header?: Record<string, unknown>;
  /** @default the algorithm of the current key */
  alg?: TokenAlgorithm;
  /** Signs instead of the transmitter's own key; a string or bytes are the secret of HS256. */
  key?: KeyObject | string | Buffer;
  /** `false` leaves the signature empty. */
  sign?: boolean;
  /** The header's text in place of everything above. */
  rawHeader?: string;
  /** The payload's text in place of the claims. */
  rawPayload?: string;
}

/** The event types of CAEP, RISC and SSF 1.0 that have a short name here. */
export type EventName =
  | 'session-revoked'
  | 'credential-change'
  | 'token-claims-change'
  | 'account-disabled'
  | 'account-purged'
  | 'sessions-revoked'
  | 'verification'
  | 'stream-updated';

export const EVENT_TYPES: Readonly<Record<EventName, string>> = {
  'session-revoked': 'https://schemas.openid.net/secevent/caep/event-type/session-revoked',
  'credential-change': 'https://schemas.openid.net/secevent/caep/event-type/credential-change',
  'token-claims-change': 'https://schemas.openid.net/secevent/caep/event-type/token-claims-change',
  'account-disabled': 'https://schemas.openid.net/secevent/risc/event-type/account-disabled',
  'account-purged': 'https://schemas.openid.net/secevent/risc/event-type/account-purged',
  'sessions-revoked': 'https://schemas.openid.net/secevent/risc/event-type/sessions-revoked',
  verification: 'https://schemas.openid.net/secevent/ssf/event-type/verification',
  'stream-updated': 'https://schemas.openid.net/secevent/ssf/event-type/stream-updated',
};

/** A short name, or the URI of any event type. */
export type EventType = EventName | (string & {});

/** Events by their type, each with its payload. */
export type Events = Partial<Record<EventType, unknown>>;

/** Signs the events as a transmitter would, or as the options want it (RFC 8417 §2). */
export function buildSet(
  party: { issuer: string; audience: string; keys: SigningKeys; now: number },
  events: Events,
  options: SetOptions = {},
): string {
  const { current } = party.keys;
  const alg = options.alg ?? current.alg;
  const header =
    options.rawHeader ??
    JSON.stringify({ typ: 'secevent+jwt', alg, kid: current.kid, ...options.header });
  const claims = {
    iss: party.issuer,
    jti: randomUUID(),
    iat: Math.floor(party.now / 1_000),
    aud: party.audience,
    ...(options.subject && { sub_id: options.subject }),
    events: Object.fromEntries(
      Object.entries(events).map(([type, payload]) => [typeUri(type), payload]),
    ),
    ...options.claims,
  };
  const payload = options.rawPayload ?? JSON.stringify(claims);
  const content = `${segment(header)}.${segment(payload)}`;
  if (options.sign === false) return `${content}.`;
  return `${content}.${signatureOf(alg, options.key ?? current.privateKey, content)}`;
}

function typeUri(type: string): string {
  return Object.hasOwn(EVENT_TYPES, type) ? EVENT_TYPES[type as EventName] : type;
}
