import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A change of a program by text: exactly one place is replaced. */
export interface Patch {
  /** Below the root of the tree. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** @throws {Error} the text is not there exactly once: the program has changed, and so must the patch */
export function patched(text: string, { file, find, replace }: Patch): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`${file} has ${count} places like: ${find}`);
  return text.replace(find, () => replace);
}

/** Changes the file below `tree`. @throws {Error} as `patched` */
export function applyPatch(tree: string, patch: Patch): void {
  const path = join(tree, patch.file);
  writeFileSync(path, patched(readFileSync(path, 'utf8'), patch));
}
