import { GenAuthOptionsError } from '../core/errors.js';
import {
  type ResolvedApplication,
  type ResolvedOptions,
  SIGNATURE_ALGORITHMS,
} from '../genauth.options.js';
import { OptionReader } from '../option-reader.js';
import type {
  ResolvedPoll,
  ResolvedTransmitter,
  SecurityEventsOptions,
  TransmitterOptions,
} from './security-events.options.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A SET has at most 16 KiB, an answer at most 1 MiB. */
const MOST_EVENTS = 60;

/**
 * Fills in every default, checks everything, and freezes the result.
 *
 * @throws {GenAuthOptionsError} with one sentence for each option at fault
 */
export function resolveTransmitters(
  options: SecurityEventsOptions,
  shared: ResolvedOptions,
): readonly ResolvedTransmitter[] {
  const faults: string[] = [];
  const flat = OptionReader.of(options, faults);
  const several = flat.list('transmitters');
  const resolved = several
    ? several.map((_, place) => {
        const read = flat.element('transmitters', place);
        return readTransmitter(read, shared, faults);
      })
    : [readTransmitter(flat, shared, faults)];
  if (several) flat.refuseUnknown();
  if (resolved.length === 0) faults.push('transmitters must name at least one transmitter');
  const issuers = resolved.map(({ issuer }) => issuer);
  if (new Set(issuers).size < issuers.length) {
    faults.push('transmitters: an issuer is named twice; give audience a list instead');
  }
  if (faults.length > 0) throw new GenAuthOptionsError(faults, 'SecurityEventsModule');
  return Object.freeze(resolved);
}

function readTransmitter(
  read: OptionReader,
  shared: ResolvedOptions,
  faults: string[],
): ResolvedTransmitter {
  const { maxTokenLifetimeMs: longest } = shared;
  const transmitter = {
    issuer: read.text('issuer'),
    jwksUri: read.url('jwksUri'),
    audiences: read.has('audience') ? read.texts('audience') : [read.text('audience')],
    algorithms: read.someOf('algorithms', SIGNATURE_ALGORITHMS, 'RS256'),
    applications: readApplications(read, shared, faults),
    subjectIssuers: read.texts('subjectIssuer'),
    authorization: authorizationIn(read),
    verificationState: read.has('verificationState') ? read.text('verificationState') : undefined,
    poll: read.has('poll') ? readPoll(read.group('poll'), shared) : undefined,
    maxAgeMs: read.integer('maxAge', longest, Math.min(MINUTE, longest), longest),
    sessionless: read.oneOf('sessionless', ['revoke', 'keep'] as const, 'revoke'),
    mapSubject: callableIn<TransmitterOptions['mapSubject']>(
      read,
      'mapSubject',
      'it names the sub of a subject identifier',
    ),
    map: callableIn<TransmitterOptions['map']>(read, 'map', 'it says what an event does'),
  };
  read.refuseUnknown();
  return Object.freeze(transmitter);
}

function readApplications(
  read: OptionReader,
  { applications }: ResolvedOptions,
  faults: string[],
): readonly ResolvedApplication[] {
  const named = read.texts('appId', ...applications.map(({ appId }) => appId));
  if (named.some((appId) => applications.every((one) => one.appId !== appId))) {
    faults.push('appId must name applications that GenAuthModule is configured with');
  }
  return applications.filter(({ appId }) => named.includes(appId));
}

function callableIn<T>(read: OptionReader, name: string, advice: string): T | undefined {
  return read.has(name) ? read.callable<T>(name, advice) : undefined;
}

/** RFC 9110 §11.4: credentials begin with a scheme. What has none is a bearer token. */
function authorizationIn(read: OptionReader): string | undefined {
  if (!read.has('authorization')) return undefined;
  const value = read.text('authorization');
  return value.includes(' ') ? value : `Bearer ${value}`;
}

function readPoll(read: OptionReader, { timeoutMs }: ResolvedOptions): ResolvedPoll {
  const longPolling = read.boolean('longPolling', false);
  const poll = {
    endpoint: read.url('endpoint'),
    authorization: authorizationIn(read),
    enabled: read.boolean('enabled', true),
    intervalMs: read.integer('interval', 5_000, 100, HOUR),
    longPolling,
    timeoutMs: read.integer('timeout', longPolling ? MINUTE : timeoutMs, 1, 10 * MINUTE),
    maxEvents: read.integer('maxEvents', 50, 1, MOST_EVENTS),
    maxBackoffMs: read.integer('maxBackoff', MINUTE, 100, HOUR),
  };
  read.refuseUnknown();
  return Object.freeze(poll);
}
