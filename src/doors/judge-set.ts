import { isJsonObject, isName, type JsonObject } from '../core/json.js';
import { instantOf } from '../core/principal.js';
import { judgeHeader } from '../verify/claims.js';
import type { ResolvedTransmitter } from './security-events.options.js';
import { SetRefusal } from './set-refusal.js';

/** SSF has one event in a SET; RFC 8417 §2.2 allows several that are about the same thing. */
const MOST_EVENTS = 10;
const MOST_AUDIENCES = 64;

/** RFC 8417 §2.3; the prefix may be left out (RFC 7515 §4.1.9). */
const TYPE = /^(?:application\/)?secevent\+jwt$/i;

/** What a SET says, in an orderly form; it was not believed for that. Instants are epoch milliseconds. */
export interface SecurityEventToken {
  readonly jti: string;
  readonly issuedAt: number;
  /** Where the SET has one subject for all its events (SSF 1.0 §3). */
  readonly subject: JsonObject | undefined;
  readonly events: readonly SecurityEvent[];
}

/** One event of a SET. */
export interface SecurityEvent {
  readonly type: string;
  readonly payload: JsonObject;
  /** By the transmitter's clock, in whole seconds: when what is reported happened, as far as it says. */
  readonly happenedAt: number;
}

/**
 * What the header of a SET must say before any key is looked for. Explicit typing is required by SSF 1.0
 * §4.1.1: no access, ID or logout token passes.
 *
 * @returns the algorithm
 * @throws {SetRefusal | TokenError}
 */
export function judgeSetHeader(
  header: JsonObject,
  transmitter: Pick<ResolvedTransmitter, 'algorithms'>,
): string {
  if (header['typ'] === undefined) throw malformed("'typ' must be secevent+jwt");
  return judgeHeader(header, transmitter, TYPE);
}

/**
 * The claims of a SET whose signature was good (RFC 8417 §2.2, SSF 1.0 §4.1). Members that are not known are
 * ignored, as SSF wants; `sub` is refused, as it says that no SET has one.
 *
 * @throws {SetRefusal}
 */
export function judgeClaims(
  claims: JsonObject,
  { audiences, maxAgeMs }: Pick<ResolvedTransmitter, 'audiences' | 'maxAgeMs'>,
  now: number,
  toleranceMs: number,
): SecurityEventToken {
  judgeAudience(claims['aud'], audiences);
  const { jti, sub, sub_id: subject } = claims;
  if (!isName(jti)) throw malformed("'jti' must be a string");
  if (sub !== undefined) throw malformed("'sub' has no place in a SET: use 'sub_id'");
  if (subject !== undefined && !isJsonObject(subject)) {
    throw malformed("'sub_id' must be an object");
  }
  const latest = now + toleranceMs;
  const issuedAt = instantIn(claims, 'iat', latest);
  if (issuedAt === undefined) throw malformed("'iat' is required");
  judgeAge(issuedAt + maxAgeMs, claims['exp'], now - toleranceMs);
  const toldAt = instantIn(claims, 'toe', latest) ?? issuedAt;
  return { jti, issuedAt, subject, events: eventsIn(claims, toldAt, latest) };
}

function judgeAge(endsAt: number, exp: unknown, earliest: number): void {
  if (endsAt <= earliest) throw malformed("'iat' is too long ago");
  // RFC 8417 §2.2 has no use for `exp`, but what has expired by its own words is not believed.
  const isAlive = exp === undefined || instantOf(exp) > earliest;
  if (!isAlive) throw malformed("'exp' has passed");
}

function judgeAudience(aud: unknown, audiences: readonly string[]): void {
  const named: readonly unknown[] = [aud].flat();
  const isSound = named.length <= MOST_AUDIENCES && named.every((one) => typeof one === 'string');
  if (!isSound || !named.some((one) => audiences.includes(one as string))) {
    throw new SetRefusal('invalid_audience', "'aud' names no configured audience");
  }
}

function eventsIn({ events }: JsonObject, toldAt: number, latest: number): SecurityEvent[] {
  const told = isJsonObject(events) ? Object.entries(events) : [];
  if (told.length === 0 || told.length > MOST_EVENTS) {
    throw malformed(`'events' must be an object of 1 to ${MOST_EVENTS} events`);
  }
  return told.map(([type, payload]) => {
    if (!isJsonObject(payload)) throw malformed('each member of events must be an object');
    const happenedAt = instantIn(payload, 'event_timestamp', latest) ?? toldAt;
    return { type, payload, happenedAt: Math.floor(happenedAt / 1_000) * 1_000 };
  });
}

/** As a number of seconds so large would lie beyond the year 5000, it counts milliseconds: older drafts did. */
const SURELY_MS = 1e11;

function instantIn(claims: JsonObject, name: string, latest: number): number | undefined {
  const value = claims[name];
  if (value === undefined) return undefined;
  const isMs = name === 'event_timestamp' && typeof value === 'number' && value >= SURELY_MS;
  const instant = isMs ? value : instantOf(value);
  if (!(instant >= 0)) throw malformed(`'${name}' must be a number of seconds since 1970`);
  if (instant > latest) throw malformed(`'${name}' is yet to come: compare the clocks`);
  return instant;
}

function malformed(description: string): SetRefusal {
  return new SetRefusal('invalid_request', description);
}
