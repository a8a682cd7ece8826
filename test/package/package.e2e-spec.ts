import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';

import { packPackage, type PackedPackage, run } from '../harness/packed-package.js';
import type { Report } from './fixtures/main.js';

jest.setTimeout(120_000);

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly exports: Record<string, unknown>;
}

const readJson = async (...path: string[]) =>
  JSON.parse(await readFile(join(...path), 'utf8')) as unknown;

let packed: PackedPackage;

beforeAll(async () => {
  packed = await packPackage();
});

afterAll(() => packed.remove());

describe('the tarball', () => {
  it('holds the compiled library, its documents and nothing else', () => {
    const others = packed.files.filter((file) => !file.startsWith('dist/'));
    expect(others.toSorted()).toEqual([
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'docs/doors.md',
      'docs/fleet.md',
      'docs/mutants.md',
      'docs/nats.md',
      'docs/performance.md',
      'package.json',
    ]);
    const compiled = packed.files.filter((file) => file.startsWith('dist/'));
    expect(compiled).toEqual(
      expect.arrayContaining([
        'dist/index.js',
        'dist/index.d.ts',
        'dist/redis.js',
        'dist/redis.d.ts',
        'dist/nats.js',
        'dist/nats.d.ts',
        'dist/testing.js',
        'dist/testing.d.ts',
      ]),
    );
    expect(compiled.filter((file) => !/\.(js|d\.ts|js\.map)$/.test(file))).toEqual([]);
    expect(packed.files.filter((file) => /\.(e2e-)?spec\.|fixture|harness/.test(file))).toEqual([]);
  });

  it('imports nothing that it does not declare', async () => {
    const { dependencies, peerDependencies } = (await readJson(
      packed.folder,
      'package.json',
    )) as Manifest;
    const declared = { ...dependencies, ...peerDependencies };
    const imported = new Set<string>();
    for (const file of packed.files.filter((each) => /\.(js|d\.ts)$/.test(each))) {
      const text = await readFile(join(packed.folder, file), 'utf8');
      for (const [, from = ''] of text.matchAll(
        /(?:\bfrom |^import |import\()['"]([^'"]+)['"]/gm,
      )) {
        const [, name] = /^((?:@[^/]+\/)?[^/]+)/.exec(from) ?? [];
        if (name && name !== '.' && name !== '..' && !isBuiltin(from)) imported.add(name);
      }
    }
    expect(imported.size).toBeGreaterThan(3);
    expect([...imported].filter((name) => !(name in declared))).toEqual([]);
  });
});

describe.each([
  { type: 'module', nest: 12 },
  { type: 'commonjs', nest: 11 },
] as const)('installed in a $type application on Nest $nest', ({ type, nest }) => {
  let app: string;

  beforeAll(async () => {
    app = await packed.application({ type, nest });
  });

  it('compiles, guards, revokes and lets the process end', async () => {
    await run(app, process.execPath, 'node_modules/typescript/bin/tsc', '-p', '.');
    const compiled = await readFile(join(app, 'main.js'), 'utf8');
    expect(/\brequire\("nestjs-genauth"\)/.test(compiled)).toBe(type === 'commonjs');

    const report = JSON.parse(await run(app, process.execPath, 'main.js')) as Report;
    expect(report).toEqual({
      nest: expect.stringMatching(new RegExp(`^${nest}\\.`)),
      withoutToken: 401,
      before: 200,
      sub: 'alice',
      logout: { success: true, log: 'acknowledged', genauth: 'confirmed' },
      after: 401,
      heard: ['token'],
      oneCopy: true,
    });
  });

  it('exports what is on the list, from each of its entries', async () => {
    const listed = (await readJson(import.meta.dirname, 'export-names.json')) as object;
    const { exports } = (await readJson(packed.folder, 'package.json')) as Manifest;
    const entries = Object.keys(exports).filter((entry) => entry !== './package.json');
    expect(entries).toEqual(Object.keys(listed));
    const load = type === 'module' ? 'await import' : 'require';
    const names = entries.map((entry) => {
      const specifier = entry.replace('.', 'nestjs-genauth');
      return `[${JSON.stringify(entry)}]: Object.keys(${load}('${specifier}')).sort()`;
    });
    const script = `console.log(JSON.stringify({ ${names.join(', ')} }))`;
    const printed = await run(app, process.execPath, `--input-type=${type}`, '-e', script);
    expect(JSON.parse(printed)).toEqual(listed);
  });
});
