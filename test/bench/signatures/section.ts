import { Identity } from '../common/identity.js';
import { type Figure, rowsOf, type Row, type Section } from '../common/report.js';
import { quantile } from '../common/statistics.js';
import { Load } from '../requests/load.js';
import { type Outcome, runTrials, type Times, type Trial } from '../requests/round.js';

export const QUICK: Times = { rounds: 1, warmUpMs: 900, measuredMs: 600, width: 32 };
export const FULL: Times = { rounds: 3, warmUpMs: 2_000, measuredMs: 2_000, width: 32 };

const OPEN = 'a guard that returns true';

const SIDES = [
  { name: OPEN, protection: 'open' },
  { name: 'inline', protection: 'inline' },
  { name: 'batched, once per turn of the event loop', protection: 'batched' },
  { name: 'with a callback, in the thread pool', protection: 'callback' },
] as const;

const CORES = [
  { given: 'one core', core: 'measured' },
  { given: 'two cores, shared with the load', core: 'any' },
] as const;

const REMARKS = [
  'Nest on Fastify with a guard that does nothing but check the RS256 signature of every token, in three ways.',
  'The delay is the 99th percentile of the time between ticks of a timer of 1 ms. On two cores the load keeps one busy, also against the threads of the pool.',
  'nestjs-genauth checks inline: where tokens are remembered there is hardly more than one new token in a turn, so that a promise and a turn would be paid for nothing. Where every token is new, which is a cold start or a flood of forged ones, a batch costs half on one core.',
];

/** Three ways to call `crypto.verify` under load. */
export async function signatures(times: Times): Promise<Section> {
  const identity = await Identity.start();
  const load = await Load.start(identity, { fresh: 0, junk: 0 });
  const rows: Row[] = [];
  for (const { given, core } of CORES) {
    const trials = SIDES.map(({ name, protection }): Trial => ({
      name,
      server: { platform: 'fastify', protection, issuer: identity.issuer, watched: true },
      mix: { fresh: 0, junk: 0 },
      kind: 'genauth',
      refuses: false,
      core,
    }));
    const outcomes = await runTrials(trials, load, times);
    const figures = [...outcomes].map(([who, rounds]) => figureOf(who, given, rounds));
    rows.push(...rowsOf(figures, OPEN));
  }
  await load.stop();
  await identity.stop();
  const title = 'Three ways to call crypto.verify';
  return { name: 'signatures', title, remarks: REMARKS, rows };
}

function figureOf(who: string, given: string, rounds: readonly Outcome[]): Figure {
  const middle = (figure: (outcome: Outcome) => number) => quantile(rounds.map(figure), 0.5);
  return {
    what: 'every token verified',
    given,
    who,
    unit: 'µs CPU',
    values: rounds.map(({ cpuUsPerRequest }) => cpuUsPerRequest),
    also: {
      'requests/s': middle(({ perSecond }) => perSecond),
      'p99 ms': middle(({ p99Ms }) => p99Ms),
      'delay p99 ms': middle(({ delayP99Ms }) => delayP99Ms),
    },
  };
}
