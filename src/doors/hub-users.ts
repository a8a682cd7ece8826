import { isJsonObject, type JsonObject } from '../core/json.js';
import { type EventCut, MOST_CUTS } from './event-cuts.js';

const LONGEST_ID = 256;

/** The members that may hold users, the surest first. */
const USER_MEMBERS = ['users', 'userIds', 'user', 'userId'] as const;

/** A user as an event shows it: an id, and perhaps a state. */
export interface EventUser {
  readonly id: string;
  readonly state: JsonObject;
}

/**
 * The users that the data of an event name: ids or objects, in `users`, `userIds`, `user` or `userId`, here
 * or inside of `data`; or the data are a user, which its `status` shows.
 *
 * @returns undefined when there is none, one cannot be read, or there are more than 1,000
 */
export function usersIn(data: JsonObject): readonly EventUser[] | undefined {
  const named = USER_MEMBERS.map((name) => data[name] ?? undefined).find(
    (one) => one !== undefined,
  );
  if (named !== undefined) return usersOf(named);
  const inner = data['data'] ?? undefined;
  // An envelope may have an id as well, and that is no user's.
  if (inner === undefined) return data['status'] === undefined ? undefined : usersOf(data);
  if (Array.isArray(inner)) return usersOf(inner);
  return isJsonObject(inner) && inner['data'] === undefined ? usersIn(inner) : undefined;
}

function usersOf(value: unknown): readonly EventUser[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || list.length > MOST_CUTS) return undefined;
  const users = list.map(userOf);
  return users.every((user) => user !== undefined) ? users : undefined;
}

function userOf(value: unknown): EventUser | undefined {
  const state = isJsonObject(value) ? value : {};
  const id = isJsonObject(value) ? (value['userId'] ?? value['id']) : value;
  return isId(id) ? { id, state } : undefined;
}

/** Whether the value can be an id of GenAuth's: a short string without white space. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_ID && /^\S+$/.test(value);
}

/**
 * Whether a user may no longer act: a `status` that is not `Activated`, or `blocked` or `isDeleted`.
 *
 * @returns undefined when the state does not say, or not in a way that can be read
 */
export function isInactive({ status, blocked, isDeleted }: JsonObject): boolean | undefined {
  const flags = [blocked, isDeleted].filter((flag) => flag !== undefined && flag !== null);
  if (flags.some((flag) => typeof flag !== 'boolean')) return undefined;
  if (status !== undefined && typeof status !== 'string') return undefined;
  if (status === undefined && flags.length === 0) return undefined;
  return flags.includes(true) || (status !== undefined && status !== 'Activated');
}

/** A cut for each user. */
export function cutUsers(users: readonly EventUser[] | undefined): EventCut[] | undefined {
  return users?.map(({ id }) => ({ subject: id }));
}

/** A cut for each user who may no longer act; undefined when of one of them that is not known. */
export function cutInactive(users: readonly EventUser[] | undefined): EventCut[] | undefined {
  const judged = users?.map((user) => ({ user, inactive: isInactive(user.state) }));
  if (!judged || judged.some(({ inactive }) => inactive === undefined)) return undefined;
  return cutUsers(judged.filter(({ inactive }) => inactive).map(({ user }) => user));
}
