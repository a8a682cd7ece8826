import type { Goal } from '../goals.js';
import type { Machine } from './machine.js';
import type { Section } from './report.js';

/** One run, as it is written to the JSON file. */
export interface Result {
  readonly takenAt: string;
  readonly size: 'smoke' | 'quick' | 'full';
  readonly machine: Machine;
  /** Of everybody who was compared. */
  readonly versions: Readonly<Record<string, string>>;
  readonly goals: readonly Goal[];
  readonly sections: readonly Section[];
}
