import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { format, resolveConfig } from 'prettier';

import { cellsOf, COLUMNS, type Section, shown } from './common/report.js';
import type { Result } from './common/result.js';

const { values } = parseArgs({
  options: {
    json: { type: 'string', default: 'temp/bench.json' },
    force: { type: 'boolean', default: false },
  },
});
const DOCUMENT = 'docs/performance.md';

const QUICK =
  '**A quick run has few rounds, and of whole requests only one: a single figure may be far off. A full run on a machine with nothing else to do is to replace this page.**';

/** What profiles have shown of the goals that are hard to reach. */
const WHERE_IT_GOES = [
  '- **A remembered token**: most of it is the digest and its lookup, which the goal measures with. The rest is the header, both clocks, and what is read of the token, its key and the index, all of it once. Between two requests the processor has forgotten all of that: most of what the guard takes there is waiting for memory (the entry, the principal, its times), which the profile shows where the loop shows nothing.',
  '- **A first-seen token**: beside `crypto.verify` stand two digests (where it is remembered, and what it is called when it is revoked), a strict reading (canonical base64url, UTF-8, no member named twice, frozen), and its entries in the cache, by token and by user, so that a revocation finds them. Who is faster does without these.',
  '- **Whole requests**: the row `SHA-256 + Map, else crypto.verify` is a guard that does only what a guard with digests cannot do without. Junk costs it a signature that nobody can spare it, and an exception on its way through Nest; both are dear in a server, because the code is seldom run. What stands between that row and ours for junk is the strict reading, an error that tells the operator why, and its place among the refusals that are remembered.',
];

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
    `Made by \`npm run bench:docs\` from a ${size} run of each section of \`npm run bench\`, the last on ${takenAt.slice(0, 10)}: ${machine.cores} cores of ${machine.processor}, ${machine.memoryGb} GB, Node ${machine.node}, ${machine.system}, ${pinned}, load ${shown(machine.load)} before the run. Ratios travel between machines; the figures themselves do not.`,
    `Compared with ${compared.join(', ')}.`,
    ...(size === 'full' ? [] : [QUICK]),
    'Each figure is a median with the middle half of the measurements, beside its neighbour from the same run. `nestjs-genauth` does everything that it does in production in one process, with room in its cache for every token and a cache `ttl` of a day: it checks times, key, issuer, audience and every revocation on every request. By default there is room for 10,000, and a token is verified anew each minute. A log of a fleet reads the clocks three times more. Under "Reached" stands the worst of all circumstances.',
    '## Goals',
    goalsOf(result),
    '### Where the time goes',
    WHERE_IT_GOES.join('\n'),
    ...sections.map(sectionOf),
    '',
  ].join('\n\n');
}

const SECTIONS = 5;

const result = JSON.parse(readFileSync(values.json, 'utf8')) as Result;
if (!values.force && (result.size !== 'full' || result.sections.length < SECTIONS)) {
  throw new Error(
    `${values.json} is no full run of all sections: --force makes a page of it all the same`,
  );
}
const options = { ...(await resolveConfig(DOCUMENT)), parser: 'markdown' };
writeFileSync(DOCUMENT, await format(documentOf(result), options));
console.log(`${DOCUMENT} is made of ${values.json}`);
