import { cpus, loadavg, release, totalmem, type } from 'node:os';

import { canPin } from './child.js';

/** Where a run was made. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly system: string;
  /** Whether server and load had a core each to themselves. */
  readonly pinned: boolean;
  /** Of the minute before the run: what others do on the machine. */
  readonly load: number;
}

export function thisMachine(): Machine {
  const [first] = cpus();
  return {
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    system: `${type()} ${release()}`,
    pinned: canPin,
    load: loadavg()[0] ?? NaN,
  };
}
