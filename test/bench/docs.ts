import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { format, resolveConfig } from 'prettier';

import { cellsOf, COLUMNS, type Section, shown } from './common/report.js';
import type { Result } from './common/result.js';

const { values } = parseArgs({
  options: { json: { type: 'string', default: 'build/bench/result.json' } },
});
const DOCUMENT = 'docs/performance.md';

const QUICK =
  '**A quick run has few rounds, and of whole requests only one: a single figure may be far off. A full run on a machine with nothing else to do is to replace this page.**';

function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(columns), line(columns.map(() => '---')), ...rows.map(line)].join('\n');
}

function goalsOf({ goals }: Result): string {
  const rows = goals.map(({ what, goal, reached, isMet }) => [
    what,
    goal,
    reached,
    isMet ? 'met' : '**missed**',
  ]);
  return table(['What', 'Goal', 'Reached', ''], rows);
}

function sectionOf({ title, remarks, rows }: Section): string {
  return [`## ${title}`, remarks.join(' '), table(COLUMNS, rows.map(cellsOf))].join('\n\n');
}

function documentOf(result: Result): string {
  const { machine, size, takenAt, versions, sections } = result;
  const pinned = machine.pinned
    ? 'server and load on a core each'
    : 'server and load on the same cores';
  const compared = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    '# Performance',
    `Made by \`npm run bench:docs\` from a ${size} run of \`npm run bench\` on ${takenAt.slice(0, 10)}: ${machine.cores} cores of ${machine.processor}, ${machine.memoryGb} GB, Node ${machine.node}, ${machine.system}, ${pinned}, load ${shown(machine.load)} before the run. Ratios travel between machines; the figures themselves do not.`,
    `Compared with ${compared.join(', ')}.`,
    ...(size === 'full' ? [] : [QUICK]),
    'Each figure is a median with the middle half of the measurements, beside its neighbour from the same run. `nestjs-genauth` does everything that it does in production: it checks times, key, issuer, audience and every revocation on every request.',
    '## Goals',
    goalsOf(result),
    ...sections.map(sectionOf),
    '',
  ].join('\n\n');
}

const result = JSON.parse(readFileSync(values.json, 'utf8')) as Result;
const options = { ...(await resolveConfig(DOCUMENT)), parser: 'markdown' };
writeFileSync(DOCUMENT, await format(documentOf(result), options));
console.log(`${DOCUMENT} is made of ${values.json}`);
