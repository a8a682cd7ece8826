import { execFile } from 'node:child_process';
import { cpSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { applyPatch, type Patch } from './patch.js';

/** The log without one of its precautions. The simulation must notice. */
export interface Ablation {
  readonly name: string;
  /** In how many of how many seeds, counted from 1, it breaks a guarantee, and in which first. */
  readonly broken: number;
  readonly of: number;
  readonly first: number;
  readonly patches: readonly Patch[];
}

const LONGEST_MS = 3_600_000;
const REDIS = 'src/revocation/redis';
const FLEET = 'src/revocation/fleet';

export const ablations: readonly Ablation[] = [
  {
    name: 'eviction only',
    broken: 100,
    of: 100,
    first: 1,
    patches: [
      {
        file: 'src/revocation/revocation-index.js',
        find: 'if (principal.expiresAt <= this.#droppedThrough)',
        replace:
          'return this.#ownVerdict(principal, standing);\n        if (principal.expiresAt <= this.#droppedThrough)',
      },
    ],
  },
  {
    name: 'pub/sub only',
    broken: 89,
    of: 100,
    first: 1,
    patches: [
      {
        file: `${FLEET}/lease.js`,
        find: 'ageMs > this.maxStalenessMs',
        replace: 'false',
      },
      {
        file: `${FLEET}/reader.js`,
        find: 'await this.#pause.wait(this.setup.heartbeatMs);',
        replace: 'await this.#pause.wait(1e9);',
      },
    ],
  },
  {
    name: 'no lease',
    broken: 79,
    of: 100,
    first: 2,
    patches: [
      {
        file: `${FLEET}/lease.js`,
        find: 'ageMs > this.maxStalenessMs',
        replace: 'false',
      },
    ],
  },
  {
    name: 'lease from the time of the reply',
    broken: 6,
    of: 100,
    first: 17,
    patches: [
      {
        file: `${REDIS}/prover.js`,
        find: 'this.lease.renew(sent,',
        replace: 'this.lease.renew(momentOf(this.setup.clock),',
      },
    ],
  },
  {
    name: 'shared cursor',
    broken: 3,
    of: 100,
    first: 36,
    patches: [
      {
        file: `${REDIS}/bell.js`,
        find: 'if (reply !== null)',
        replace: 'if (reply !== null) this.jump(reply);\n                if (reply !== null)',
      },
      {
        file: `${REDIS}/redis-revocation-log.js`,
        find: 'const reader = ',
        replace: 'parts.bell.jump = (reply) => prover.jump(reply);\n        const reader = ',
      },
      {
        file: `${REDIS}/prover.js`,
        find: 'async prove() {',
        replace:
          'jump([[, rows]]) { this.#takeIn(rows, 0); this.#cursor = rows.at(-1)[0]; }\n    async prove() {',
      },
    ],
  },
  {
    name: 'no replication id',
    broken: 5,
    of: 400,
    first: 167,
    patches: [
      {
        file: `${REDIS}/prover.js`,
        find: 'return other || isEarlier(',
        replace: 'return isEarlier(',
      },
    ],
  },
  {
    name: 'ready before catch-up',
    broken: 36,
    of: 100,
    first: 1,
    patches: [
      {
        file: `${FLEET}/lease.js`,
        find: "return 'catching-up';",
        replace: "return 'live';",
      },
      {
        file: `${FLEET}/lease.js`,
        find: '#coveredSince = Infinity;',
        replace: '#coveredSince = -Infinity;',
      },
    ],
  },
  {
    name: 'no WAIT',
    broken: 41,
    of: 100,
    first: 1,
    patches: [
      {
        file: `${REDIS}/redis-writer.js`,
        find: 'if (replicas > 0)',
        replace: 'if (false)',
      },
    ],
  },
  {
    name: 'no lag test',
    broken: 50,
    of: 100,
    first: 1,
    patches: [
      {
        file: `${REDIS}/prover.js`,
        find: 'if (replicas < needed)',
        replace: 'if (false)',
      },
    ],
  },
];

/** What a run of the simulation said. */
export interface Summary {
  readonly seeds: number;
  readonly broken: readonly number[];
  readonly late: number;
  readonly worstMs: number;
}

/** Where `tsc -p test/simulation` puts it. */
const BUILT = resolve('build/simulation');

/** Plays the seeds with the ablated program, in a process and a tree of its own. */
export async function playAblated(
  { name, patches }: Pick<Ablation, 'name' | 'patches'>,
  ...args: readonly string[]
): Promise<Summary> {
  const tree = join(dirname(BUILT), `ablation-${name.replaceAll(/\W+/g, '-')}`);
  rmSync(tree, { recursive: true, force: true });
  cpSync(BUILT, tree, { recursive: true });
  for (const patch of patches) applyPatch(tree, patch);
  const main = join(tree, 'test/simulation/main.js');
  const run = promisify(execFile)(process.execPath, [main, '--json', ...args], {
    timeout: LONGEST_MS,
  });
  // It ends with an error when a guarantee was broken.
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  rmSync(tree, { recursive: true, force: true });
  if (stdout === '') throw new Error(`the simulation without '${name}' did not come to an end`);
  return JSON.parse(stdout) as Summary;
}
