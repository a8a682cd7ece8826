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
export type Measured = ReadonlyMap<string, readonly number[]>;

/** Runs the contenders in turn, another first each time, after rounds that only warm up. */
export async function alternate(
  contenders: readonly Contender[],
  rounds: number,
  warmUps = 2,
): Promise<Measured> {
  const measured = new Map(contenders.map(({ name }) => [name, [] as number[]]));
  for (let round = -warmUps; round < rounds; round += 1) {
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(turn + round + warmUps) % contenders.length];
      if (!contender) continue;
      const took = await timed(contender);
      if (round >= 0) measured.get(contender.name)?.push(took);
    }
  }
  return measured;
}

async function timed({ prepare, run, operations }: Contender): Promise<number> {
  await prepare?.();
  // What a contender has left behind is collected in nobody's time.
  await nextTurn();
  const startedAt = performance.now();
  const pending = run();
  if (pending) await pending;
  return ((performance.now() - startedAt) * 1_000) / operations;
}
