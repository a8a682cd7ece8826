import { isWatermark, type Revocation, type RevocationKind } from '../../core/revocation.js';

/** A cut may lie this far ahead of the moment its entry was written; readers take what is beyond as that. */
const MOST_AHEAD_MS = 300_000;

/** `o` is a token whose expiry is not known, for example an opaque one. */
const KINDS = new Map<string, RevocationKind>([
  ['t', 'token'],
  ['o', 'token'],
  ['j', 'jti'],
  ['m', 'message'],
  ['s', 'session'],
  ['u', 'subject'],
  ['c', 'client'],
  ['i', 'issuer'],
]);
const LETTERS = new Map([...KINDS].map(([letter, kind]) => [kind, letter]));

/**
 * The fields of the entry that begins a log: whatever was revoked before it is not in there.
 *
 * @param own names and values in turn, as the kind of log needs them
 */
export function markerOf(...own: readonly string[]): string[] {
  return ['v', '1', 'k', 'g', ...own];
}

/** The last instant that an entry can name. */
const LAST_INSTANT = 999_999_999_999_999;

/** What an entry says. `unreadable`: something newer or broken, to be respected until then. */
export type Entry =
  | { readonly is: 'fact'; readonly fact: Revocation }
  | { readonly is: 'marker'; readonly fields: ReadonlyMap<string, string> }
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
 * @param list names and values in turn
 * @param writtenAt when it was written, by the clock of its readers
 * @param retainMs how long an entry matters that does not say so itself
 */
export function readEntry(list: readonly string[], writtenAt: number, retainMs: number): Entry {
  const fields = new Map<string, string>();
  for (let at = 0; at + 1 < list.length; at += 2) fields.set(`${list[at]}`, `${list[at + 1]}`);
  const known = fields.get('v') === '1';
  if (known && fields.get('k') === 'g') return { is: 'marker', fields };
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
  if (!isWatermark(kind)) return { kind, key, keepUntilAt };
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

/** The instant that a field holds, if it holds one. */
export function instantIn(fields: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = fields.get(name) ?? '';
  return /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? Number(text) : undefined;
}
