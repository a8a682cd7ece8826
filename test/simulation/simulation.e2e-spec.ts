import { describe, expect, it } from '@jest/globals';

import { ablations, playAblated } from './ablations.js';
import { Scenario } from './scenario.js';

const WORLDS = 40;
/** The first is the one that is recorded; the others are for a program that has changed since. */
const MOST_SEEDS = 150;
const LONGEST_MS = 300_000;

describe('The simulation', () => {
  it(
    'breaks no guarantee, whatever befalls the fleet',
    async () => {
      let [acknowledged, innocentsAccepted, worstMs] = [0, 0, -Infinity];
      for (let seed = 1; seed <= WORLDS; seed += 1) {
        const outcome = await Scenario.play(seed);
        expect({ seed, breaches: outcome.breaches }).toEqual({ seed, breaches: [] });
        acknowledged += outcome.acknowledged;
        innocentsAccepted += outcome.innocentsAccepted;
        worstMs = Math.max(worstMs, outcome.worstMs);
      }
      // A fleet that refuses everything breaks no guarantee either, nor one that nobody asks in time.
      expect(acknowledged).toBeGreaterThan(50 * WORLDS);
      expect(innocentsAccepted).toBeGreaterThan(1_000 * WORLDS);
      expect(worstMs).toBeGreaterThan(1_000);
    },
    LONGEST_MS,
  );

  it('comes to the same end for the same seed, and to another for another', async () => {
    const [first, again, other] = [
      await Scenario.play(7),
      await Scenario.play(7),
      await Scenario.play(8),
    ];
    expect(again).toEqual(first);
    expect({ ...other, seed: first.seed }).not.toEqual(first);
  });

  it.each(ablations)(
    'notices when a precaution is gone: $name',
    async (ablation) => {
      const { broken } = await playAblated(
        ablation,
        ...['--first', `${ablation.first}`, '--seeds', `${MOST_SEEDS}`, '--until-breach'],
      );
      expect(broken).toHaveLength(1);
    },
    LONGEST_MS,
  );
});
