import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { type Principal, principalOf } from './core/principal.js';
import { type Revocation, watermarkKey } from './core/revocation.js';
import { RevocationIndex } from './revocation/revocation-index.js';
import { VirtualClock } from './testing/virtual-clock.js';
import { UnsettledCuts } from './unsettled-cuts.js';

const LIFETIME = 10_000;

/** A cut of the subject `key` at an instant, with a second of doubt about it. */
function cutAt(at: number, key = 'key'): Revocation {
  const [refusedThroughAt, askedThroughAt] = [at - 500, at + 500];
  return { kind: 'subject', key, refusedThroughAt, askedThroughAt, keepUntilAt: at + LIFETIME };
}

function unknownCuts(): UnsettledCuts {
  return new UnsettledCuts(() => -Infinity);
}

/** What a cut comes to that nobody waits for. */
function made(cuts: UnsettledCuts, cut: Revocation): Revocation {
  const [one = cut] = cuts.made([cut], undefined);
  return one;
}

describe('UnsettledCuts', () => {
  it('make a cut that has a cause unsettled, and any other as it is', () => {
    const cuts = unknownCuts();
    const cut = cutAt(1_000);
    expect(cuts.made([cut], undefined)).toEqual([cut]);
    expect(cuts.made([cut], 'cause')).toEqual([{ ...cut, settledThroughAt: 500 }]);
  });

  it('settle a cut once, as far as is asked, and keep it as much longer', () => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000), cutAt(1_000, 'other')], 'cause');
    const widened = {
      refusedThroughAt: 500,
      askedThroughAt: 3_000,
      settledThroughAt: 3_000,
      keepUntilAt: 12_500,
    };
    expect(cuts.settle('cause', 3_000)).toEqual([
      { kind: 'subject', key: 'key', ...widened },
      { kind: 'subject', key: 'other', ...widened },
    ]);
    expect(cuts.settle('cause', 4_000)).toEqual([]);
  });

  it('settle no less than was left open, though the clocks are better known by then', () => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000)], 'cause');
    expect(cuts.settle('cause', 1_100)).toMatchObject([
      { askedThroughAt: 1_500, settledThroughAt: 1_500 },
    ]);
  });

  it('ask further than whatever was settled before', () => {
    const cuts = new UnsettledCuts(({ key }) => (key === 'key' ? 2_000 : -Infinity));
    const reaches = cuts.made([cutAt(1_000), cutAt(1_000, 'other')], 'cause');
    expect(reaches.map(({ askedThroughAt }) => askedThroughAt)).toEqual([2_001, 1_500]);
    expect(cuts.settle('cause', 0).map((cut) => cut.settledThroughAt)).toEqual([2_001, 1_500]);
  });

  it('leave a cut as it is when none on its target waits any more', () => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000, 'other')], 'cause');
    expect(made(cuts, cutAt(1_000))).toEqual(cutAt(1_000));
    cuts.made([cutAt(1_000)], 'cause');
    cuts.settle('cause', 3_000);
    expect(made(cuts, cutAt(1_000))).toEqual(cutAt(1_000));
  });

  it('let nobody else settle what waits', () => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000)], 'cause');
    expect(made(cuts, cutAt(900)).settledThroughAt).toBe(500);
    expect(made(cuts, cutAt(1_999)).settledThroughAt).toBe(1_499);
  });

  it('do not wait for what is refused anyhow', () => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000)], 'cause');
    expect(made(cuts, cutAt(2_000))).toEqual(cutAt(2_000));
  });

  it.each([
    ['one', 'two'],
    ['two', 'one'],
  ])('are settled by the last cause: %s, then %s', (first, last) => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000)], 'one');
    cuts.made([cutAt(1_200)], 'two');
    const [held] = cuts.settle(first, 3_000);
    expect(held?.askedThroughAt).toBe(3_000);
    expect(held?.settledThroughAt).toBeLessThanOrEqual(700);
    expect(cuts.settle(last, 2_000)).toMatchObject([
      { askedThroughAt: 3_000, settledThroughAt: 3_000 },
    ]);
  });

  it('wait anew where a cause makes its cut again, and reach no less far', () => {
    const cuts = unknownCuts();
    cuts.made([cutAt(1_000), cutAt(1_000, 'other')], 'cause');
    made(cuts, cutAt(1_400));
    cuts.made([cutAt(1_200)], 'cause');
    expect(made(cuts, cutAt(1_300)).settledThroughAt).toBe(800);
    expect(cuts.settle('cause', 0)).toMatchObject([
      { key: 'key', settledThroughAt: 1_900 },
      { key: 'other', settledThroughAt: 1_500 },
    ]);
  });

  it('forget the oldest cause, and that one only, when there are too many', () => {
    const cuts = unknownCuts();
    for (let n = 0; n <= 10_000; n += 1) cuts.made([cutAt(1_000, `${n}`)], `cause ${n}`);
    expect(cuts.settle('cause 0', 3_000)).toEqual([]);
    expect(cuts.settle('cause 1', 3_000)).toHaveLength(1);
  });
});

describe('an index that takes in what UnsettledCuts make', () => {
  const START = 1_700_000_000_000;
  const key = watermarkKey('subject', 'https://issuer', 'user');
  const step = fc.record({
    cause: fc.constantFrom('one', 'two', 'three', undefined),
    settles: fc.boolean(),
    after: fc.nat(700),
    // How well the issuer's clock is known: where the stretch of doubt ends.
    doubt: fc.nat(700),
  });

  function issuedAt(instant: number): Principal {
    const claims = { iss: 'https://issuer', sub: 'user', iat: instant / 1_000 };
    return principalOf({ ...claims, exp: (START + 3_600_000) / 1_000 }, 'app', `${instant}`);
  }

  it('believes GenAuth nowhere where it is yet to be told, and in the end everywhere', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const clock = new VirtualClock(START);
        const index = new RevocationIndex(clock, 3_600_000, 0, 1_000);
        const cuts = new UnsettledCuts((cut) => index.askedThrough(cut));
        const waiting = new Map<string, Revocation>();
        const freshness = { state: 'live', ageMs: 0, coveredSince: -Infinity } as const;
        const standing = { freshness, clockAheadMs: 0, maxStalenessMs: 10_000 };
        const verdictAt = (instant: number) =>
          index.check(issuedAt(instant), { ...standing, vouchedAt: Number.MAX_VALUE }).is;
        for (const { cause, settles, after, doubt } of steps) {
          clock.advance(after);
          const now = clock.wall();
          const cut = { ...cutAt(now, key), askedThroughAt: now + doubt, keepUntilAt: now + 1e7 };
          if (cause === undefined || !settles) index.apply(cuts.made([cut], cause));
          else index.apply(cuts.settle(cause, now + doubt));
          if (cause !== undefined && settles) waiting.delete(cause);
          if (cause !== undefined && !settles) waiting.set(cause, cut);
          for (const { refusedThroughAt = 0, askedThroughAt = 0 } of waiting.values()) {
            const middle = (refusedThroughAt + askedThroughAt) / 2;
            const doubtful = [refusedThroughAt + 1, middle, askedThroughAt].map(verdictAt);
            expect(doubtful).not.toContain('accepted');
          }
        }
        for (const cause of waiting.keys()) index.apply(cuts.settle(cause, clock.wall()));
        const { refusedThroughAt = START } = [...index.held()][0] ?? {};
        for (let at = refusedThroughAt + 1; at < clock.wall() + 2_000; at += 50) {
          expect(verdictAt(at)).toBe('accepted');
        }
      }),
      { numRuns: 200 },
    );
  });
});
