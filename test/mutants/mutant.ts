import type { Patch } from '../simulation/patch.js';

/** The program with one thing wrong. The test that is named must notice. */
export interface Mutant {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** The test that kills it: its file, and its title as it is written there. */
  readonly spec: string;
  readonly test: string;
}
