import { Child } from '../common/child.js';
import { Identity } from '../common/identity.js';
import { type Figure, rowsOf, type Row, type Section } from '../common/report.js';
import type { Addition, StartedUp } from './app.js';

export const QUICK = 3;
export const FULL = 11;

export const EMPTY = 'an empty Nest application';
export const OURS = 'with nestjs-genauth';
export const TIME = 'time';
export const MEMORY = 'resident memory';

type Application = readonly [name: string, addition: Addition];

const APPLICATIONS: readonly Application[] = [
  [EMPTY, 'nothing'],
  [OURS, 'ours'],
  ['with @nestjs/passport, passport-jwt, jwks-rsa', 'passport'],
  ['with nest-keycloak-connect', 'keycloak'],
];

const REMARKS = [
  'From the start of the process until a Nest application on Express listens; a new process each time, in turn.',
  'What is added is the middle of the differences of each round.',
];

/** What importing and registering the module adds to an application that is otherwise empty. */
export async function startUp(rounds: number): Promise<Section> {
  const identity = await Identity.start();
  const { issuer } = identity;
  const started = new Map<string, StartedUp[]>(APPLICATIONS.map(([name]) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < APPLICATIONS.length; turn += 1) {
      const [name, addition] = APPLICATIONS[(turn + round) % APPLICATIONS.length] as Application;
      const settings = { addition, issuer };
      const child = await Child.start(import.meta.url, './app.js', { core: 'measured', settings });
      started.get(name)?.push(await child.ask<StartedUp>('startedUp'));
      await child.stop();
    }
  }
  await identity.stop();
  const rows = [
    ...both(TIME, 'ms', started, ({ ms }) => ms),
    ...both('CPU time', 'ms', started, ({ cpuMs }) => cpuMs),
    ...both(MEMORY, 'MB', started, ({ rssMb }) => rssMb),
    ...both('heap after a collection', 'MB', started, ({ heapMb }) => heapMb),
  ];
  return { name: 'start-up', title: 'Start-up', remarks: REMARKS, rows };
}

/** What the rows about the difference are called; the goals look for them. */
export function addedOf(quantity: string): string {
  return `${quantity} added`;
}

function both(
  quantity: string,
  unit: string,
  started: ReadonlyMap<string, readonly StartedUp[]>,
  figure: (one: StartedUp) => number,
): Row[] {
  const empty = (started.get(EMPTY) ?? []).map(figure);
  const whole = [...started].map(([who, rounds]): Figure => ({
    what: `${quantity} until it listens`,
    who,
    unit,
    values: rounds.map(figure),
  }));
  const added = [...started].slice(1).map(([who, rounds]): Figure => ({
    what: addedOf(quantity),
    who,
    unit,
    values: rounds.map((one, round) => figure(one) - (empty[round] ?? NaN)),
  }));
  return [...rowsOf(whole, EMPTY), ...rowsOf(added, OURS)];
}
