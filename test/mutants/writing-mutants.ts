import type { Mutant } from './mutant.js';

const FLEET = 'src/revocation/fleet';
const REDIS = 'src/revocation/redis';
const APPENDER = { spec: `${REDIS}/appender.spec.ts` };
const LOG = { spec: `${REDIS}/redis-revocation-log.spec.ts` };

export const writingMutants: readonly Mutant[] = [
  {
    name: 'errors inside a write are passed over',
    patches: [
      {
        file: `${REDIS}/redis-writer.ts`,
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
        file: `${REDIS}/redis-writer.ts`,
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
        file: `${REDIS}/redis-writer.ts`,
        find: '&& termIn(replication) === attempt.term',
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
        file: `${FLEET}/healer.ts`,
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
        file: `${FLEET}/link.ts`,
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
        file: `${FLEET}/wire.ts`,
        find: '`${Math.min(Math.max(instant, -LAST_INSTANT), LAST_INSTANT)}`',
        replace: '`${instant}`',
      },
    ],
    spec: `${FLEET}/wire.spec.ts`,
    test: 'that is to last until %d is read, and lasts',
  },
  {
    name: 'ids are ordered as text',
    patches: [
      {
        file: `${REDIS}/stream-id.ts`,
        find: 'return ms < otherMs || (ms === otherMs && seq < otherSeq);',
        replace: 'return ms < otherMs || id < other;',
      },
    ],
    spec: `${REDIS}/stream-id.spec.ts`,
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
          'if (reply !== null) {\n          const [, rows] = (reply as [string, [string][]][])[0] as [string, [string][]];\n          (this as { jump?: (id: string) => void }).jump?.(rows[0]?.[0] ?? "");\n          await ring();\n        }',
      },
      {
        file: `${REDIS}/redis-revocation-log.ts`,
        find: 'const reader = ',
        replace:
          'Object.assign(parts.bell, { jump: (id: string) => prover.jump(id) });\n    const reader = ',
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
        file: `${FLEET}/reader.ts`,
        find: 'if (!isProven) await this.#pause.rest(this.setup.heartbeatMs);',
        replace: 'if (!isProven) await this.#pause.wait(this.setup.heartbeatMs);',
      },
    ],
    ...LOG,
    test: 'does not ask without end when what rings cannot be read',
  },
];
