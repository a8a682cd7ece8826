import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { opaqueKey } from '../core/revocation.js';
import { DigestTable } from './digest-table.js';
import { digestIn, KEY_WORDS, type Words, wordsOf } from './digest-words.js';

const ZERO = new Uint32Array(KEY_WORDS);

/** Ordinary digests, and such as all want the same place, differ in one word only, or are all zeros or ones. */
const keys: readonly Words[] = [
  ...Array.from({ length: 20 }, (_, place) => wordsOf(opaqueKey(`token ${place}`))),
  ...Array.from({ length: 10 }, (_, place) => Uint32Array.of(7, 0, 0, place)),
  ...Array.from({ length: 10 }, (_, place) => Uint32Array.of(7, place, 1, 1)),
  ZERO,
  Uint32Array.of(1, 0, 0, 0),
  Uint32Array.of(0, 1, 0, 0),
  Uint32Array.of(0, 0, 1, 0),
  Uint32Array.of(0, 0, 0, 1),
  ...[0x8000_0000, 0xffff_fffe, 0xffff_ffff].map((word) => Uint32Array.of(word, word, word, word)),
];

const key = fc.nat(keys.length - 1);
const command = fc.oneof(
  { weight: 8, arbitrary: fc.record({ add: key, word: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ retain: fc.integer({ min: 0, max: 31 }) }) },
);

function keyAt(place: number): Words {
  return keys[place] as Words;
}

/** Everything the table holds, by digest, with the word of its own. */
function contents(table: DigestTable): Map<string, number> {
  const found = new Map<string, number>();
  for (const { key: digest, words, at } of table.records()) {
    expect(found.has(digest)).toBe(false);
    found.set(digest, words[at + KEY_WORDS] as number);
  }
  return found;
}

describe('DigestTable', () => {
  it('answers like a map, whatever is added, changed and dropped', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 150 }), (commands) => {
        const table = new DigestTable(1);
        const model = new Map<string, number>();
        for (const one of commands) {
          if ('add' in one) {
            const at = table.add(keyAt(one.add));
            const digest = digestIn(keyAt(one.add));
            expect(table.words[at + KEY_WORDS]).toBe(model.get(digest) ?? 0);
            table.words[at + KEY_WORDS] = one.word;
            model.set(digest, one.word);
          } else {
            table.retain((at) => (table.words[at + KEY_WORDS] as number) > one.retain);
            for (const [digest, word] of model) if (word <= one.retain) model.delete(digest);
          }
          expect(table.size).toBe(model.size);
        }
        for (const one of keys) expect(table.find(one) >= 0).toBe(model.has(digestIn(one)));
        expect(contents(table)).toEqual(model);
      }),
      { numRuns: 300 },
    );
  });

  it('tells the digest of zeros from an empty place', () => {
    const table = new DigestTable(1);
    expect(table.find(ZERO)).toBe(-1);
    for (const one of keys.slice(0, 30)) table.add(one);
    expect(table.find(ZERO)).toBe(-1);
    table.words[table.add(ZERO) + KEY_WORDS] = 9;
    for (const one of keys.slice(30)) table.add(one);
    expect(table.words[table.find(ZERO) + KEY_WORDS]).toBe(9);
    expect(contents(table).get(digestIn(ZERO))).toBe(9);
    expect(table.size).toBe(keys.length);
    table.retain((at) => table.words[at + KEY_WORDS] !== 9);
    expect(table.find(ZERO)).toBe(-1);
    expect(table.size).toBe(keys.length - 1);
  });

  it('keeps apart digests that all want the same place', () => {
    const table = new DigestTable();
    const alike = Array.from({ length: 500 }, (_, place) => Uint32Array.of(7, 7, place, 0));
    for (const one of alike) table.add(one);
    expect(table.size).toBe(500);
    expect(new Set(alike.map((one) => table.find(one))).size).toBe(500);
    expect(table.find(Uint32Array.of(7, 7, 500, 0))).toBe(-1);
  });

  it('keeps every digest while it grows, and has none that was not added', () => {
    const table = new DigestTable();
    const named = (name: string) => (_: unknown, place: number) =>
      wordsOf(opaqueKey(`${name} ${place}`));
    const added = Array.from({ length: 20_000 }, named('added'));
    const others = Array.from({ length: 20_000 }, named('other'));
    for (const one of added) table.add(one);
    expect(table.size).toBe(added.length);
    expect(added.filter((one) => table.find(one) < 0)).toEqual([]);
    expect(others.filter((one) => table.find(one) >= 0)).toEqual([]);
  });

  it.each([0, 1])('holds any number of digests in 32 bytes each, and 8 for %d own word', (own) => {
    const table = new DigestTable(own);
    for (let place = 1; place <= 10_000; place += 1) {
      table.add(Uint32Array.of(place, Math.imul(place, 0x9e37_79b1), 0, 0));
      if (place < 100) continue;
      // One record more than it has slots, for the digest of zeros.
      const perDigest = (table.bytes - (KEY_WORDS + own) * 4) / table.size;
      expect(perDigest).toBeLessThanOrEqual(32 + own * 8);
    }
  });

  it('gives room back when most is dropped', () => {
    const table = new DigestTable();
    for (let place = 1; place <= 10_000; place += 1) table.add(Uint32Array.of(place, 0, 0, 0));
    table.retain((at) => (table.words[at] as number) <= 50);
    expect(table.size).toBe(50);
    expect(table.bytes).toBeLessThan(50 * 40);
    expect(table.find(Uint32Array.of(50, 0, 0, 0))).toBeGreaterThanOrEqual(0);
    expect(table.find(Uint32Array.of(51, 0, 0, 0))).toBe(-1);
  });

  it('lists what was there, although it is filled and emptied meanwhile', () => {
    const table = new DigestTable();
    const before = keys.slice(0, 25);
    for (const one of before) table.add(one);
    const listed: string[] = [];
    for (const { key: digest } of table.records()) {
      if (listed.length === 5) for (const one of keys) table.add(one);
      if (listed.length === 10) table.retain(() => false);
      listed.push(digest);
    }
    expect(listed).toEqual(expect.arrayContaining(before.map((one) => digestIn(one))));
    expect(table.size).toBe(0);
  });

  it('has an order of its own, so that none is filled in the order of its slots', () => {
    const [one, two] = [new DigestTable(), new DigestTable()];
    for (let place = 1; place <= 1_000; place += 1) one.add(Uint32Array.of(place, place, 0, 0));
    const order = [...one.records()].map(({ key: digest }) => digest);
    for (const digest of order) two.add(wordsOf(digest));
    const other = [...two.records()].map(({ key: digest }) => digest);
    expect(other).not.toEqual(order);
    expect(other.sort()).toEqual(order.sort());
  });
});

describe('the words of a digest', () => {
  it('are read and written back as the same digest', () => {
    for (const one of keys) expect(wordsOf(digestIn(one))).toEqual(one);
    const digest = opaqueKey('token');
    expect(digestIn(wordsOf(digest))).toBe(digest);
  });

  it('of one that is cut short are not those that were read before', () => {
    wordsOf(opaqueKey('token'));
    expect(wordsOf('')).toEqual(ZERO);
  });
});
