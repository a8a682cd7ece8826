import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** Whether processes can be kept on a core of their own here. */
export const canPin =
  availableParallelism() > 1 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** Where a process runs: what is measured, what puts load on it, or either. */
export type Core = 'measured' | 'load' | 'any';

const CORES: Readonly<Record<Core, string>> = { measured: '0', load: '1', any: '0,1' };

/** How a child is started. */
export interface ChildOptions {
  readonly core: Core;
  /** What it is told at its start. */
  readonly settings?: unknown;
  readonly nodeOptions?: readonly string[];
}

interface Question {
  readonly name: string;
  readonly argument: unknown;
}

interface Answer {
  readonly value?: unknown;
  readonly failure?: string;
}

/** A process of the benchmark, which answers one question at a time. */
export class Child {
  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when the process is up. @param file compiled, as seen from `base` */
  static async start(base: string, file: string, options: ChildOptions): Promise<Child> {
    const { core, settings = {}, nodeOptions = [] } = options;
    const node = ['--expose-gc', '--no-warnings', ...nodeOptions];
    const child = fork(new URL(file, base), {
      ...(canPin
        ? { execPath: 'taskset', execArgv: ['-c', CORES[core], process.execPath, ...node] }
        : { execArgv: node }),
      env: { ...process.env, BENCH_SETTINGS: JSON.stringify(settings), NODE_ENV: 'production' },
      serialization: 'advanced',
    });
    const started = new Child(child);
    await started.#answer();
    return started;
  }

  async ask<T>(name: string, argument?: unknown): Promise<T> {
    const answer = this.#answer();
    this.child.send({ name, argument } satisfies Question);
    return (await answer) as T;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  async #answer(): Promise<unknown> {
    const ended = new AbortController();
    const { signal } = ended;
    try {
      const died = once(this.child, 'exit', { signal }).then(() => [
        { failure: 'the process has ended' },
      ]);
      const [answer] = (await Promise.race([once(this.child, 'message', { signal }), died])) as [
        Answer,
      ];
      if (answer.failure !== undefined)
        throw new Error(`${this.child.spawnargs.at(-1)}: ${answer.failure}`);
      return answer.value;
    } finally {
      ended.abort();
    }
  }
}

/** The other side of `Child`: what this process was told at its start. */
export function settingsOf<T>(): T {
  return JSON.parse(process.env['BENCH_SETTINGS'] ?? '{}') as T;
}

type Replies = Readonly<Record<string, (argument: never) => unknown>>;

/** The other side of `Child`: says that this process is up, and answers until the parent is gone. */
export function answerParent(replies: Replies): void {
  process.on('message', ({ name, argument }: Question) => {
    void (async () => {
      try {
        send({ value: await replies[name]?.(argument as never) });
      } catch (error) {
        send({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
      }
    })();
  });
  process.on('disconnect', () => process.exit());
  send({});
}

function send(answer: Answer): void {
  process.send?.(answer);
}
