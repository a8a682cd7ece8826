import { isJsonObject, readJsonObject } from '../core/json.js';
import { isWatermark, type RevocationKind } from '../core/revocation.js';
import type { ResolvedApplication } from '../genauth.options.js';
import type { NewsCut } from '../intake.js';
import {
  cutInactive,
  cutUsers,
  type EventCut,
  type EventMap,
  isId,
  MOST_IDS,
  type UserEvent,
  usersIn,
} from './user-events.js';

/** What a message of the event hub comes to: cuts, perhaps none, or why it was of no use. */
export type Judged =
  | { readonly is: 'understood'; readonly cuts: readonly NewsCut[] }
  | { readonly is: 'not_understood'; readonly why: string };

/** What GenAuth's own user events mean; a custom event means what the application says. */
const MEANINGS: ReadonlyMap<string, EventMap> = new Map<string, EventMap>([
  ['authing.user.logout', ({ data }) => cutUsers(usersIn(data))],
  ['authing.user.resigned', ({ data }) => cutUsers(usersIn(data))],
  ['authing.user.updated', ({ data }) => cutInactive(usersIn(data))],
]);

/** Events with a meaning of their own. */
export const KNOWN_EVENTS: readonly string[] = Object.freeze([...MEANINGS.keys()]);

/** Judges a text frame that came over the socket of an event. */
export function judgeEvent(
  name: string,
  text: string,
  map: EventMap | undefined,
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
    return unclear('map threw');
  }
  if (cuts === undefined) return unclear('a message names no users in a known way');
  if (!Array.isArray(cuts) || cuts.length > MOST_IDS)
    return unclear('map returned no list of cuts');
  const news = cuts.map((cut: unknown) =>
    isJsonObject(cut) ? newsOf(cut, applications) : undefined,
  );
  return news.every((one) => one !== undefined)
    ? { is: 'understood', cuts: news.flat() }
    : unclear('map returned something else than a cut of a configured application');
}

function meaningOf(event: UserEvent, map: EventMap | undefined): readonly EventCut[] | undefined {
  return map?.(event) ?? MEANINGS.get(event.name)?.(event);
}

function newsOf(
  { kind, id, appId, happenedAt }: Partial<EventCut>,
  applications: readonly ResolvedApplication[],
): NewsCut[] | undefined {
  if (!isWatermark(kind as RevocationKind) || !isId(id)) return undefined;
  if (happenedAt !== undefined && !Number.isSafeInteger(Math.floor(happenedAt))) return undefined;
  const meant = applications.filter((one) => appId === undefined || one.appId === appId);
  if (meant.length === 0) return undefined;
  const target = { kind: kind as EventCut['kind'], ids: [id] };
  const second = happenedAt === undefined ? undefined : Math.floor(happenedAt / 1_000) * 1_000;
  return meant.map((application) => ({ target, application, happenedAt: second }));
}

function unclear(why: string): Judged {
  return { is: 'not_understood', why };
}
