import { GenAuthOptionsError } from '../core/errors.js';
import { isJsonObject } from '../core/json.js';
import { OptionReader } from '../option-reader.js';
import { type HubEventMap, KNOWN_EVENTS } from './judge-hub-event.js';

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
/** Each event has a socket of its own. */
const MOST_EVENTS = 64;

/** What follows when events were lost: nothing, or GenAuth is asked about every token for a while. */
export type OnGap = 'nothing' | { readonly verifyOnlineFor?: number };

/** Options of `EventHubModule.forRoot`. Durations are milliseconds. */
export interface EventHubOptions {
  /** Key pair of the management API, as for GenAuth's `ManagementClient`. */
  accessKeyId: string | undefined;
  accessKeySecret: string | undefined;
  /** Where the hub is. wss except on loopback; its certificate is always verified. @default 'wss://openevent.genauth.ai' */
  socketUri?: string;
  /** First word of the `authorization` header; `authing` for Authing. @default 'GenAuth' */
  authorizationScheme?: string;
  /**
   * Event codes to subscribe to, at most 64, a socket each.
   *
   * @default `authing.user.logout`, `authing.user.resigned` and `authing.user.updated`
   */
  events?: readonly string[];
  /** Says what an event means, where that is not what the library makes of it. */
  map?: HubEventMap;
  /**
   * When events may be lost, because there was no living connection or no room to keep what could not be
   * made durable: from the moment that is noticed until `verifyOnlineFor` after the connection is up again,
   * local verification is backed by GenAuth's own word, as with `verification: 'online'`.
   *
   * @default { verifyOnlineFor: 300_000 }
   */
  onGap?: OnGap;
  /** How often a connection is asked whether it lives. @default 30_000 */
  heartbeat?: number;
  /** Limit of a handshake, and of the answer to a heartbeat. @default 10_000 */
  timeout?: number;
  /** The pause before a connection is tried again: doubled from `minPause` up to `maxPause`, about half of it random. */
  reconnect?: {
    /** @default 1_000 */
    minPause?: number;
    /** @default 30_000 */
    maxPause?: number;
  };
}

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface EventHubOptionsFactory {
  createEventHubOptions(): EventHubOptions | Promise<EventHubOptions>;
}

/** The options with every default filled in, checked and frozen. The class is the injection token. */
export abstract class ResolvedEventHubOptions {
  abstract readonly accessKeyId: string;
  abstract readonly accessKeySecret: string;
  abstract readonly socketUri: string;
  abstract readonly authorizationScheme: string;
  abstract readonly events: readonly string[];
  abstract readonly map: HubEventMap | undefined;
  /** undefined: nothing follows. */
  abstract readonly verifyOnlineForMs: number | undefined;
  abstract readonly heartbeatMs: number;
  abstract readonly timeoutMs: number;
  abstract readonly minPauseMs: number;
  abstract readonly maxPauseMs: number;
}

/** @throws {GenAuthOptionsError} with one sentence for each option at fault */
export function resolveEventHubOptions(options: EventHubOptions): ResolvedEventHubOptions {
  const faults: string[] = [];
  const read = OptionReader.of(options, faults);
  const reconnect = read.group('reconnect');
  const resolved = {
    accessKeyId: read.text('accessKeyId'),
    accessKeySecret: read.text('accessKeySecret'),
    socketUri: read.socketUrl('socketUri', 'wss://openevent.genauth.ai').replace(/\/+$/, ''),
    authorizationScheme: read.text('authorizationScheme', 'GenAuth'),
    events: Object.freeze([...new Set(read.texts('events', ...KNOWN_EVENTS))]),
    map: read.has('map')
      ? read.callable<HubEventMap>('map', 'it maps an event to what it ends')
      : undefined,
    verifyOnlineForMs: readOnGap(options, read, faults),
    heartbeatMs: read.integer('heartbeat', 30_000, 100, 60 * MINUTE),
    timeoutMs: read.integer('timeout', 10_000, 10, 10 * MINUTE),
    minPauseMs: reconnect.integer('minPause', 1_000, 10, DAY),
    maxPauseMs: reconnect.integer('maxPause', 30_000, 10, DAY),
  };
  reconnect.refuseUnknown();
  read.refuseUnknown();
  faults.push(...faultsOf(resolved));
  if (faults.length > 0) throw new GenAuthOptionsError(faults, 'EventHubModule');
  return Object.freeze(resolved);
}

function readOnGap(
  { onGap }: EventHubOptions,
  read: OptionReader,
  faults: string[],
): number | undefined {
  if (onGap !== undefined && !isJsonObject(onGap)) {
    // Read all the same, so that it is not taken for unknown.
    if (read.has('onGap') && onGap === 'nothing') return undefined;
    faults.push("onGap must be 'nothing' or { verifyOnlineFor: milliseconds }");
    return undefined;
  }
  const group = read.group('onGap');
  const verifyOnlineForMs = group.integer('verifyOnlineFor', 5 * MINUTE, 0, 3_650 * DAY);
  group.refuseUnknown();
  return verifyOnlineForMs;
}

function faultsOf(options: ResolvedEventHubOptions): string[] {
  const { accessKeyId, authorizationScheme, events, minPauseMs, maxPauseMs } = options;
  return [
    /[^!-9;-~]/.test(accessKeyId) &&
      'accessKeyId must be printable ASCII without spaces and colons, because it goes into a header',
    /[^\w!#$%&'*+.^`|~-]/.test(authorizationScheme) &&
      'authorizationScheme must be one word, because it goes into a header',
    events.length > MOST_EVENTS && `events must be at most ${MOST_EVENTS}, a socket each`,
    !events.every((code) => /^[^\s\p{C}]{1,256}$/u.test(code)) &&
      'events must be codes of at most 256 characters, without white space',
    minPauseMs > maxPauseMs && 'reconnect.minPause must not be longer than reconnect.maxPause',
  ].filter((fault) => fault !== false);
}
