import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const LONGEST_MS = 30_000;

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** A server in a process and a directory of its own, that tests may kill and freeze. */
export abstract class ServerProcess {
  protected readonly dir: string;
  #child: ChildProcess | undefined;

  protected constructor(private readonly command: string) {
    this.dir = mkdtempSync(join(tmpdir(), `${command}-`));
  }

  /** Starts it again, with the data that it has. Resolves when it answers. */
  abstract restart(): Promise<void>;

  protected launch(args: readonly string[]): void {
    const child = spawn(this.command, args, { stdio: 'ignore' });
    this.#child = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  freeze(): void {
    this.#child?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Ends it and removes its data. */
  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    const deadline = Date.now() + LONGEST_MS;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > deadline) throw new Error(`${this.command} did not get there in time`);
      await sleep(10);
    }
  }
}
