import { setImmediate as turn } from 'node:timers/promises';

import { describe, expect, it } from '@jest/globals';

import type { Revocation } from '../../core/revocation.js';
import { tombstone } from '../../../test/harness/plain-context.js';
import { SimulatedServer } from '../../../test/harness/simulated-server.js';
import { DAWN } from '../../../test/simulation/machine.js';
import { Healer } from '../fleet/healer.js';
import { RecentFacts } from '../fleet/recent-facts.js';
import { fieldsOf } from '../fleet/wire.js';
import { factsInLog } from './log-reading.js';

const atOnce = (): Promise<void> => Promise.resolve();

function scene(
  held: readonly Revocation[],
  append: (facts: readonly Revocation[]) => Promise<void>,
) {
  const server = new SimulatedServer();
  const setup = server.setUp();
  const recent = new RecentFacts(setup.clock, setup.overlapMs);
  const link = server.link(setup);
  const inLog = (from?: string) => factsInLog(link, setup, from);
  const healer = new Healer({ inLog, held: () => held, recent }, setup, append);
  return { server, recent, healer };
}

function facts(count: number): Revocation[] {
  return Array.from({ length: count }, () => tombstone(DAWN + 3_600_000));
}

describe('Healer', () => {
  it('brings back everything that the log lacks, one page after the other', async () => {
    const held = facts(3_500);
    const written: Revocation[] = [];
    let waiting = 0;
    let most = 0;
    const { server, healer } = scene(held, async (page) => {
      most = Math.max(most, (waiting += page.length));
      await turn();
      waiting -= page.length;
      written.push(...page);
    });
    const present = held.splice(500, 1_000);
    for (const fact of present) server.execute('XADD', '{test}:log', '*', ...fieldsOf(fact));
    const lacking = [...held];
    held.push(...present);

    healer.schedule('all', '0-0');
    await healer.heal(atOnce);
    expect(written).toEqual(lacking);
    expect(most).toBeLessThanOrEqual(1_000);
  });

  it('does so once', async () => {
    let written = 0;
    const { healer } = scene(facts(10), async (page) => void (written += page.length));
    healer.schedule('all', '0-0');
    await healer.heal(atOnce);
    await healer.heal(atOnce);
    expect(written).toBe(10);
  });

  it('tries again what failed', async () => {
    const written: Revocation[] = [];
    const held = facts(3);
    const { server, healer } = scene(held, async (page) => void written.push(...page));
    healer.schedule('all', '0-0');
    server.answer = () => new Error('LOADING');
    await expect(healer.heal(atOnce)).rejects.toThrow('LOADING');
    server.answer = () => undefined;
    await healer.heal(atOnce);
    expect(written).toEqual(held);
  });

  it('brings back what was seen lately, and everything when there was too much of that', async () => {
    const written: Revocation[] = [];
    const held = facts(5);
    const { recent, healer } = scene(held, async (page) => void written.push(...page));
    recent.add(held.slice(0, 2));
    healer.schedule('recent', '0-0');
    await healer.heal(atOnce);
    expect(written).toEqual(held.slice(0, 2));
    recent.add(Array.from({ length: 70_000 }, () => held[0] as Revocation));
    healer.schedule('recent', '0-0');
    await healer.heal(atOnce);
    expect(written).toHaveLength(7);
  });

  it('does not bring back what is dead', async () => {
    let written = 0;
    const dead = tombstone(DAWN - 3_600_000);
    const { healer } = scene([dead], async (page) => void (written += page.length));
    healer.schedule('all', '0-0');
    await healer.heal(atOnce);
    expect(written).toBe(0);
  });
});
