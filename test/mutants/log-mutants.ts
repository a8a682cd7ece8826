import type { Mutant } from './mutants.js';

const REDIS = 'src/revocation/redis';
const LEASE = { spec: `${REDIS}/lease.spec.ts` };
const PROVER = { spec: `${REDIS}/prover.spec.ts` };
const APPENDER = { spec: `${REDIS}/appender.spec.ts` };
const LOG = { spec: `${REDIS}/redis-revocation-log.spec.ts` };

const leaseMutants: readonly Mutant[] = [
  {
    name: 'the lease lasts twice as long',
    patches: [
      {
        file: `${REDIS}/lease.ts`,
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
        file: `${REDIS}/lease.ts`,
        find: 'const wallMs = this.clock.wall() - this.#proof.wall;',
        replace: 'const wallMs = this.clock.mono() - this.#proof.mono;',
      },
    ],
    ...LEASE,
    test: 'ends when the wall clock alone says so: the machine may have slept',
  },
  {
    name: 'the lease does not look at the monotonic clock',
    patches: [
      {
        file: `${REDIS}/lease.ts`,
        find: 'const monoMs = this.clock.mono() - this.#proof.mono;',
        replace: 'const monoMs = this.clock.wall() - this.#proof.wall;',
      },
    ],
    ...LEASE,
    test: 'ends when the monotonic clock alone says so: the wall clock may have been set back',
  },
  {
    name: 'clocks may part as they like',
    patches: [
      {
        file: `${REDIS}/lease.ts`,
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
        file: `${REDIS}/lease.ts`,
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

const proverMutants: readonly Mutant[] = [
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
        find: "this.healer.schedule(isFar ? 'all' : 'recent', this.#cursor);",
        replace: 'if (isFar) this.#cursor = BEGINNING;',
      },
    ],
    ...PROVER,
    test: 'gives back what another master lacks, and only that',
  },
];

const writingMutants: readonly Mutant[] = [
  {
    name: 'errors inside a write are passed over',
    patches: [
      {
        file: `${REDIS}/appender.ts`,
        find: 'for (const reply of replies) if (reply instanceof Error) throw reply;',
        replace: '',
      },
    ],
    ...APPENDER,
    test: 'does not take for written what was refused inside a transaction',
  },
  {
    name: 'replicas are waited for, and not counted',
    patches: [
      {
        file: `${REDIS}/appender.ts`,
        find: 'if (Number(reached) >= replicas) return;',
        replace: 'if (Number(reached) >= 0) return;',
      },
    ],
    ...APPENDER,
    test: 'does not acknowledge what too few replicas have confirmed',
  },
  {
    name: 'replicas of another master confirm as well',
    patches: [
      {
        file: `${REDIS}/appender.ts`,
        find: '&& termIn(replication) === group.term',
        replace: '&& termIn(replication) !== undefined',
      },
    ],
    ...APPENDER,
    test: 'adds again what another master may lack: its word about replicas speaks of other writes',
  },
  {
    name: 'the healer writes everything at once',
    patches: [
      {
        file: `${REDIS}/healer.ts`,
        find: 'await this.append(lacking);',
        replace: 'void this.append(lacking);',
      },
    ],
    spec: `${REDIS}/healer.spec.ts`,
    test: 'brings back everything that the log lacks, one page after the other',
  },
  {
    name: 'an exchange may take as long as it likes',
    patches: [
      {
        file: `${REDIS}/redis-link.ts`,
        find: 'const cancel = this.clock.setTimeout(end, limitMs);',
        replace: 'const cancel = this.clock.setTimeout(end, limitMs * 1_000);',
      },
    ],
    spec: `${REDIS}/redis-link.spec.ts`,
    test: 'gives up on a connection that does not answer, and makes another',
  },
  {
    name: 'an instant is written as it comes',
    patches: [
      {
        file: `${REDIS}/wire.ts`,
        find: '`${Math.min(Math.max(instant, -LAST_INSTANT), LAST_INSTANT)}`',
        replace: '`${instant}`',
      },
    ],
    spec: `${REDIS}/wire.spec.ts`,
    test: 'that is to last until %d is read, and lasts',
  },
  {
    name: 'ids are ordered as text',
    patches: [
      {
        file: `${REDIS}/wire.ts`,
        find: 'return ms < otherMs || (ms === otherMs && seq < otherSeq);',
        replace: 'return ms < otherMs || id < other;',
      },
    ],
    spec: `${REDIS}/wire.spec.ts`,
    test: 'are ordered as numbers: %s is earlier than %s: %s',
  },
  {
    name: 'the log is trimmed as soon as tokens may be dead',
    patches: [
      {
        file: `${REDIS}/janitor.ts`,
        find: 'GRACE_MS = 600_000',
        replace: 'GRACE_MS = 0',
      },
    ],
    spec: 'test/e2e/guarantees.e2e-spec.ts',
    test: 'G9 bounded: what no token can need any more leaves the log, and nothing before its time',
  },
  {
    name: 'errands that fail keep those behind them waiting',
    patches: [
      {
        file: `${REDIS}/outbox.ts`,
        find: 'this.#next = next;',
        replace: 'if (next === "") return [];',
      },
    ],
    spec: 'test/e2e/redis-outbox.e2e-spec.ts',
    test: 'is run although those before it fail again and again',
  },
  {
    name: 'the bell moves the cursor',
    patches: [
      {
        file: `${REDIS}/bell.ts`,
        find: 'if (reply !== null) await ring();',
        replace:
          'if (reply !== null) {\n          const [, rows] = (reply as [string, [string][]][])[0] as [string, [string][]];\n          (this.pause as { jump?: (id: string) => void }).jump?.(rows[0]?.[0] ?? "");\n          await ring();\n        }',
      },
      {
        file: `${REDIS}/reader.ts`,
        find: 'const asides = ',
        replace:
          'Object.assign(this.#bellPause, { jump: (id: string) => this.parts.prover.jump(id) });\n    const asides = ',
      },
      {
        file: `${REDIS}/prover.ts`,
        find: 'async prove(): Promise<void> {',
        replace:
          'jump(id: string) {\n    this.#cursor = id;\n  }\n\n  async prove(): Promise<void> {',
      },
    ],
    ...LOG,
    test: 'moves its cursor by no ring: what an old master says late skips nothing',
  },
  {
    name: 'what cannot be read rings without end',
    patches: [
      {
        file: `${REDIS}/reader.ts`,
        find: 'if (!isProven) await this.#pause.rest(this.setup.heartbeatMs);',
        replace: 'if (!isProven) await this.#pause.wait(this.setup.heartbeatMs);',
      },
    ],
    ...LOG,
    test: 'does not ask without end when what rings cannot be read',
  },
];

export const logMutants: readonly Mutant[] = [...leaseMutants, ...proverMutants, ...writingMutants];
