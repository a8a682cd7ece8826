import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const OXLINT = resolve('node_modules/oxlint/bin/oxlint');

let tree: string;

beforeAll(async () => {
  tree = await mkdtemp(join(tmpdir(), 'floors-'));
  await copyFile('.oxlintrc.json', join(tree, '.oxlintrc.json'));
});

afterAll(() => rm(tree, { recursive: true }));

/** What the linter prints of a file that imports one thing. */
async function lint(file: string, imported: string): Promise<string> {
  const path = join(tree, file);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `import { one } from '${imported}';\n\nexport const two = one;\n`);
  return new Promise((done) => {
    execFile(process.execPath, [OXLINT, file], { cwd: tree }, (_, stdout) => done(stdout));
  });
}

describe('an import', () => {
  it.each([
    ['src/core/probe.ts', 'rxjs/operators'],
    ['src/core/probe.ts', 'node:http'],
    ['src/core/probe.ts', '../verify/claims.js'],
    ['src/genauth.client.ts', './verify/claims.js'],
    ['src/genauth.options.ts', './revocation/in-process-log.js'],
    ['src/verify/probe.ts', '../revoker.js'],
    ['src/verify/probe.ts', '../token-revoker.js'],
    ['src/verify/probe.ts', '../revocation/revocation-index.js'],
    ['src/revocation/probe.ts', '../genauth.client.js'],
    ['src/revocation/probe.ts', 'jose'],
    ['src/revocation/redis/probe.ts', '../../verify/claims.js'],
    ['src/revocation/redis/probe.ts', '../../http/bearer.js'],
    ['src/revocation/redis/probe.ts', '../nats/prover.js'],
    ['src/revocation/nats/probe.ts', '../redis/prover.js'],
    ['src/revocation/nats/probe.ts', '@nats-io/transport-node'],
    ['src/revocation/fleet/probe.ts', '../redis/prover.js'],
    ['src/revocation/fleet/probe.ts', '../../doors/route.js'],
    ['src/revocation/nats/probe.ts', '../../intake.js'],
    ['src/flights.ts', './http/bearer.js'],
    ['src/token.service.ts', './http/bearer.js'],
    ['src/revoker.ts', './genauth.module.js'],
    ['src/http/probe.ts', '../genauth.module.js'],
    ['src/doors/probe.ts', '../genauth.module.js'],
    ['src/event-hub.ts', './doors.js'],
    ['src/testing/probe.ts', '../core/clock.js'],
  ])('of a floor above fails the linter: %s of %s', async (file, imported) => {
    expect(await lint(file, imported)).toContain('no-restricted-imports');
  });

  it.each([
    ['src/verify/probe.ts', '../core/clock.js'],
    ['src/http/probe.ts', '../token.service.js'],
    ['src/doors/probe.ts', '../intake.js'],
    ['src/event-hub.ts', './doors/event-link.js'],
    ['src/revoker.ts', './verify/claims.js'],
    ['src/revocation/redis/probe.ts', '../../core/clock.js'],
    ['src/revocation/nats/probe.ts', '../fleet/lease.js'],
  ])('of a floor below does not: %s of %s', async (file, imported) => {
    expect(await lint(file, imported)).not.toContain('no-restricted-imports');
  });
});

it('knows the floor of every file that stands beside the folders', async () => {
  const config = await readFile('.oxlintrc.json', 'utf8');
  const files = (await readdir('src')).filter((name) => /(?<!\.spec)\.ts$/.test(name));
  const roof = ['genauth.module.ts', 'index.ts'];
  const lost = files.filter((name) => !roof.includes(name) && !config.includes(`"src/${name}"`));
  expect(lost).toEqual([]);
});
