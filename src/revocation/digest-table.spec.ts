import { randomBytes } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { opaqueKey } from '../core/revocation.js';
import { DigestTable } from './digest-table.js';

/** 16 bytes with the given words, so that digests can be made to collide. */
function digest(...words: readonly [number, number, number, number]): string {
  const bytes = Buffer.alloc(16);
  words.forEach((word, place) => bytes.writeUInt32LE(word, place * 4));
  return bytes.toString('base64url');
}

// Ordinary digests, and such as all want the same place, differ in one word only, or are all zeros or ones.
const keys = [
  ...Array.from({ length: 20 }, (_, place) => opaqueKey(`token ${place}`)),
  ...Array.from({ length: 10 }, (_, place) => digest(7, 0, 0, place)),
  ...Array.from({ length: 10 }, (_, place) => digest(7 + place * 1_024, 1, 1, 1)),
  digest(0, 0, 0, 0),
  digest(1, 0, 0, 0),
  digest(0, 1, 0, 0),
  digest(0, 0, 1, 0),
  ...[0xffff_fffe, 0xffff_ffff].map((word) => digest(word, word, word, word)),
];

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      add: fc.constantFrom(...keys),
      until: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(0xffff_ffff)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ sweep: fc.integer({ min: 0, max: 31 }) }) },
);

describe('DigestTable', () => {
  it('answers like a map, whatever is added, extended and swept', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 150 }), (commands) => {
        const table = new DigestTable();
        const model = new Map<string, number>();
        for (const one of commands) {
          if ('add' in one) {
            const news = (model.get(one.add) ?? 0) < one.until;
            expect(table.add(one.add, one.until)).toBe(news);
            if (news) model.set(one.add, one.until);
          } else {
            table.sweep(one.sweep);
            for (const [key, until] of model) if (until <= one.sweep) model.delete(key);
          }
          expect(table.size).toBe(model.size);
        }
        expect(keys.filter((key) => table.has(key))).toEqual(keys.filter((key) => model.has(key)));
      }),
      { numRuns: 300 },
    );
  });

  it('keeps every entry while it grows, and has none that was not added', () => {
    const table = new DigestTable();
    const added = Array.from({ length: 20_000 }, (_, place) => opaqueKey(`added ${place}`));
    for (const key of added) expect(table.add(key, 1)).toBe(true);
    expect(table.size).toBe(added.length);
    expect(added.filter((key) => !table.has(key))).toEqual([]);
    expect(added.filter((_, place) => table.has(opaqueKey(`other ${place}`)))).toEqual([]);
  });

  it('keeps the living when most of a large table is swept', () => {
    const table = new DigestTable();
    const name = (place: number) => opaqueKey(`token ${place}`);
    for (let place = 0; place < 5_000; place += 1) table.add(name(place), 1 + (place % 100));
    table.sweep(99);
    expect(table.size).toBe(50);
    for (let place = 0; place < 5_000; place += 1) {
      expect(table.has(name(place))).toBe(place % 100 === 99);
    }
  });

  it('counts through the second that was given, rounded up, and no shorter when added again', () => {
    const table = new DigestTable();
    const [key = ''] = keys;
    table.add(key, 10.2);
    table.add(key, 5);
    table.sweep(10.9);
    expect(table.has(key)).toBe(true);
    table.sweep(11);
    expect(table.has(key)).toBe(false);
    expect(table.size).toBe(0);
  });

  it.each([0, -5, 0.1])('keeps an entry that counts until %d until the next sweep', (until) => {
    const table = new DigestTable();
    const [key = ''] = keys;
    expect(table.add(key, until)).toBe(true);
    expect(table.has(key)).toBe(true);
    table.sweep(1);
    expect(table.has(key)).toBe(false);
  });

  it.each([1e12, Infinity])(
    'keeps an entry that counts until %d for as long as it can',
    (until) => {
      const table = new DigestTable();
      const [key = ''] = keys;
      table.add(key, until);
      table.sweep(0xffff_fffe);
      expect(table.has(key)).toBe(true);
    },
  );

  it('does not find the digest that was read before where one is cut short', () => {
    const table = new DigestTable();
    const [first = '', second = ''] = keys;
    table.add(first, 10);
    table.has(second);
    table.add('', 10);
    expect(table.has(second)).toBe(false);
  });

  it('holds a million entries in at most 64 bytes each', () => {
    const before = arrayBytes();
    const table = new DigestTable();
    const seed = randomBytes(16);
    for (let place = 0; place < 1_000_000; place += 1) {
      seed.writeUInt32LE(Math.imul(place, 0x9e37_79b1) >>> 0);
      seed.writeUInt32LE(place, 4);
      table.add(seed.toString('base64url'), 1);
    }
    const perEntry = (arrayBytes() - before) / table.size;
    expect(table.size).toBe(1_000_000);
    expect(perEntry).toBeLessThanOrEqual(64);
    expect(perEntry).toBeGreaterThan(16);
  });
});

/** Bytes of typed arrays that are in use, after a full collection. */
function arrayBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().arrayBuffers;
}
