import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { patched } from '../simulation/patch.js';
import { mutants } from './mutants.js';

/** The rows of the page: the mutant, the file and the title of the test that kills it. */
function rows(): string[][] {
  const lines = readFileSync('docs/mutants.md', 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replaceAll(/^[`_]|[`_]$/g, '')));
}

describe('The mutants', () => {
  it('are those in the table, each with the test that kills it', () => {
    expect(rows()).toEqual(mutants.map(({ name, spec, test }) => [name, spec, test]));
  });

  it.each(mutants)('can still be made: $name', ({ patches }) => {
    const texts = new Map<string, string>();
    for (const patch of patches) {
      const text = texts.get(patch.file) ?? readFileSync(patch.file, 'utf8');
      texts.set(patch.file, patched(text, patch));
    }
    expect(texts.size).toBeGreaterThan(0);
  });

  it.each(mutants)('have tests that exist: $test', ({ spec, test }) => {
    const source = readFileSync(spec, 'utf8');
    expect([`'${test}'`, `"${test}"`].some((title) => source.includes(title))).toBe(true);
  });
});
