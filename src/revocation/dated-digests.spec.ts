import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { opaqueKey } from '../core/revocation.js';
import { DatedDigests } from './dated-digests.js';
import { wordsOf } from './digest-words.js';

const LAST_SECOND = 0xffff_ffff;
const digests = [
  ...Array.from({ length: 20 }, (_, place) => opaqueKey(`token ${place}`)),
  'AAAAAAAAAAAAAAAAAAAAAA',
];
const [digest = ''] = digests;
const key = wordsOf(digest);

const command = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      add: fc.constantFrom(...digests),
      until: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(LAST_SECOND)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ sweep: fc.integer({ min: 0, max: 31 }) }) },
);

describe('DatedDigests', () => {
  it('answer like a map, whatever is added, extended and swept', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 100 }), (commands) => {
        const dated = new DatedDigests();
        const model = new Map<string, number>();
        for (const one of commands) {
          if ('add' in one) {
            expect(dated.add(wordsOf(one.add), one.until)).toBe(!model.has(one.add));
            model.set(one.add, Math.max(model.get(one.add) ?? 0, one.until));
          } else {
            dated.sweep(one.sweep);
            for (const [name, until] of model) if (until <= one.sweep) model.delete(name);
          }
          expect(dated.size).toBe(model.size);
        }
        expect(new Map(dated.entries())).toEqual(model);
        for (const one of digests) expect(dated.has(wordsOf(one))).toBe(model.has(one));
      }),
      { numRuns: 300 },
    );
  });

  it('count through the second that was given, rounded up, and no shorter when added again', () => {
    const dated = new DatedDigests();
    dated.add(key, 10.2);
    dated.add(key, 5);
    dated.sweep(10.9);
    expect(dated.has(key)).toBe(true);
    dated.sweep(11);
    expect(dated.has(key)).toBe(false);
    expect(dated.size).toBe(0);
  });

  it.each([0, -5, 0.1])('that count until %d are kept until the next sweep', (until) => {
    const dated = new DatedDigests();
    expect(dated.add(key, until)).toBe(true);
    expect(dated.has(key)).toBe(true);
    dated.sweep(1);
    expect(dated.has(key)).toBe(false);
  });

  it.each([1e12, Infinity])('that count until %d are kept for as long as can be', (until) => {
    const dated = new DatedDigests();
    dated.add(key, until);
    dated.sweep(LAST_SECOND - 1);
    expect(dated.has(key)).toBe(true);
  });
});
