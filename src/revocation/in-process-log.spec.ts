import { describe, expect, it } from '@jest/globals';

import type { Revocation } from '../core/revocation.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { InProcessRevocationLog } from './in-process-log.js';

function scene() {
  const clock = new VirtualClock(1_700_000_000_000);
  const applied: Revocation[] = [];
  const log = new InProcessRevocationLog();
  const start = () =>
    log.start({
      clock,
      maxTokenLifetimeMs: 3_600_000,
      maxStalenessMs: 10_000,
      apply: (facts) => void applied.push(...facts),
      held: () => applied,
      deliver: () => Promise.resolve(),
    });
  return { clock, applied, log, start };
}

describe('InProcessRevocationLog', () => {
  it('vouches for nothing before it was started', () => {
    const { log } = scene();
    expect(log.freshness()).toEqual({ state: 'catching-up', ageMs: 0, coveredSince: Infinity });
  });

  it('is live once started, and stays so however long nothing happens', async () => {
    const { clock, log, start } = scene();
    const startedAt = clock.wall();
    await start();
    clock.advance(365 * 86_400_000);
    expect(log.freshness()).toEqual({ state: 'live', ageMs: 0, coveredSince: startedAt });
  });

  it('vouches only for tokens issued since it was started', async () => {
    const { clock, log, start } = scene();
    clock.advance(60_000);
    await start();
    expect(log.freshness().coveredSince).toBe(1_700_000_060_000);
  });

  it('began later than a clock said that was slow, and not earlier than one that was fast', async () => {
    const { clock, log, start } = scene();
    const startedAt = clock.wall();
    await start();
    clock.jump(3_600_000);
    clock.advance(1_000);
    expect(log.freshness().coveredSince).toBe(startedAt + 3_600_000);
    clock.jump(-7_200_000);
    expect(log.freshness().coveredSince).toBe(startedAt + 3_600_000);
  });

  it('acknowledges what is appended, and delivers nothing back', async () => {
    const { log, start, applied } = scene();
    await start();
    await expect(log.append()).resolves.toBeUndefined();
    expect(applied).toEqual([]);
  });

  it('does not acknowledge before it was started', async () => {
    const { log } = scene();
    await expect(log.append()).rejects.toThrow('not running');
  });

  it('neither acknowledges nor vouches after it was stopped', async () => {
    const { log, start } = scene();
    await start();
    await log.stop();
    expect(log.freshness().state).toBe('stopped');
    await expect(log.append()).rejects.toThrow('not running');
  });

  it('may be stopped twice, and without having been started', async () => {
    const { log } = scene();
    await log.stop();
    await log.stop();
    expect(log.freshness().state).toBe('stopped');
  });

  it('sets no timer', async () => {
    const { clock, log, start } = scene();
    await start();
    expect(clock.pendingTimers).toBe(0);
    await log.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
