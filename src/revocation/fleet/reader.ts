import { Pause } from '../../core/pause.js';
import type { FleetSetup } from './fleet-setup.js';

const MINUTE_MS = 60_000;

/** The parts of a reader. */
export interface ReaderParts {
  /** Whether the server is set up to hold the log. */
  readonly check: { check(): Promise<void> };
  readonly prover: { prove(): Promise<void> };
  readonly healer: { heal(pause: (ms: number) => Promise<void>): Promise<void> };
  /** Trims the log, if this process may. */
  readonly janitor?: { trim(): Promise<void> } | undefined;
  /** Listens for news until it is stopped. */
  readonly bell?: Bell;
  /** Replaced whenever a proof has failed: another connection may lead to a server that is fit. */
  readonly links: readonly { drop(): void; close(): void }[];
}

/** Rings when there is something new to read. It only saves waiting: what it hears moves nothing. */
export interface Bell {
  /** @param ring resolves when somebody has tried to read */
  listen(ring: () => Promise<void>, onFault: (error: unknown) => void): Promise<void>;
  stop(): void;
}

/** Keeps this process current: proves each heartbeat and at each ring, heals and trims in between. */
export class Reader {
  readonly #pause: Pause;
  readonly #asides: Pause;
  #attempted: (() => void)[] = [];

  constructor(
    private readonly parts: ReaderParts,
    private readonly setup: FleetSetup,
  ) {
    this.#pause = new Pause(setup.clock);
    this.#asides = new Pause(setup.clock);
  }

  /** Reads until `stop`. */
  async run(onProven: () => void, onFault: (error: unknown) => void): Promise<void> {
    const asides = this.#tend(onFault);
    const listening = this.parts.bell?.listen(() => this.#ring(), onFault);
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
    for (const pause of [this.#pause, this.#asides]) pause.end();
    this.parts.bell?.stop();
    for (const link of this.parts.links) link.close();
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
      for (const link of this.parts.links) link.drop();
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
        if (trimmedAgoMs < MINUTE_MS || !janitor) continue;
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
