import { setImmediate as nextTurn } from 'node:timers/promises';

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  /** Operations of one `run`. */
  readonly operations: number;
  /** Before each run, and not measured. */
  readonly prepare?: () => void | Promise<void>;
  readonly run: () => void | Promise<void>;
}

/** Microseconds for one operation, round by round. */
export interface Took {
  /** CPU time of the process: whoever else is on the machine does not count. */
  readonly cpuUs: number[];
  /** By the clock, with everything that was waited for. */
  readonly elapsedUs: number[];
}

export type Measured = ReadonlyMap<string, Took>;

/** Rounds that count for nothing. */
export const WARM_UPS = 2;

/** Runs the contenders in turn, another first each time, after rounds that only warm up. */
export async function alternate(
  contenders: readonly Contender[],
  rounds: number,
): Promise<Measured> {
  const measured = new Map(
    contenders.map(({ name }) => [name, { cpuUs: [], elapsedUs: [] } as Took]),
  );
  for (let round = -WARM_UPS; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(turn + round + WARM_UPS) % contenders.length];
      if (!contender) continue;
      const took = await timed(contender);
      if (round < 0) continue;
      measured.get(contender.name)?.cpuUs.push(took.cpuUs);
      measured.get(contender.name)?.elapsedUs.push(took.elapsedUs);
    }
  }
  return measured;
}

async function timed({ prepare, run, operations }: Contender) {
  await prepare?.();
  // What the one before has left to do is done in nobody's time.
  await nextTurn();
  const before = process.cpuUsage();
  const startedAt = performance.now();
  const pending = run();
  if (pending) await pending;
  const elapsedUs = ((performance.now() - startedAt) * 1_000) / operations;
  const { user, system } = process.cpuUsage(before);
  return { cpuUs: (user + system) / operations, elapsedUs };
}
