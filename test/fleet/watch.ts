import { setTimeout as sleep } from 'node:timers/promises';

import type { Fleet } from './fleet.js';
import type { FleetProcess, Reply } from './fleet-process.js';

const LONGEST_MS = 30_000;

/** Sends one token to every process, over and over, and keeps the latest moment at which one accepted it. */
export class Watch {
  #over = false;
  readonly #latest = new Map<FleetProcess, number>();
  readonly #counts = new Map<number | undefined, number>();
  readonly #loops: Promise<void>[];

  constructor(
    fleet: Fleet,
    readonly token: string,
    private readonly everyMs = 4,
  ) {
    this.#loops = fleet.processes.map((one) => this.#ask(one));
  }

  /** The latest acceptance anywhere, epoch milliseconds. */
  get latest(): number {
    return Math.max(...this.#latest.values());
  }

  /** How many answers had this status; `undefined` stands for no answer. */
  count(status: number | undefined): number {
    return this.#counts.get(status) ?? 0;
  }

  /** Resolves when every process of the fleet has accepted the token. @throws {Error} that does not happen */
  async untilAcceptedBy(processes: number): Promise<void> {
    const deadline = Date.now() + LONGEST_MS;
    while (this.#latest.size < processes) {
      if (Date.now() > deadline) throw new Error('some process does not accept a good token');
      await sleep(5);
    }
  }

  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }

  async #ask(one: FleetProcess): Promise<void> {
    while (!this.#over) {
      const reply = await one.me(this.token);
      this.#note(one, reply);
      await sleep(reply.status === undefined ? 20 : this.everyMs);
    }
  }

  #note(one: FleetProcess, { status, body }: Reply): void {
    this.#counts.set(status, this.count(status) + 1);
    if (status !== 200) return;
    const { acceptedAt } = JSON.parse(body) as { acceptedAt: number };
    this.#latest.set(one, Math.max(this.#latest.get(one) ?? 0, acceptedAt));
  }
}
