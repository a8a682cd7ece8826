import { parseArgs } from 'node:util';

import { type Outcome, Scenario } from './scenario.js';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '200' },
    first: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    'until-breach': { type: 'boolean', default: false },
  },
});
const first = Number(values.first);
const outcomes: Outcome[] = [];
const startedAt = performance.now();
for (let seed = first; seed < first + Number(values.seeds); seed += 1) {
  const outcome = await Scenario.play(seed);
  outcomes.push(outcome);
  const [breach] = outcome.breaches;
  if (breach && !values.json) {
    const { guarantee, who, at, lateMs } = breach;
    console.log(
      `seed ${seed}: ${guarantee} broken by ${who} at ${Math.round(at)} ms, ${Math.round(lateMs)} ms late (${outcome.breaches.length} times)`,
    );
  }
  if (breach && values['until-breach']) break;
}
const broken = outcomes.filter(({ breaches }) => breaches.length > 0);
const sum = (pick: (outcome: Outcome) => number): number =>
  outcomes.reduce((total, outcome) => total + pick(outcome), 0);
const summary = {
  seeds: outcomes.length,
  broken: broken.map(({ seed }) => seed),
  acknowledged: sum(({ acknowledged }) => acknowledged),
  attempts: sum(({ attempts }) => attempts),
  late: sum(({ breaches }) => breaches.filter(({ guarantee }) => guarantee === 'G1').length),
  worstMs: Math.round(Math.max(...outcomes.map(({ worstMs }) => worstMs))),
  /** How many attempts with a token that nobody revoked were accepted on the log's word. */
  innocentsAccepted: sum((one) => one.innocentsAccepted) / sum((one) => one.innocents),
  seconds: (performance.now() - startedAt) / 1_000,
};
console.log(values.json ? JSON.stringify(summary) : summary);
process.exitCode = broken.length > 0 ? 1 : 0;
