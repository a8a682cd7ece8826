import type { Principal } from '../core/principal.js';
import { type Digest, targetKeys } from '../core/revocation.js';

/** Digests as 32-bit words, four of each: what the tables hold. */
export type Words = Uint32Array;

export const KEY_WORDS = 4;

// One digest is read or written at a time, always synchronously, so one place to do it in is enough.
const bytes = Buffer.alloc(KEY_WORDS * 4);

/** The words of the digests, one after the other. What a short digest does not say is 0. */
export function wordsOf(...keys: readonly Digest[]): Words {
  const words = new Uint32Array(keys.length * KEY_WORDS);
  for (let at = 0; at < words.length; at += KEY_WORDS) {
    bytes.fill(0, bytes.write(keys[at / KEY_WORDS] as Digest, 'base64url'));
    for (let word = 0; word < KEY_WORDS; word += 1) words[at + word] = bytes.readUInt32LE(word * 4);
  }
  return words;
}

/** The digest whose words begin at `at`. */
export function digestIn(words: Words, at = 0): Digest {
  for (let word = 0; word < KEY_WORDS; word += 1) {
    bytes.writeUInt32LE(words[at + word] as number, word * 4);
  }
  return bytes.toString('base64url');
}

/** The kinds of keys that reach a principal, beside its own digest. Named by their place here. */
export const TARGET_KINDS = ['session', 'subject', 'client', 'issuer', 'jti'] as const;

/**
 * All in one array, because each further object is another wait for memory: the principal's own digest;
 * where the keys of each kind begin, and where the last ones end; the keys.
 */
const remembered = new WeakMap<Principal, Words>();

/** Begins with the principal's own digest. Read on first use, and kept as long as the principal. */
export function idWords(principal: Principal): Words {
  let words = remembered.get(principal);
  if (!words) remembered.set(principal, (words = wordsOf(principal.id)));
  return words;
}

/** As `idWords`, with every key that reaches the principal. They cost a few digests on first use. */
export function targetWords(principal: Principal): Words {
  let words = idWords(principal);
  if (words.length === KEY_WORDS) remembered.set(principal, (words = readTargets(principal)));
  return words;
}

/** Where in `targetWords` the keys of a kind begin; they end where those of the next begin. */
export function keysFrom(words: Words, kind: number): number {
  return words[KEY_WORDS + kind] as number;
}

function readTargets(principal: Principal): Words {
  const targets = targetKeys(principal);
  const keys = TARGET_KINDS.map((kind) => targets[kind] ?? []);
  const starts = [KEY_WORDS + TARGET_KINDS.length + 1];
  for (const { length } of keys) starts.push((starts.at(-1) as number) + length * KEY_WORDS);
  return Uint32Array.of(...wordsOf(principal.id), ...starts, ...wordsOf(...keys.flat()));
}
