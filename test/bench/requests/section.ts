import { Identity, type Issuer } from '../common/identity.js';
import { type Figure, type Row, rowsOf, type Section } from '../common/report.js';
import { quantile } from '../common/statistics.js';
import type { ProtectionName } from './guards.js';
import { Load, type Mix } from './load.js';
import { mostTokens, type Outcome, runTrials, type Times, type Trial } from './round.js';
import type { Platform } from './server.js';

export const QUICK: Times = { rounds: 1, warmUpMs: 1_200, measuredMs: 700, width: 32 };
export const FULL: Times = { rounds: 7, warmUpMs: 1_500, measuredMs: 1_200, width: 32 };

export const OPEN = 'a guard that returns true';
export const OURS = 'nestjs-genauth';
export const OURS_MIXED = 'nestjs-genauth, 5 % junk, 1 % first-seen';
export const LIMIT = 'SHA-256 + Map, else crypto.verify';
export const LIMIT_MIXED = `${LIMIT}, 5 % junk, 1 % first-seen`;
export const PASSPORT = '@nestjs/passport, passport-jwt, jwks-rsa';
export const KEYCLOAK = 'nest-keycloak-connect, offline';
export const JOSE = 'a guard over jose';
export const ONLINE = 'nestjs-genauth, introspection each time';

const ALL_GOOD: Mix = { fresh: 0, junk: 0 };

interface Entry {
  readonly name: string;
  readonly protection: ProtectionName;
  readonly mix?: Mix;
  readonly note?: string;
}

const ENTRIES: readonly Entry[] = [
  { name: OPEN, protection: 'open' },
  { name: 'no guard', protection: 'none' },
  { name: OURS, protection: 'ours', note: 'remembered tokens' },
  { name: `${OURS}, 1 % first-seen`, protection: 'ours', mix: { fresh: 1, junk: 0 } },
  { name: OURS_MIXED, protection: 'ours', mix: { fresh: 1, junk: 5 } },
  { name: LIMIT, protection: 'limit', note: 'looks at nothing but the signature' },
  { name: LIMIT_MIXED, protection: 'limit', mix: { fresh: 1, junk: 5 } },
  { name: PASSPORT, protection: 'passport', note: 'knows no revocation' },
  {
    name: KEYCLOAK,
    protection: 'keycloak',
    note: 'knows no revocation; verifies the signature twice; made for Nest 10, runs on 12',
  },
  { name: JOSE, protection: 'jose', note: 'knows no revocation' },
  { name: ONLINE, protection: 'online', note: 'one call to GenAuth for each request' },
];

const PLATFORMS = { express: 'Express', fastify: 'Fastify' } as const;

const REMARKS = [
  'Nest on Express and on Fastify, one route that answers a constant. The servers have one core, the load another. In each round there is a new server for every contender; when all are warm they are under load in turns, 200 ms at a time, so that what the machine does otherwise meets all of them alike.',
  "The figure is the server's CPU time for each answered request; the ratio is the middle of the ratios of each round. Requests each second and the 99th percentile are those of a load that is never short of requests.",
  'The load never sleeps while it runs: a server that has to wake it pays for that, and more so the slower it is.',
  'Every answer is held against what it must be: 200 for a good token, 401 for junk, of which every guard is given one at the start at least. Junk is a token with a forged signature, never the same twice.',
];

export async function requests(times: Times): Promise<Section> {
  const identity = await Identity.start();
  const load = await Load.start(identity, {
    fresh: mostTokens(times, 1),
    junk: mostTokens(times, 5),
  });
  const rows: Row[] = [];
  for (const platform of ['express', 'fastify'] as const) {
    const trials = ENTRIES.map((entry) => trialOf(entry, platform, identity.issuer));
    const outcomes = await runTrials(trials, load, times);
    rows.push(...costRows(platform, outcomes), ...addedRows(platform, outcomes));
  }
  await load.stop();
  await identity.stop();
  return { name: 'requests', title: 'Whole requests', remarks: REMARKS, rows };
}

function trialOf({ name, protection, mix }: Entry, platform: Platform, issuer: Issuer): Trial {
  return {
    name,
    server: { platform, protection, issuer },
    mix: mix ?? ALL_GOOD,
    kind: protection === 'keycloak' ? 'realm' : 'genauth',
    refuses: protection !== 'none' && protection !== 'open',
  };
}

/** What the rows of a platform are called; the goals look for them. */
export function costOf(platform: Platform): string {
  return `a request, ${PLATFORMS[platform]}`;
}

/** As `costOf`, for what remains when the open guard is taken away. */
export function addedOf(platform: Platform): string {
  return `what the guard adds, ${PLATFORMS[platform]}`;
}

function costRows(platform: Platform, outcomes: ReadonlyMap<string, readonly Outcome[]>): Row[] {
  const figures = [...outcomes].map(([who, rounds]): Figure => {
    const note = ENTRIES.find(({ name }) => name === who)?.note;
    return {
      what: costOf(platform),
      who,
      unit: 'µs CPU',
      values: rounds.map(({ cpuUsPerRequest }) => cpuUsPerRequest),
      also: {
        'requests/s': middle(rounds, ({ perSecond }) => perSecond),
        'p99 ms': middle(rounds, ({ p99Ms }) => p99Ms),
      },
      ...(note !== undefined && { note }),
    };
  });
  return rowsOf(figures, OPEN);
}

function addedRows(platform: Platform, outcomes: ReadonlyMap<string, readonly Outcome[]>): Row[] {
  const open = outcomes.get(OPEN) ?? [];
  const guarded = [...outcomes].filter(([who]) => who !== OPEN && who !== 'no guard');
  const figures = guarded.map(([who, rounds]): Figure => ({
    what: addedOf(platform),
    who,
    unit: 'µs CPU',
    values: rounds.map(
      ({ cpuUsPerRequest }, round) => cpuUsPerRequest - (open[round]?.cpuUsPerRequest ?? NaN),
    ),
  }));
  return rowsOf(figures, OURS);
}

function middle(rounds: readonly Outcome[], figure: (outcome: Outcome) => number): number {
  return quantile(rounds.map(figure), 0.5);
}
