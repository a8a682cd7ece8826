import type { Revocation, RevocationKind } from '../../core/revocation.js';

/** A cut may lie this far ahead of the moment its entry was written; readers take what is beyond as that. */
const MOST_AHEAD_MS = 300_000;

/** `o` is a token whose expiry is not known, for example an opaque one. */
const KINDS = new Map<string, RevocationKind>([
  ['t', 'token'],
  ['o', 'token'],
  ['j', 'jti'],
  ['s', 'session'],
  ['u', 'subject'],
  ['c', 'client'],
  ['i', 'issuer'],
]);
const LETTERS = new Map([...KINDS].map(([letter, kind]) => [kind, letter]));

/**
 * The fields of the entry that begins a log: whatever was revoked before it is not in there.
 *
 * @param term the replication id of the master, by whose clock that was
 */
export function markerOf(term: string): string[] {
  return ['v', '1', 'k', 'g', 'm', term];
}

/** The last instant that an entry can name. */
const LAST_INSTANT = 999_999_999_999_999;

/** An entry as Redis gives it: its id, and names and values in turn. */
export type Row = readonly [id: string, fields: readonly string[]];

/** What an entry says. `unreadable`: something newer or broken, to be respected until then. */
export type Entry =
  | { readonly is: 'fact'; readonly fact: Revocation }
  | { readonly is: 'marker'; readonly term: string | undefined }
  | { readonly is: 'unreadable'; readonly untilAt: number };

/** The fields of a fact: `v` version, `k` kind, `f` digest, `r` `a` `s` the instants of a cut, `x` kept until. */
export function fieldsOf(fact: Revocation): string[] {
  const { kind, key, refusedThroughAt, expiresAt, keepUntilAt } = fact;
  const letter = kind === 'token' && expiresAt === undefined ? 'o' : LETTERS.get(kind);
  const fields = ['v', '1', 'k', kind === 'token' && expiresAt !== undefined ? 't' : `${letter}`];
  fields.push('f', key);
  if (refusedThroughAt !== undefined) {
    const { askedThroughAt = refusedThroughAt } = fact;
    const { settledThroughAt = askedThroughAt } = fact;
    fields.push('r', textOf(refusedThroughAt), 'a', textOf(askedThroughAt));
    fields.push('s', textOf(settledThroughAt));
  }
  return [...fields, 'x', textOf(expiresAt ?? keepUntilAt)];
}

/** What cannot be written, for example an expiry in the wrong unit, is as far away as can be. */
function textOf(instant: number): string {
  return `${Math.min(Math.max(instant, -LAST_INSTANT), LAST_INSTANT)}`;
}

/**
 * Reads an entry.
 *
 * @param writtenAt when it was written, by the clock of its readers
 * @param retainMs how long an entry matters that does not say so itself
 */
export function readEntry([, list]: Row, writtenAt: number, retainMs: number): Entry {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < list.length; at += 2) fields.set(`${list[at]}`, `${list[at + 1]}`);
  const known = fields.get('v') === '1';
  if (known && fields.get('k') === 'g') return { is: 'marker', term: fields.get('m') };
  const fact = known ? factIn(fields, writtenAt) : undefined;
  if (fact) return { is: 'fact', fact };
  // No token that is issued by then can be alive later, whatever the entry says.
  const longest = writtenAt + MOST_AHEAD_MS + retainMs;
  const untilAt = Math.min(instantIn(fields, 'x') ?? writtenAt + retainMs, longest);
  return { is: 'unreadable', untilAt };
}

function factIn(fields: ReadonlyMap<string, string>, writtenAt: number): Revocation | undefined {
  const letter = fields.get('k') ?? '';
  const kind = KINDS.get(letter);
  const key = fields.get('f') ?? '';
  const keepUntilAt = instantIn(fields, 'x');
  if (!kind || !/^[\w-]{22}$/.test(key) || keepUntilAt === undefined) return undefined;
  if (letter === 't') return { kind, key, expiresAt: keepUntilAt, keepUntilAt };
  if (kind === 'token' || kind === 'jti') return { kind, key, keepUntilAt };
  const cut = cutIn(fields, writtenAt);
  return cut && { kind, key, ...cut, keepUntilAt };
}

function cutIn(fields: ReadonlyMap<string, string>, writtenAt: number) {
  const instants = ['r', 'a', 's'].map((name) => instantIn(fields, name));
  if (instants.includes(undefined)) return undefined;
  const capped = (instants as number[]).map((one) => Math.min(one, writtenAt + MOST_AHEAD_MS));
  const [refusedThroughAt = 0, askedThroughAt = 0, settledThroughAt = 0] = capped;
  return { refusedThroughAt, askedThroughAt, settledThroughAt };
}

function instantIn(fields: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = fields.get(name) ?? '';
  return /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}

/** Orders ids of a stream: `milliseconds-sequence`. */
export function isEarlier(id: string, other: string): boolean {
  const [ms, seq] = partsOf(id);
  const [otherMs, otherSeq] = partsOf(other);
  return ms < otherMs || (ms === otherMs && seq < otherSeq);
}

/** When an entry was written, by the clock of the server that took it. */
export function instantOfId(id: string): number {
  return partsOf(id)[0];
}

function partsOf(id: string): [ms: number, seq: number] {
  const [ms = '0', seq = '0'] = id.split('-');
  return [Number(ms), Number(seq)];
}
