import { execFile } from 'node:child_process';
import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { applyPatch } from '../simulation/patch.js';
import type { Mutant } from './mutant.js';

/** What came of a mutant. `killed`: the test that is named has failed, and nothing else was wrong. */
export type Fate = 'killed' | 'survived' | 'broken';

/** Where the mutants live: inside the project, so that they find its dependencies. */
const TREE = resolve('build/mutant');
const JEST = resolve('node_modules/jest/bin/jest.js');
/** Whoever takes longer hangs, and that is noticed as well. */
const LONGEST_MS = 180_000;

/** A copy of sources and tests, with the patches in it. */
export function plant(patches: Mutant['patches']): string {
  rmSync(TREE, { recursive: true, force: true });
  for (const part of ['src', 'test', 'jest.config.mjs']) {
    cpSync(part, join(TREE, part), { recursive: true });
  }
  for (const patch of patches) applyPatch(TREE, patch);
  return TREE;
}

export function uproot(): void {
  rmSync(TREE, { recursive: true, force: true });
}

/** Runs the test that is named, on the sources with the patches. */
export async function hunt(mutant: Mutant): Promise<Fate> {
  const tree = plant(mutant.patches);
  const verdicts = await run(tree, [mutant]);
  if (verdicts === 'hangs') return 'killed';
  const [verdict = 'missing'] = verdicts;
  if (verdict === 'missing') return 'broken';
  return verdict === 'failed' ? 'killed' : 'survived';
}

/** Those whose test does not pass on the sources as they are: it would prove nothing. */
export async function unfit(mutants: readonly Mutant[]): Promise<Mutant[]> {
  const verdicts = await run(plant([]), mutants);
  return mutants.filter((_, place) => verdicts === 'hangs' || verdicts[place] !== 'passed');
}

type Verdict = 'passed' | 'failed' | 'missing';

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

async function run(
  tree: string,
  mutants: readonly Mutant[],
): Promise<readonly Verdict[] | 'hangs'> {
  const specs = [...new Set(mutants.map(({ spec }) => spec))];
  const report = join(tree, 'report.json');
  const jest = promisify(execFile)(
    process.execPath,
    [
      ...['--experimental-vm-modules', '--no-warnings=ExperimentalWarning', JEST],
      ...['--config', join(tree, 'jest.config.mjs'), '--json', `--outputFile=${report}`, '-i'],
      ...['-t', mutants.map(({ test }) => patternOf(test)).join('|')],
      ...['--runTestsByPath', ...specs.map((spec) => join(tree, spec))],
    ],
    { timeout: LONGEST_MS, maxBuffer: 2 ** 26, killSignal: 'SIGKILL' },
  );
  const failure = await jest.then(
    () => undefined,
    (error: { killed?: boolean }) => error,
  );
  if (failure?.killed === true) return 'hangs';
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  return mutants.map(({ spec, test }) => {
    const title = new RegExp(`^${patternOf(test)}$`);
    const cases = testResults
      .filter(({ name }) => name === join(tree, spec))
      .flatMap(({ assertionResults }) => assertionResults)
      .filter((one) => title.test(one.title) && one.status !== 'pending');
    if (cases.length === 0) return 'missing';
    return cases.some(({ status }) => status === 'failed') ? 'failed' : 'passed';
  });
}

/** A title as it is written may hold places for the values of its cases: `%s`. */
function patternOf(title: string): string {
  return title
    .split(/%[a-z]/)
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`))
    .join('.*');
}
