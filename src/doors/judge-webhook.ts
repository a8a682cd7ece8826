import { isJsonObject, isName, type JsonObject } from '../core/json.js';
import type { EventCut } from './event-cuts.js';

/** An event as GenAuth tells it. Nothing in it was checked. */
export interface UserEvent {
  readonly name: string;
  readonly data: unknown;
}

/** Whoever the event is about can no longer sign in, or is to sign in again; of an update, if it says so. */
const ENDS_ACCESS: ReadonlySet<string> = new Set([
  'kick',
  'user:deleted',
  'user:blocked',
  'user:archived',
  'user:updated',
]);

/**
 * What an event of GenAuth says is dead. Where it says nothing, or is of another kind, no cuts.
 *
 * @param passwordChanged whether a new password ends what was issued before
 * @returns undefined when it ends somebody's access and cannot be understood
 */
export function judgeWebhook(
  { name, data }: UserEvent,
  passwordChanged: boolean,
): readonly EventCut[] | undefined {
  // A list alone is one of users.
  const told = Array.isArray(data) ? { users: data as unknown[] } : data;
  const facts = name === 'user:updated' ? inactiveIn(told) : told;
  if (!endsAccess(name, passwordChanged)) return [];
  if (!isJsonObject(facts)) return undefined;
  const users = usersIn(facts);
  // One application's sign-ins; without a word on which, everything.
  const clients = name === 'kick' ? idsOf(facts['application']) : [];
  return users?.flatMap((subject): EventCut[] =>
    clients.length > 0 ? clients.map((client) => ({ subject, client })) : [{ subject }],
  );
}

function endsAccess(name: string, passwordChanged: boolean): boolean {
  return ENDS_ACCESS.has(name) || (name === 'user:password-changed' && passwordChanged);
}

/** Of an update, what is about users without access: all of it, or those of its users who say so themselves. */
function inactiveIn(data: unknown): unknown {
  if (saysInactive(data)) return data;
  return { users: isJsonObject(data) ? listOf(data['users']).filter(saysInactive) : [] };
}

/**
 * Whether a user was updated to a state without access. The event is sent even when the update failed, so the
 * user as it is counts, and what was asked for: either may be the newer one.
 */
function saysInactive(data: unknown): boolean {
  if (!isJsonObject(data)) return false;
  return [data, data['user'], data['updates']].some((user) => {
    if (!isJsonObject(user)) return false;
    const { status, blocked, isDeleted } = user;
    return (isName(status) && status !== 'Activated') || [blocked, isDeleted].some(isSet);
  });
}

/** A form has no booleans. */
function isSet(flag: unknown): boolean {
  return flag === true || flag === 'true';
}

/** Each user once; the event itself is one when it names none. Undefined when one of them has no id. */
function usersIn(data: JsonObject): string[] | undefined {
  const named = ['users', 'userIds', 'user', 'userId'].flatMap((member) => listOf(data[member]));
  const isList = [data['users'], data['userIds']].some((list) => list !== undefined);
  const all = named.length > 0 || isList ? named : [data];
  const ids = all.map(idsOf);
  return ids.every(({ length }) => length > 0) ? [...new Set(ids.flat())] : undefined;
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  // How a form writes a list, when its indices are taken for names.
  const keys = isJsonObject(value) ? Object.keys(value) : [];
  const isIndexed = keys.length > 0 && keys.every((key) => /^\d+$/.test(key));
  return isIndexed ? Object.values(value).flat() : [value];
}

/** A user or an application: its id, or an object that says it. Where there are two, both are meant. */
function idsOf(value: unknown): string[] {
  if (isName(value)) return [value];
  if (!isJsonObject(value)) return [];
  return ['id', 'userId', 'appId'].map((member) => value[member]).filter(isName);
}
