import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/** Where the peers live, seen from the repository. */
const FOLDER = join('test', 'bench', 'peers');
const fromPeers = createRequire(join(process.cwd(), FOLDER, 'package.json'));
const fromHere = createRequire(join(process.cwd(), 'package.json'));

/** Peers that are dependencies of this package anyway. */
const OWN = [
  'jose',
  'authing-node-sdk',
  '@nestjs/core',
  '@nestjs/platform-express',
  '@nestjs/platform-fastify',
];

/**
 * Installs what the benchmark compares with, unless it is there. Without the peers of the peers, which
 * are found further up: everything runs on the one Nest of this repository.
 */
export function installPeers(): void {
  if (existsSync(join(FOLDER, 'node_modules'))) return;
  console.log('Installing what to compare with …');
  const flags = ['--legacy-peer-deps', '--omit=optional', '--ignore-scripts'];
  const { status } = spawnSync('npm', ['ci', ...flags], { cwd: FOLDER, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ci failed in ${FOLDER}`);
}

/** A peer's exports; `T` says what is used of them. */
export function peer<T>(name: string): T {
  return fromPeers(name) as T;
}

export function versions(): Record<string, string> {
  const { dependencies } = JSON.parse(readFileSync(join(FOLDER, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const own = OWN.map((name) => [name, versionOf(name)] as const);
  return { ...Object.fromEntries(own), ...dependencies };
}

function versionOf(name: string): string {
  for (const folder of fromHere.resolve.paths(name) ?? []) {
    const file = join(folder, name, 'package.json');
    if (existsSync(file)) {
      return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
    }
  }
  return 'unknown';
}
