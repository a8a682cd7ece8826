import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';

import { type Machine, thisMachine } from './common/machine.js';
import { installPeers, versions } from './common/peers.js';
import { cellsOf, COLUMNS, printTable, type Section } from './common/report.js';
import type { Result } from './common/result.js';
import { goalsOf } from './goals.js';
import * as growth from './growth/section.js';
import * as inProcess from './in-process/section.js';
import * as requests from './requests/section.js';
import * as signatures from './signatures/section.js';
import * as startUp from './start-up/section.js';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    /** Only the part in process, without peers: to see that it runs. */
    smoke: { type: 'boolean', default: false },
    /** Names of sections, with commas between. The others stay as an earlier run has left them. */
    only: { type: 'string' },
    json: { type: 'string', default: 'temp/bench.json' },
  },
});

const size: Result['size'] = values.smoke ? 'smoke' : values.quick ? 'quick' : 'full';

/** Each section, as large as it is wanted. */
const SECTIONS: Readonly<Record<string, () => Promise<Section>>> = {
  'in-process': () =>
    inProcess.inProcess(
      { smoke: inProcess.SMOKE, quick: inProcess.QUICK, full: inProcess.FULL }[size],
    ),
  requests: () => requests.requests(size === 'full' ? requests.FULL : requests.QUICK),
  signatures: () => signatures.signatures(size === 'full' ? signatures.FULL : signatures.QUICK),
  growth: () => growth.growth(size === 'full' ? growth.FULL : growth.QUICK),
  'start-up': () => startUp.startUp(size === 'full' ? startUp.FULL : startUp.QUICK),
};

function wanted(): string[] {
  if (size === 'smoke') return ['in-process'];
  const named = values.only?.split(',') ?? Object.keys(SECTIONS);
  const unknown = named.find((name) => !Object.hasOwn(SECTIONS, name));
  if (unknown === undefined) return named;
  throw new Error(`no section '${unknown}': there are ${Object.keys(SECTIONS).join(', ')}`);
}

/** What is done is written down at once: the sections take long. */
async function run(others: readonly Section[]): Promise<Section[]> {
  const sections: Section[] = [];
  for (const name of wanted()) {
    const startedAt = performance.now();
    const section = await (SECTIONS[name] as () => Promise<Section>)();
    printTable(section.title, COLUMNS, section.rows.map(cellsOf));
    for (const remark of section.remarks) console.log(`  ${remark}`);
    console.log(`  (${Math.round((performance.now() - startedAt) / 1_000)} s)`);
    sections.push(section);
    write(inOrder([...sections, ...others]));
  }
  return inOrder([...sections, ...others]);
}

function write(sections: readonly Section[]): void {
  const takenAt = new Date().toISOString();
  const goals = goalsOf(sections);
  const result: Result = { takenAt, size, machine, versions: versions(), goals, sections };
  mkdirSync(dirname(values.json), { recursive: true });
  writeFileSync(values.json, `${JSON.stringify(result, undefined, 2)}\n`);
}

/** Sections that a run of the same size on the same machine has put there, and this one does not make again. */
function othersIn(file: string, machine: Machine): readonly Section[] {
  if (!existsSync(file)) return [];
  const before = JSON.parse(readFileSync(file, 'utf8')) as Result;
  const isSame =
    before.size === size &&
    isDeepStrictEqual({ ...before.machine, load: 0 }, { ...machine, load: 0 });
  return isSame ? before.sections.filter(({ name }) => !wanted().includes(name)) : [];
}

/** In the order of the page. */
function inOrder(sections: readonly Section[]): Section[] {
  const order = Object.keys(SECTIONS);
  return sections.toSorted((one, other) => order.indexOf(one.name) - order.indexOf(other.name));
}

const machine = thisMachine();
const names = wanted();
if (size !== 'smoke') installPeers();
console.log(
  `${machine.cores} × ${machine.processor}, Node ${machine.node}; ${size} run of ${names.join(', ')}`,
);
if (!machine.pinned) console.log('No second core or no taskset: server and load share the cores.');
const goals = goalsOf(await run(othersIn(values.json, machine)));
printTable(
  'Goals',
  ['what', 'goal', 'reached', ''],
  goals.map(({ what, goal, reached, isMet }) => [what, goal, reached, isMet ? 'met' : 'MISSED']),
);
console.log(`\n${values.json} holds the same; npm run bench:docs makes docs/performance.md of it.`);
