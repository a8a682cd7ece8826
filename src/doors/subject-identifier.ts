import { isJsonObject, isName, type JsonObject } from '../core/json.js';

/** RFC 9493 §3.2.8 sets no limit; all of them are about one subject. */
const MOST_ALIASES = 16;

/** What a subject identifier calls somebody or something. */
export interface Named {
  /** Who knows it by this name; undefined when the identifier does not say. */
  readonly issuer: string | undefined;
  readonly id: string;
}

/** Whom or what an event is about: a user, or a session. */
export interface Mention extends Named {
  readonly kind: 'subject' | 'session';
  /** Of a user, only what names no session is meant: it may be of the one that ended. */
  readonly isNarrowed?: boolean;
}

/** Finds out the `sub` of what is no `sub` itself; undefined when nobody is known by it. */
export type SubjectLookup = (identifier: JsonObject) => Promise<string | undefined>;

/**
 * Whom a subject identifier names (RFC 9493 §3.2; complex subjects: SSF 1.0 §3.2), as far as it can be told
 * here, for an event about a subject or about a session.
 *
 * Where a session may be meant, an opaque identifier is taken for both: a cut of what does not exist reaches
 * nobody. Where a user and a session are named, the user's tokens that name no session are mentioned too.
 */
export async function mentionsIn(
  subject: JsonObject,
  about: 'subject' | 'session',
  lookUp: SubjectLookup,
): Promise<Mention[]> {
  if (!isComplex(subject)) {
    const users = await usersIn(subject, lookUp);
    const opaque = about === 'session' ? users.filter(({ issuer }) => issuer === undefined) : [];
    return [...users, ...opaque.map((one) => ({ ...one, kind: 'session' as const }))];
  }
  const users = await usersIn(subject['user'], lookUp);
  const sessions = await sessionsIn(subject['session']);
  if (about === 'subject') return users.length > 0 ? users : sessions;
  const isNarrowed = sessions.length > 0;
  return [...sessions, ...users.map((user) => ({ ...user, isNarrowed }))];
}

async function usersIn(identifier: unknown, lookUp: SubjectLookup): Promise<Mention[]> {
  if (!isJsonObject(identifier)) return [];
  const names = await simpleNames(identifier, lookUp);
  return names.map((name) => ({ ...name, kind: 'subject' }));
}

/** A session is nobody whom the application could look up. */
async function sessionsIn(identifier: unknown): Promise<Mention[]> {
  if (!isJsonObject(identifier)) return [];
  const names = await simpleNames(identifier, () => Promise.resolve(undefined));
  return names.map((name) => ({ ...name, kind: 'session' }));
}

/** Before SSF 1.0 a complex subject was told by its members alone. */
function isComplex(subject: JsonObject): boolean {
  const { format } = subject;
  if (format !== undefined) return format === 'complex';
  return isJsonObject(subject['user']) || isJsonObject(subject['session']);
}

async function simpleNames(identifier: JsonObject, lookUp: SubjectLookup): Promise<Named[]> {
  if (formatOf(identifier) !== 'aliases') return simpleName(identifier, lookUp);
  const { identifiers } = identifier;
  const aliases: readonly unknown[] = Array.isArray(identifiers) ? identifiers : [];
  const known = aliases.slice(0, MOST_ALIASES).filter(isJsonObject);
  // RFC 9493 §3.2.8: an alias must not have aliases.
  const single = known.filter((alias) => formatOf(alias) !== 'aliases');
  return (await Promise.all(single.map((alias) => simpleName(alias, lookUp)))).flat();
}

async function simpleName(identifier: JsonObject, lookUp: SubjectLookup): Promise<Named[]> {
  const { iss, sub, id } = identifier;
  const format = formatOf(identifier);
  if (format === 'iss_sub') return isName(iss) && isName(sub) ? [{ issuer: iss, id: sub }] : [];
  if (format === 'opaque') return isName(id) ? [{ issuer: undefined, id }] : [];
  const found = await lookUp(identifier);
  return isName(found) ? [{ issuer: undefined, id: found }] : [];
}

/** `subject_type` with dashes is what transmitters wrote before RFC 9493. */
function formatOf({ format, subject_type: older }: JsonObject): string {
  const name = format ?? older;
  return typeof name === 'string' ? name.replaceAll('-', '_') : '';
}
