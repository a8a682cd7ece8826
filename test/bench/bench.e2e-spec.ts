import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { type Row, rowsOf, type Section } from './common/report.js';
import type { Result } from './common/result.js';
import { goalsOf } from './goals.js';

const run = promisify(execFile);

/** What every circumstance is measured with. */
const ALWAYS = [
  'remembered token',
  'remembered token, its first hit',
  'first-seen RS256 token',
  'revoked token',
  'junk: a forged signature',
];
const ONCE = ['first-seen ES256 token', 'first-seen EdDSA token', 'junk: three segments of noise'];

describe('A run of the benchmark in process', () => {
  let folder: string;
  let result: Result;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bench-'));
    const json = join(folder, 'result.json');
    await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'test/bench']);
    await run(process.execPath, ['build/bench/main.js', '--smoke', '--json', json]);
    result = JSON.parse(await readFile(json, 'utf8')) as Result;
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true }));

  const rows = (): readonly Row[] => result.sections.flatMap((section) => section.rows);

  it('has a row of ours for every case under every circumstance', () => {
    const ours = rows().filter(({ who }) => who === 'nestjs-genauth');
    const under = (what: string) =>
      ours.filter((row) => row.what === what).map(({ given }) => given);
    const circumstances = [
      '200 remembered, 0 revoked',
      '200 remembered, 1k revoked',
      '400 remembered, 0 revoked',
      '400 remembered, 1k revoked',
    ];
    for (const what of ALWAYS) expect(under(what)).toEqual(circumstances);
    for (const what of ONCE) expect(under(what)).toEqual(circumstances.slice(0, 1));
  });

  it('has no figure without a neighbour of the same case', () => {
    const alone = rows().filter(
      (row) =>
        row.beside === undefined &&
        !rows().some(
          (other) =>
            other.beside?.who === row.who && other.what === row.what && other.given === row.given,
        ),
    );
    expect(alone).toEqual([]);
    expect(rows().filter(({ value }) => !(value.low > 0 && value.high >= value.low))).toEqual([]);
  });

  it('says of every goal about it what was reached, and names the machine', () => {
    expect(result.goals).toHaveLength(6);
    expect(result.goals.filter(({ reached }) => reached === '')).toEqual([]);
    expect(result.machine.processor).not.toBe('');
    expect(result.machine.node).toBe(process.versions.node);
  });
});

describe('The goals', () => {
  function remembered(...ours: number[]): Section {
    const figure = { what: 'remembered token', unit: 'µs CPU' };
    const rows = ours.flatMap((value) =>
      rowsOf(
        [
          { ...figure, who: 'SHA-256 + Map', values: [1, 2, 1] },
          { ...figure, who: 'nestjs-genauth', values: [value, value * 2, value] },
        ],
        'SHA-256 + Map',
      ),
    );
    return { name: 'in-process', title: '', remarks: [], rows };
  }

  it('are met up to their limit, and missed beyond it', () => {
    expect(goalsOf([remembered(1.5)])).toMatchObject([{ reached: '1.50 ×', isMet: true }]);
    expect(goalsOf([remembered(1.51)])).toMatchObject([{ reached: '1.51 ×', isMet: false }]);
  });

  it('count the worst circumstances', () => {
    expect(goalsOf([remembered(1.2, 1.6, 1.4)])).toMatchObject([{ isMet: false }]);
  });

  it('say nothing of what was not measured', () => {
    expect(goalsOf([])).toEqual([]);
  });

  it('are missed where what was measured is less than nothing', () => {
    const added = (ours: number): Section => {
      const figure = { what: 'what the guard adds, Fastify', unit: 'µs CPU' };
      const rows = rowsOf(
        [
          { ...figure, who: 'nestjs-genauth', values: [ours] },
          { ...figure, who: 'a guard over jose', values: [10] },
        ],
        'nestjs-genauth',
      );
      return { name: 'requests', title: '', remarks: [], rows };
    };
    expect(goalsOf([added(1)])).toMatchObject([{ isMet: true }]);
    expect(goalsOf([added(-1)])).toMatchObject([{ isMet: false }]);
  });

  it('are missed where there is no number', () => {
    expect(goalsOf([remembered(NaN)])).toMatchObject([{ isMet: false }]);
  });
});
