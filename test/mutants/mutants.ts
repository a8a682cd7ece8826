import { indexMutants, roadMutants } from './index-mutants.js';
import { leaseMutants, proverMutants } from './log-mutants.js';
import type { Mutant } from './mutant.js';
import { writingMutants } from './writing-mutants.js';

export const mutants: readonly Mutant[] = [
  ...leaseMutants,
  ...proverMutants,
  ...writingMutants,
  ...indexMutants,
  ...roadMutants,
];
