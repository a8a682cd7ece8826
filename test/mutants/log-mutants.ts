import type { Mutant } from './mutant.js';

const FLEET = 'src/revocation/fleet';
const REDIS = 'src/revocation/redis';
const LEASE = { spec: `${FLEET}/lease.spec.ts` };
const PROVER = { spec: `${REDIS}/prover.spec.ts` };

export const leaseMutants: readonly Mutant[] = [
  {
    name: 'the lease lasts twice as long',
    patches: [
      {
        file: `${FLEET}/lease.ts`,
        find: 'ageMs > this.maxStalenessMs',
        replace: 'ageMs > 2 * this.maxStalenessMs',
      },
    ],
    ...LEASE,
    test: 'holds while its proof is no older than the limit, and not a moment longer',
  },
  {
    name: 'the lease does not look at the wall clock',
    patches: [
      {
        file: `${FLEET}/lease.ts`,
        find: 'const wallMs = wall - this.#proof.wall;',
        replace: 'const wallMs = mono - this.#proof.mono;',
      },
    ],
    ...LEASE,
    test: 'ends when the wall clock alone says so: the machine may have slept',
  },
  {
    name: 'the lease does not look at the monotonic clock',
    patches: [
      {
        file: `${FLEET}/lease.ts`,
        find: 'const monoMs = mono - this.#proof.mono;',
        replace: 'const monoMs = wall - this.#proof.wall;',
      },
    ],
    ...LEASE,
    test: 'ends when the monotonic clock alone says so: the wall clock may have been set back',
  },
  {
    name: 'clocks may part as they like',
    patches: [
      {
        file: `${FLEET}/lease.ts`,
        find: 'MOST_DRIFT_MS = 60_000',
        replace: 'MOST_DRIFT_MS = 1e12',
      },
    ],
    ...LEASE,
    test: 'knows nothing when its clocks part by %d ms',
  },
  {
    name: 'a lease that has ended begins again when a clock is set back',
    patches: [
      {
        file: `${FLEET}/lease.ts`,
        find: 'Math.max(this.#seenMs, ageMs)',
        replace: 'ageMs',
      },
    ],
    ...LEASE,
    test: 'that was seen to have ended does not begin again when the clock is set back by %d ms',
  },
  {
    name: 'what is not understood is passed over',
    patches: [{ file: `${REDIS}/prover.ts`, find: 'this.lease.distrust(untilAt);', replace: '' }],
    ...PROVER,
    test: 'trusts itself no further than it understands',
  },
];

export const proverMutants: readonly Mutant[] = [
  {
    name: 'the lease runs from the reply',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'this.lease.renew(sent,',
        replace: 'this.lease.renew(momentOf(this.setup.clock),',
      },
    ],
    ...PROVER,
    test: 'has a proof as old as its question, however late the answer',
  },
  {
    name: 'another replication id is not looked at',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'return other || isEarlier(',
        replace: 'return isEarlier(',
      },
    ],
    ...PROVER,
    test: 'reads the overlap again under another master, though its ids have caught up',
  },
  {
    name: 'silent replicas count',
    patches: [
      {
        file: `${REDIS}/server-state.ts`,
        find: 'return lag !== null && Number(lag[1]) <= mostLagSeconds;',
        replace: 'return lag !== null && mostLagSeconds > 0;',
      },
    ],
    ...PROVER,
    test: 'proves nothing by a master whose replicas are silent: it may have been replaced',
  },
  {
    name: 'another beginning of the log is not looked at',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'return genesis !== this.#genesis || shrunk;',
        replace: 'return (genesis === null && this.#genesis !== undefined) || shrunk;',
      },
    ],
    ...PROVER,
    test: 'gives back everything to a log with another beginning, however long that has become',
  },
  {
    name: 'a log that has shrunk is taken for the same',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'return genesis !== this.#genesis || shrunk;',
        replace: 'return genesis !== this.#genesis && !shrunk;',
      },
    ],
    ...PROVER,
    test: 'gives back everything to a log that was deleted and begun again by somebody else',
  },
  {
    name: 'a replica proves as well as a master',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'if (!isMaster)',
        replace: 'if (isMaster === undefined)',
      },
    ],
    ...PROVER,
    test: 'proves nothing by a server that is no master',
  },
  {
    name: 'errors inside a proof are passed over',
    patches: [
      {
        file: `${REDIS}/server-state.ts`,
        find: 'if (reply instanceof Error) throw reply;',
        replace: '',
      },
    ],
    ...PROVER,
    test: 'proves nothing by a transaction of which command %d has failed',
  },
  {
    name: 'errors inside a beginning are passed over',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'for (const reply of replies) if (reply instanceof Error) throw reply;',
        replace: 'if (replies.length > 0) this.lease.renew(momentOf(this.setup.clock), 0);',
      },
    ],
    ...PROVER,
    test: 'does not take a log for begun whose beginning was refused',
  },
  {
    name: 'what is missing of the log is not asked about',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'added > length ? instantOfId(firstId) : 0',
        replace: 'added < length ? instantOfId(firstId) : 0',
      },
    ],
    ...PROVER,
    test: 'covers nothing issued before what is missing, and allows for the clocks of other masters',
  },
  {
    name: 'the clock of a new master counts like that of the one before',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: 'replicationId === this.#begunTerm ? begun : begun + overlapMs',
        replace: 'replicationId === this.#begunTerm ? begun : begun + 0 * overlapMs',
      },
    ],
    ...PROVER,
    test: 'covers less under a master by whose clock the log was not begun',
  },
  {
    name: 'nobody gives a new master back what it lacks',
    patches: [
      {
        file: `${REDIS}/prover.ts`,
        find: "this.healer.schedule(isFar || isLate ? 'all' : 'recent', this.#cursor);",
        replace: 'if (isFar || isLate) this.#cursor = BEGINNING;',
      },
    ],
    ...PROVER,
    test: 'gives back what another master lacks, and only that',
  },
];
