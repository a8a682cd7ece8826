import type { Principal } from '../core/principal.js';
import { type Digest, type Finding, targetKeys, type WatermarkKind } from '../core/revocation.js';

/** A digest as four 32-bit words: what the tables hold. */
export type Words = Uint32Array;

export const KEY_WORDS = 4;
const KEY_BYTES = KEY_WORDS * 4;

// One digest is read or written at a time, always synchronously, so one place to do it in is enough.
const bytes = Buffer.alloc(KEY_BYTES);
const packed = new Uint32Array(KEY_WORDS);

/** What a short digest does not say is 0. */
export function wordsOf(key: Digest): Words {
  bytes.fill(0, bytes.write(key, 'base64url'));
  const words = new Uint32Array(KEY_WORDS);
  for (let word = 0; word < KEY_WORDS; word += 1) words[word] = bytes.readUInt32LE(word * 4);
  return words;
}

/** The digest whose words begin at `at`. */
export function digestIn(words: Words, at = 0): Digest {
  for (let word = 0; word < KEY_WORDS; word += 1) {
    bytes.writeUInt32LE(words[at + word] as number, word * 4);
  }
  return bytes.toString('base64url');
}

/** The kinds of target that a principal is one of. Named by their place here. */
export const TARGET_KINDS: readonly WatermarkKind[] = ['session', 'subject', 'client', 'issuer'];

/**
 * Every key under which a watermark may reach the principal, a byte a character: before which key those of each kind begin, and
 * how many there are, then the keys. One string, because it is kept with the token, where an array of words
 * would be three objects.
 */
export function targetsOf(principal: Principal, found: Finding): string {
  return (found.targets ??= pack(TARGET_KINDS.map((kind) => targetKeys(principal, kind))));
}

function pack(keysOfKinds: readonly (readonly Digest[])[]): string {
  const keys = keysOfKinds.flat();
  const target = Buffer.alloc(TARGET_KINDS.length + 1 + keys.length * KEY_BYTES);
  let begun = 0;
  // In one byte each: with 64 audiences, as many as a token may name, there are 139 keys at most.
  for (const [kind, { length }] of keysOfKinds.entries()) target[kind + 1] = begun += length;
  for (const [place, key] of keys.entries()) target.write(key, positionOf(place), 'base64url');
  return target.toString('latin1');
}

/** The words of each key of a kind in `targetsOf`; those given are good until the next ones are. */
export function* wordsIn(targets: string, kind: number): Generator<Words, void, undefined> {
  const end = targets.charCodeAt(kind + 1);
  for (let place = targets.charCodeAt(kind); place < end; place += 1) {
    yield read(targets, positionOf(place));
  }
}

function read(targets: string, from: number): Words {
  for (let word = 0; word < KEY_WORDS; word += 1) {
    const at = from + word * 4;
    packed[word] =
      targets.charCodeAt(at) |
      (targets.charCodeAt(at + 1) << 8) |
      (targets.charCodeAt(at + 2) << 16) |
      (targets.charCodeAt(at + 3) << 24);
  }
  return packed;
}

function positionOf(place: number): number {
  return TARGET_KINDS.length + 1 + place * KEY_BYTES;
}
