import { type JsonObject, readJsonObject } from '../core/json.js';
import type { ResolvedApplication } from '../genauth.options.js';
import type { NewsCut } from '../intake.js';
import { type EventCut, newsCutsOf } from './event-cuts.js';
import { cutInactive, cutUsers, usersIn } from './hub-users.js';

/** A message of the event hub: the event whose socket it came over, and all that it says. */
export interface HubEvent {
  /** The event code: `authing.user.logout`, for example. */
  readonly name: string;
  /** Frozen; every member is of unknown type. */
  readonly data: JsonObject;
}

/**
 * Says what an event ends: cuts, an empty list for nothing, or undefined for whatever the library thinks.
 * When it throws, the message is not understood.
 */
export type HubEventMap = (event: HubEvent) => readonly EventCut[] | undefined;

/** What a message of the event hub comes to: cuts, perhaps none, or why it was of no use. */
export type Judged =
  | { readonly is: 'understood'; readonly cuts: readonly NewsCut[] }
  | { readonly is: 'not_understood'; readonly why: string; readonly mapFailed?: true };

/** What GenAuth's own user events mean; a custom event means what the application says. */
const MEANINGS: ReadonlyMap<string, HubEventMap> = new Map<string, HubEventMap>([
  ['authing.user.logout', ({ data }) => cutUsers(usersIn(data))],
  ['authing.user.resigned', ({ data }) => cutUsers(usersIn(data))],
  ['authing.user.updated', ({ data }) => cutInactive(usersIn(data))],
]);

/** Events with a meaning of their own. */
export const KNOWN_EVENTS: readonly string[] = Object.freeze([...MEANINGS.keys()]);

/** Judges a text frame that came over the socket of an event. */
export function judgeHubEvent(
  name: string,
  text: string,
  map: HubEventMap | undefined,
  applications: readonly ResolvedApplication[],
): Judged {
  const data = readJsonObject(text);
  if (data === undefined) return unclear('a frame is no JSON object');
  if (data === 'duplicate') return unclear('a message names a member twice');
  let cuts: unknown;
  try {
    cuts = meaningOf({ name, data }, map);
  } catch {
    // What it threw may quote the message.
    return { ...unclear('map threw'), mapFailed: true };
  }
  // A promise comes too late; its failure must not end the process.
  if (cuts instanceof Promise) cuts.catch(() => undefined);
  if (cuts === undefined) return unclear('a message names no users in a known way');
  const news = newsCutsOf(cuts, applications);
  return news
    ? { is: 'understood', cuts: news }
    : unclear('map returned something else than cuts of configured applications');
}

function meaningOf(event: HubEvent, map: HubEventMap | undefined): readonly EventCut[] | undefined {
  return map?.(event) ?? MEANINGS.get(event.name)?.(event);
}

function unclear(why: string) {
  return { is: 'not_understood', why } as const;
}
