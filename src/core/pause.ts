import type { Clock } from './clock.js';

/** Waits that can be cut short, by news or by the end. */
export class Pause {
  #wake: (() => void) | undefined;
  #rung = false;
  #over = false;

  constructor(private readonly clock: Clock) {}

  /** Whether `end` was called. */
  get over(): boolean {
    return this.#over;
  }

  /** Resolves after the time, or as soon as `ring` was called since the last wait, or at the end. */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) await this.#sleep(ms, true);
    this.#rung = false;
  }

  /** As `wait`, but hears no ring; it is kept for the next `wait`. */
  async rest(ms: number): Promise<void> {
    await this.#sleep(ms, false);
  }

  ring(): void {
    this.#rung = true;
    this.#wake?.();
  }

  /** Ends every wait, now and in future. */
  end(): void {
    this.#over = true;
    this.#cancel();
  }

  #cancel: () => void = () => {};

  #sleep(ms: number, hears: boolean): Promise<void> {
    if (this.#over) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        cancel();
        this.#wake = undefined;
        this.#cancel = () => {};
        resolve();
      };
      const cancel = this.clock.setTimeout(done, ms);
      this.#cancel = done;
      if (hears) this.#wake = done;
    });
  }
}
