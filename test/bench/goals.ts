import { type Row, type Section, shown } from './common/report.js';
import * as growth from './growth/section.js';
import * as names from './in-process/names.js';
import * as requests from './requests/section.js';
import * as startUp from './start-up/section.js';

/** What is to be reached, and what was. */
export interface Goal {
  readonly what: string;
  readonly goal: string;
  readonly reached: string;
  readonly isMet: boolean;
}

/** Compares the rows of a run with the goals; of a section that was not run nothing is said. */
export function goalsOf(sections: readonly Section[]): Goal[] {
  const rowsOfSection = (name: string) =>
    sections.find((section) => section.name === name)?.rows ?? [];
  return [
    ...inProcessGoals(rowsOfSection('in-process')),
    ...requestGoals(rowsOfSection('requests'), 'express', 1.1, 1.15),
    ...requestGoals(rowsOfSection('requests'), 'fastify', 1.2, 1.35),
    ...startUpGoals(rowsOfSection('start-up')),
    ...growthGoals(rowsOfSection('growth')),
  ];
}

function rowsNamed(rows: readonly Row[], what: string, who: string): Row[] {
  return rows.filter((row) => row.what === what && row.who === who);
}

/** The worst of all circumstances counts; nothing is worse than no number. */
function worst(rows: readonly Row[], figure: (row: Row) => number): Row | undefined {
  return (
    rows.find((row) => Number.isNaN(figure(row))) ??
    rows.toSorted((left, right) => figure(right) - figure(left))[0]
  );
}

function ratioOf({ beside }: Row): number {
  return beside?.ratio ?? NaN;
}

function medianOf({ value }: Row): number {
  return value.median;
}

function where({ given }: Row): string {
  return given === undefined ? '' : ` (${given})`;
}

/** At most so many times the neighbour, under all circumstances. */
function atMost(rows: readonly Row[], limit: number, what: string): Goal[] {
  const row = worst(rows, ratioOf);
  if (!row) return [];
  const reached = `${shown(ratioOf(row))} ×${where(row)}`;
  const goal = `≤ ${limit} × ${row.beside?.who}`;
  return [{ what, goal, reached, isMet: ratioOf(row) <= limit }];
}

function below(rows: readonly Row[], limit: number, what: string): Goal[] {
  const row = worst(rows, medianOf);
  if (!row) return [];
  const reached = `${shown(medianOf(row))} ${row.unit}${where(row)}`;
  return [{ what, goal: `≤ ${limit} ${row.unit}`, reached, isMet: medianOf(row) <= limit }];
}

function inProcessGoals(rows: readonly Row[]): Goal[] {
  const ours = (what: string) => rowsNamed(rows, what, names.OURS);
  const denied = rows.filter(
    ({ what, who }) => what === names.DENY_CHECK && /^\S+ revocations$/.test(who),
  );
  const rsa = names.firstSeenOf('RS256');
  return [
    ...atMost(ours(names.REMEMBERED), 1.5, 'remembered token, all checks included'),
    ...atMost(ours(names.FIRST_HIT), 3, 'its first hit'),
    ...atMost(ours(rsa), 1.3, rsa),
    ...fasterThanPeers(rows.filter(({ what }) => what === rsa)),
    ...below(denied, 1, 'deny check, with a million revocations'),
    ...atMost(denied, 1.5, 'deny check, with a million revocations'),
  ];
}

function fasterThanPeers(rows: readonly Row[]): Goal[] {
  const given = rows[0]?.given;
  const same = rows.filter((row) => row.given === given);
  const ours = same.find(({ who }) => who === names.OURS);
  const peers = same.filter(({ who }) => who !== names.OURS && who !== names.CRYPTO_VERIFY);
  if (!ours || peers.length === 0) return [];
  const faster = peers.filter((row) => medianOf(row) <= medianOf(ours));
  return [
    {
      what: ours.what,
      goal: 'faster than every peer',
      reached:
        faster.length === 0
          ? 'is'
          : `slower than ${faster.map(({ who }) => `“${who}”`).join(', ')}`,
      isMet: faster.length === 0,
    },
  ];
}

function requestGoals(
  rows: readonly Row[],
  platform: 'express' | 'fastify',
  remembered: number,
  mixed: number,
): Goal[] {
  const cost = requests.costOf(platform);
  const added = requests.addedOf(platform);
  const of = (who: string) => rowsNamed(rows, cost, who);
  return [
    ...atMost(of(requests.OURS), remembered, `CPU of ${cost}, remembered token`),
    ...atMost(of(requests.OURS_MIXED), mixed, `CPU of ${cost}, 5 % junk, 1 % first-seen`),
    ...addedGoal(rows, added, requests.PASSPORT, 0.1),
    ...addedGoal(rows, added, requests.KEYCLOAK, 0.1),
    ...addedGoal(rows, added, requests.JOSE, 1),
    ...addedGoal(rows, added, requests.ONLINE, 1),
  ];
}

/** The rows say how many times ours the others add. */
function addedGoal(rows: readonly Row[], what: string, who: string, limit: number): Goal[] {
  const [row] = rowsNamed(rows, what, who);
  if (!row) return [];
  const part = 1 / ratioOf(row);
  const goal = `≤ ${limit} × what ${who} adds`;
  // Less than nothing is no measurement.
  const isMet = part > 0 && part <= limit;
  return [{ what: `CPU: ${what}`, goal, reached: `${shown(part)} ×`, isMet }];
}

function startUpGoals(rows: readonly Row[]): Goal[] {
  const added = (quantity: string) => rowsNamed(rows, startUp.addedOf(quantity), startUp.OURS);
  return [
    ...below(added(startUp.TIME), 150, 'start-up: time added'),
    ...below(added(startUp.MEMORY), 20, 'start-up: memory added'),
  ];
}

function growthGoals(rows: readonly Row[]): Goal[] {
  const tokens = rowsNamed(rows, growth.TOKEN, growth.OURS).slice(-1);
  const junk = rowsNamed(rows, growth.JUNK, growth.OURS);
  const [before, last] = junk.slice(-2);
  return [
    ...below(tokens, 1_200, `${growth.TOKEN}, held against cuts`),
    ...(before && last ? [flat(before, last), nothingLost(last)] : []),
  ];
}

function flat(before: Row, last: Row): Goal {
  const more = medianOf(last) - medianOf(before);
  return {
    what: `junk: memory${where(last)}`,
    goal: 'flat: ≤ 1 MB more than a step before',
    reached: `${shown(more)} MB`,
    isMet: more <= 1,
  };
}

function nothingLost(last: Row): Goal {
  const faults = last.also?.[growth.FAULTS] ?? NaN;
  return {
    what: `junk: good tokens lost, or junk accepted${where(last)}`,
    goal: '0',
    reached: `${faults}`,
    isMet: faults === 0,
  };
}
