import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');
const NEST_11 = join(ROOT, 'test/package/nest-11/node_modules');
const FIXTURES = join(ROOT, 'test/package/fixtures');

/** Runs a program to its end and gives what it printed. @throws with everything it printed, when it fails */
export function run(cwd: string, program: string, ...args: string[]): Promise<string> {
  return new Promise((done, reject) => {
    execFile(program, args, { cwd, timeout: 100_000 }, (error, stdout, stderr) => {
      if (!error) return done(stdout);
      reject(new Error(`${program} ${args.join(' ')}\n${stdout}\n${stderr}`, { cause: error }));
    });
  });
}

/** The package as it would be published, unpacked. */
export interface PackedPackage {
  /** Every file in the tarball, without the leading `package/`. */
  readonly files: readonly string[];
  /** Where it lies unpacked. */
  readonly folder: string;
  /** A new application that has the package installed; its folder. */
  application(options: { type: 'module' | 'commonjs'; nest: 11 | 12 }): Promise<string>;
  remove(): Promise<void>;
}

/** Packs what the last build left in `dist`; builds first when there is none. */
export async function packPackage(): Promise<PackedPackage> {
  if (!existsSync(join(ROOT, 'dist/index.js'))) await run(ROOT, 'npm', 'run', '-s', 'build');
  const temporary = await mkdtemp(join(tmpdir(), 'nestjs-genauth-'));
  await run(ROOT, 'npm', 'pack', '--ignore-scripts', '--pack-destination', temporary);
  const [tarball = ''] = await readdir(temporary);
  await run(temporary, 'tar', '-xzf', tarball);
  const listing = await run(temporary, 'tar', '-tzf', tarball);
  const folder = join(temporary, 'package');
  return {
    folder,
    files: listing
      .trim()
      .split('\n')
      .map((line) => line.replace(/^package\//, '')),
    async application({ type, nest }) {
      const app = join(temporary, `${type}-${nest}`);
      await installInto(join(app, 'node_modules'), folder, nest);
      await cp(FIXTURES, app, { recursive: true });
      const compilerOptions = {
        module: 'nodenext',
        target: 'es2023',
        strict: true,
        experimentalDecorators: true,
        emitDecoratorMetadata: true,
        skipLibCheck: true,
        types: ['node'],
      };
      await writeFile(join(app, 'package.json'), JSON.stringify({ private: true, type }));
      await writeFile(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
      return app;
    },
    remove: () => rm(temporary, { recursive: true, force: true }),
  };
}

/**
 * An installation without a registry: links to what is installed here. Copied is what imports Nest and
 * must find the application's: the package itself and `@nestjs/axios`.
 */
async function installInto(modules: string, packed: string, nest: 11 | 12): Promise<void> {
  const installed = join(ROOT, 'node_modules');
  await mkdir(join(modules, '@nestjs'), { recursive: true });
  for (const name of await readdir(installed)) {
    if (name === '@nestjs' || name.startsWith('.') || name === 'nestjs-genauth') continue;
    await symlink(join(installed, name), join(modules, name));
  }
  const ofNest = nest === 11 ? NEST_11 : installed;
  for (const name of ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express']) {
    if (!existsSync(join(ofNest, name))) {
      throw new Error(`${name} ${nest} is not installed: run npm ci`);
    }
    await symlink(join(ofNest, name), join(modules, name));
  }
  await cp(join(installed, '@nestjs/axios'), join(modules, '@nestjs/axios'), { recursive: true });
  await cp(packed, join(modules, 'nestjs-genauth'), { recursive: true });
}
