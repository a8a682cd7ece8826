import { beforeEach, describe, expect, it } from '@jest/globals';

import { VirtualClock } from '../../testing/virtual-clock.js';
import { momentOf } from '../../core/clock.js';
import { Lease } from './lease.js';

const LIMIT = 5_000;

let clock: VirtualClock;
let lease: Lease;

beforeEach(() => {
  clock = new VirtualClock();
  lease = new Lease(clock, LIMIT);
  lease.renew(momentOf(clock), 0);
});

function state(): string {
  return lease.freshness().state;
}

describe('Lease', () => {
  it('vouches for nothing before the first proof', () => {
    const { state: first, coveredSince } = new Lease(clock, LIMIT).freshness();
    expect([first, coveredSince]).toEqual(['catching-up', Infinity]);
  });

  it('holds while its proof is no older than the limit, and not a moment longer', () => {
    clock.advance(LIMIT);
    expect(lease.freshness()).toEqual({ state: 'live', ageMs: LIMIT, coveredSince: 0 });
    clock.advance(1);
    expect(state()).toBe('stale');
  });

  it('ends when the wall clock alone says so: the machine may have slept', () => {
    clock.jump(LIMIT + 1);
    expect(state()).toBe('stale');
  });

  it('ends when the monotonic clock alone says so: the wall clock may have been set back', () => {
    clock.advance(LIMIT + 1);
    clock.jump(-LIMIT);
    expect(state()).toBe('stale');
  });

  it.each([60_001, -60_001])('knows nothing when its clocks part by %d ms', (ms) => {
    clock.jump(ms);
    expect(lease.freshness()).toEqual({ state: 'catching-up', ageMs: Infinity, coveredSince: 0 });
  });

  it.each([LIMIT + 1, 60_001])(
    'that was seen to have ended does not begin again when the clock is set back by %d ms',
    (ms) => {
      clock.jump(ms);
      const ended = state();
      clock.jump(-ms);
      expect(state()).toBe(ended);
      lease.renew(momentOf(clock), 0);
      expect(state()).toBe('live');
    },
  );

  it('is stale until what was not understood has expired, however new the proof', () => {
    lease.distrust(clock.wall() + 10_000);
    lease.distrust(clock.wall() + 1_000);
    clock.advance(9_999);
    lease.renew(momentOf(clock), 0);
    expect(state()).toBe('stale');
    clock.advance(1);
    expect(state()).toBe('live');
  });

  it('needs another proof after the log was replaced', () => {
    lease.revoke();
    expect(state()).toBe('catching-up');
  });

  it('stays stopped, whatever is proven', () => {
    lease.stop();
    lease.renew(momentOf(clock), 0);
    expect(state()).toBe('stopped');
  });
});
