import { Bell } from './bell.js';
import type { Healer } from './healer.js';
import type { Janitor } from './janitor.js';
import { Pause } from './pause.js';
import type { Prover } from './prover.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import type { ServerCheck } from './server-check.js';

const MINUTE_MS = 60_000;

/** The parts of a reader, all but the bell on one connection. */
export interface ReaderParts {
  readonly check: ServerCheck;
  readonly prover: Prover;
  readonly healer: Healer;
  readonly janitor: Janitor;
}

/** Keeps this process current: proves each heartbeat and at each ring, heals and trims in between. */
export class Reader {
  readonly #pause: Pause;
  readonly #asides: Pause;
  readonly #bellPause: Pause;
  readonly #bell: Bell;
  #attempted: (() => void)[] = [];

  constructor(
    private readonly links: { readonly reader: RedisLink; readonly bell: RedisLink },
    private readonly parts: ReaderParts,
    private readonly setup: LogSetup,
  ) {
    this.#pause = new Pause(setup.clock);
    this.#asides = new Pause(setup.clock);
    this.#bellPause = new Pause(setup.clock);
    this.#bell = new Bell(links.bell, this.#bellPause, setup);
  }

  /** Reads until `stop`. */
  async run(onProven: () => void, onFault: (error: unknown) => void): Promise<void> {
    const asides = this.#tend(onFault);
    const listening = this.#bell.listen(
      () => this.parts.prover.cursor,
      () => this.#ring(),
      onFault,
    );
    while (!this.#pause.over) {
      const isProven = await this.#attempt(onProven, onFault);
      for (const attempted of this.#attempted.splice(0)) attempted();
      // What could not be read rings at once again, and would do so without end.
      if (!isProven) await this.#pause.rest(this.setup.heartbeatMs);
      else {
        await this.#pause.rest(this.setup.minPollGapMs);
        await this.#pause.wait(this.setup.heartbeatMs);
      }
    }
    await Promise.all([asides, listening]);
  }

  stop(): void {
    for (const pause of [this.#pause, this.#asides, this.#bellPause]) pause.end();
    for (const link of [this.links.reader, this.links.bell]) link.close();
    for (const attempted of this.#attempted.splice(0)) attempted();
  }

  /** @returns whether this process is current */
  async #attempt(onProven: () => void, onFault: (error: unknown) => void): Promise<boolean> {
    try {
      await this.parts.check.check();
      await this.parts.prover.prove();
      onProven();
      return true;
    } catch (error) {
      // Whatever it was, another connection may lead to a server that is fit.
      for (const link of [this.links.reader, this.links.bell]) link.drop();
      if (!this.#pause.over) onFault(error);
      return false;
    }
  }

  /** What need not happen at once: brings back what the log lost, and trims it. */
  async #tend(onFault: (error: unknown) => void): Promise<void> {
    const { healer, janitor } = this.parts;
    let trimmedAgoMs = Math.random() * MINUTE_MS;
    while (!this.#asides.over) {
      await this.#asides.rest(this.setup.heartbeatMs * (0.5 + Math.random()));
      if (this.#asides.over) return;
      trimmedAgoMs += this.setup.heartbeatMs;
      try {
        await healer.heal((ms) => this.#asides.rest(ms));
        if (trimmedAgoMs < MINUTE_MS || !this.setup.janitor) continue;
        trimmedAgoMs = 0;
        await janitor.trim();
      } catch (error) {
        if (!this.#asides.over) onFault(error);
      }
    }
  }

  #ring(): Promise<void> {
    this.#pause.ring();
    return new Promise((resolve) => {
      if (this.#pause.over) resolve();
      else this.#attempted.push(resolve);
    });
  }
}
