import { Child } from '../common/child.js';
import { Identity } from '../common/identity.js';
import { type Figure, rowsOf, type Row, type Section, short } from '../common/report.js';
import { quantile } from '../common/statistics.js';
import { Load } from '../requests/load.js';
import { mostTokens, runTrials, type Times, type Trial } from '../requests/round.js';
import { connections } from './connections.js';
import type { GrowthTask, Grown } from './process.js';
import type { SubjectName } from './subjects.js';

export interface GrowthSettings {
  readonly tokens: readonly number[];
  readonly revocations: readonly number[];
  readonly principals: readonly number[];
  readonly junk: readonly number[];
  readonly connections: readonly number[];
  /** Of the requests under which the event loop is watched. */
  readonly times: Times;
}

export const QUICK: GrowthSettings = {
  tokens: [1_000, 10_000],
  revocations: [1_000, 1_000_000],
  principals: [1_000, 10_000],
  junk: [1_000, 2_000, 20_000],
  connections: [1_000],
  times: { rounds: 1, warmUpMs: 1_000, measuredMs: 700, width: 32 },
};

/** Of a hundred requests, while the event loop is watched. */
const FIRST_SEEN = 5;

const TO_A_MILLION = [1_000, 10_000, 100_000, 1_000_000];

export const FULL: GrowthSettings = {
  tokens: TO_A_MILLION,
  revocations: TO_A_MILLION,
  principals: TO_A_MILLION,
  junk: TO_A_MILLION,
  connections: [1_000, 8_000],
  times: { rounds: 3, warmUpMs: 2_000, measuredMs: 2_500, width: 32 },
};

export const OURS = 'nestjs-genauth';
export const JUNK = 'memory after so much junk';
export const FAULTS = 'good tokens lost or junk accepted';
export const TOKEN = 'memory of a remembered token';

const REMARKS = [
  'Memory is what is in use on the heap and in typed arrays after a collection, beyond what was there before. Each thing grows in a process of its own, in a cache with room for just so many.',
  'Pauses are those of the garbage collector; "delay" is the longest time between ticks of a timer of 1 ms, while things are added a hundred in each turn of the event loop.',
  'Tokens have the claims of an access token of GenAuth and are verified as they arrive; revocations expire within fourteen days; junk is three forged tokens to one of noise.',
];

interface Pair {
  readonly what: string;
  readonly ours: SubjectName;
  readonly plain: SubjectName;
  readonly beside: string;
}

const TOKENS: Pair = {
  what: TOKEN,
  ours: 'ourTokens',
  plain: 'plainTokens',
  beside: 'a Map of digests to claims',
};
const REVOCATIONS: Pair = {
  what: 'memory of a revocation',
  ours: 'ourRevocations',
  plain: 'plainRevocations',
  beside: 'a Map of digests to instants',
};
const PRINCIPALS: Pair = {
  what: 'memory of a principal that a connection holds',
  ours: 'ourPrincipals',
  plain: 'plainPrincipals',
  beside: 'the claims, parsed',
};

export async function growth(settings: GrowthSettings): Promise<Section> {
  const rows = [
    ...(await perThing(TOKENS, settings.tokens)),
    ...(await perThing(REVOCATIONS, settings.revocations)),
    ...(await perThing(PRINCIPALS, settings.principals)),
    ...(await connections(settings.connections)),
    ...(await junk(settings.junk)),
    ...(await delay(settings)),
  ];
  return { name: 'growth', title: 'Growth', remarks: REMARKS, rows };
}

async function grow(task: GrowthTask): Promise<Grown> {
  const child = await Child.start(import.meta.url, './process.js', {
    core: 'measured',
    settings: task,
    nodeOptions: ['--max-old-space-size=12000'],
  });
  const grown = await child.ask<Grown>('grow');
  await child.stop();
  return grown;
}

/** A process for each size, with as much room as it needs. */
async function perThing(pair: Pair, counts: readonly number[]): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of counts) {
    const figures = [
      figureOf(pair, OURS, await grow({ subject: pair.ours, steps: [count], fromNothing: true })),
      figureOf(
        pair,
        pair.beside,
        await grow({ subject: pair.plain, steps: [count], fromNothing: true }),
      ),
    ];
    rows.push(...rowsOf(figures, pair.beside));
  }
  return rows;
}

function figureOf({ what }: Pair, who: string, { steps }: Grown): Figure {
  const [step] = steps;
  if (!step) throw new Error(`${what}: nothing was measured`);
  return {
    what,
    given: `at ${short(step.count)}`,
    who,
    unit: 'bytes',
    values: [step.bytes / step.count],
    also: {
      'µs each': step.usEach,
      'pause ms': step.longestPauseMs,
      'delay ms': step.longestDelayMs,
    },
  };
}

async function junk(steps: readonly number[]): Promise<Row[]> {
  const beside = 'crypto.verify in a loop';
  const sides = [
    [OURS, await grow({ subject: 'ourJunk', steps, fromNothing: false })],
    [beside, await grow({ subject: 'plainJunk', steps, fromNothing: false })],
  ] as const;
  return steps.flatMap((count, place) =>
    rowsOf(
      sides.map(([who, { steps: reached, faults }]): Figure => ({
        what: JUNK,
        given: `at ${short(count)}`,
        who,
        unit: 'MB more',
        values: [(reached[place]?.bytes ?? NaN) / 2 ** 20],
        also: {
          ...(who === OURS && { [FAULTS]: faults }),
          'µs each': reached[place]?.usEach ?? NaN,
          'pause ms': reached[place]?.longestPauseMs ?? NaN,
        },
      })),
      beside,
    ),
  );
}

/** How long the event loop is kept from turning when five of a hundred tokens are new. */
async function delay({ times }: GrowthSettings): Promise<Row[]> {
  const identity = await Identity.start();
  const load = await Load.start(identity, { fresh: mostTokens(times, FIRST_SEEN), junk: 0 });
  const { issuer } = identity;
  const beside = 'a guard that returns true';
  const trial = (name: string, protection: 'open' | 'ours'): Trial => ({
    name,
    server: { platform: 'fastify', protection, issuer, watched: true },
    mix: { fresh: FIRST_SEEN, junk: 0 },
    kind: 'genauth',
    refuses: protection !== 'open',
  });
  const trials = [trial(beside, 'open'), trial(OURS, 'ours')];
  const outcomes = await runTrials(trials, load, times);
  await load.stop();
  await identity.stop();
  const figures = [...outcomes].map(([who, rounds]): Figure => ({
    what: 'event-loop delay, 99th percentile, 5 % first-seen',
    given: 'Fastify',
    who,
    unit: 'ms',
    values: rounds.map(({ delayP99Ms }) => delayP99Ms),
    also: {
      'longest ms': quantile(
        rounds.map(({ delayMaxMs }) => delayMaxMs),
        0.5,
      ),
    },
  }));
  return rowsOf(figures, beside);
}
