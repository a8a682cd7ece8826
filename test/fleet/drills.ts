import type { Fleet } from './fleet.js';

/** One thing that goes wrong around a revocation. */
export interface Drill {
  readonly name: string;
  /** Before the token is revoked on the first process. */
  readonly before?: (fleet: Fleet) => unknown;
  /** As soon as that was acknowledged. */
  readonly after?: (fleet: Fleet) => unknown;
  /** When the bound is over: everything is set right again. */
  readonly mend?: (fleet: Fleet) => unknown;
}

/** The process that revokes, and the one that suffers. */
const REVOKING = 0;
const SUFFERING = 3;

export const drills: readonly Drill[] = [
  { name: 'nothing goes wrong' },
  {
    name: 'the process that revoked is killed and starts again',
    after: (fleet) => killAndStart(fleet, REVOKING),
  },
  {
    name: 'another process is killed and starts again',
    before: (fleet) => fleet.processes[SUFFERING]?.kill(),
    after: (fleet) => fleet.processes[SUFFERING]?.start(),
  },
  {
    name: 'one process is cut off from Redis',
    before: (fleet) => fleet.processes[SUFFERING]?.line.silence(),
    mend: (fleet) => fleet.processes[SUFFERING]?.line.accept(),
  },
  {
    name: 'Redis freezes',
    after: (fleet) => fleet.redis.freeze(),
    mend: (fleet) => fleet.redis.thaw(),
  },
  {
    name: 'Redis is killed and comes back with its data',
    after: async (fleet) => {
      await fleet.redis.kill();
      await fleet.redis.restart();
    },
  },
  {
    name: 'Redis is wiped, and a process starts anew',
    after: async (fleet) => {
      await fleet.redis.send('FLUSHALL');
      await killAndStart(fleet, SUFFERING);
    },
  },
  {
    name: 'Redis fails over to its replica',
    after: (fleet) => fleet.failOver(),
  },
];

async function killAndStart(fleet: Fleet, place: number): Promise<void> {
  await fleet.processes[place]?.kill();
  await fleet.processes[place]?.start();
}
