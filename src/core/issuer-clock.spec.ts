import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { IssuerClock } from './issuer-clock.js';

const UNKNOWN = 5_000;
const NOW = Date.UTC(2030, 0, 1);
const TEN_MINUTES = 600_000;

/** The header of an answer made at that instant of the issuer's clock: whole seconds, cut off. */
function date(instant: number): string {
  return new Date(instant).toUTCString();
}

function learned(date: string, sentAt: number, receivedAt: number): IssuerClock {
  const clock = new IssuerClock(UNKNOWN);
  clock.observe(date, sentAt, receivedAt);
  return clock;
}

describe('IssuerClock', () => {
  it('knows no more than it was told before it has heard anything', () => {
    expect(new IssuerClock(UNKNOWN).offset(NOW)).toEqual({ lowMs: -UNKNOWN, highMs: UNKNOWN });
  });

  it('bounds the offset by the second in the header and the length of the exchange', () => {
    const ahead = learned(date(NOW + 30_000), NOW, NOW + 200);
    expect(ahead.offset(NOW + 200)).toEqual({ lowMs: -UNKNOWN, highMs: 31_000 });
    const behind = learned(date(NOW - 30_000), NOW, NOW + 200);
    expect(behind.offset(NOW + 200)).toEqual({ lowMs: -30_200, highMs: UNKNOWN });
    const same = learned(date(NOW), NOW, NOW + 200);
    expect(same.offset(NOW + 200)).toEqual({ lowMs: -200, highMs: 1_000 });
  });

  it('narrows the bounds with every answer that agrees', () => {
    const clock = learned(date(NOW), NOW, NOW + 800);
    clock.observe(date(NOW + 1_000), NOW + 1_900, NOW + 1_910);
    expect(clock.offset(NOW + 1_910)).toEqual({ lowMs: -800, highMs: 100 });
    clock.observe(date(NOW + 3_000), NOW + 3_100, NOW + 3_110);
    expect(clock.offset(NOW + 3_110)).toEqual({ lowMs: -110, highMs: 100 });
  });

  it('starts anew from an answer that contradicts what it has learned', () => {
    const clock = learned(date(NOW), NOW, NOW + 100);
    clock.observe(date(NOW + 61_000), NOW + 1_000, NOW + 1_100);
    expect(clock.offset(NOW + 1_100)).toEqual({ lowMs: -UNKNOWN, highMs: 61_000 });
    clock.observe(date(NOW + 2_000), NOW + 2_000, NOW + 2_100);
    expect(clock.offset(NOW + 2_100)).toEqual({ lowMs: -100, highMs: 1_000 });
  });

  it.each(['', 'yesterday', 'NaN', '\u0000', '32 Jan 2030 00:00:00 GMT'])(
    'learns nothing from the date %j',
    (text) => {
      const clock = learned(text, NOW, NOW + 100);
      expect(clock.offset(NOW + 100)).toEqual({ lowMs: -UNKNOWN, highMs: UNKNOWN });
    },
  );

  it('learns nothing from an exchange during which our own clock was set back', () => {
    const clock = learned(date(NOW), NOW, NOW - 1);
    expect(clock.offset(NOW)).toEqual({ lowMs: -UNKNOWN, highMs: UNKNOWN });
  });

  it('forgets what it learned after ten minutes', () => {
    const clock = learned(date(NOW), NOW, NOW);
    expect(clock.offset(NOW + TEN_MINUTES - 1)).toEqual({ lowMs: 0, highMs: 1_000 });
    expect(clock.offset(NOW + TEN_MINUTES)).toEqual({ lowMs: -UNKNOWN, highMs: UNKNOWN });
  });

  it('does not let answers that agree keep an old bound alive for more than ten minutes', () => {
    const clock = learned(date(NOW), NOW + 999, NOW + 999);
    expect(clock.offset(NOW + 999)).toEqual({ lowMs: -999, highMs: 1 });
    clock.observe(date(NOW + 599_000), NOW + 599_500, NOW + 599_500);
    expect(clock.offset(NOW + 599_500)).toEqual({ lowMs: -500, highMs: 1 });
    expect(clock.offset(NOW + 600_999)).toEqual({ lowMs: -UNKNOWN, highMs: UNKNOWN });
    clock.observe(date(NOW + 601_000), NOW + 601_000, NOW + 601_000);
    expect(clock.offset(NOW + 601_000)).toEqual({ lowMs: 0, highMs: 1_000 });
  });

  it('holds the true offset between its bounds whatever the delays', () => {
    const exchange = fc.record({
      pause: fc.nat(120_000),
      out: fc.nat(3_000),
      back: fc.nat(3_000),
    });
    fc.assert(
      fc.property(
        fc.integer({ min: -3_600_000, max: 3_600_000 }),
        fc.array(exchange, { minLength: 1, maxLength: 20 }),
        (offset, exchanges) => {
          const clock = new IssuerClock(UNKNOWN);
          let now = NOW;
          for (const { pause, out, back } of exchanges) {
            const sentAt = now + pause;
            now = sentAt + out + back;
            clock.observe(date(sentAt + out + offset), sentAt, now);
            const { lowMs, highMs } = clock.offset(now);
            expect(lowMs).toBeLessThanOrEqual(offset);
            expect(highMs).toBeGreaterThanOrEqual(offset);
          }
        },
      ),
    );
  });

  it('never lets a lying date move a bound across zero', () => {
    const lie = fc.record({
      date: fc.integer({ min: -8.64e12, max: 8.64e12 }),
      sentAt: fc.integer({ min: NOW - 1e7, max: NOW + 1e7 }),
      tookMs: fc.integer({ min: -10, max: 10_000 }),
    });
    fc.assert(
      fc.property(fc.array(lie, { maxLength: 20 }), fc.nat(2e7), (lies, later) => {
        const clock = new IssuerClock(UNKNOWN);
        for (const { date: at, sentAt, tookMs } of lies) {
          clock.observe(date(at), sentAt, sentAt + tookMs);
        }
        const { lowMs, highMs } = clock.offset(NOW - 1e7 + later);
        expect(lowMs).toBeLessThanOrEqual(0);
        expect(highMs).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });
});
