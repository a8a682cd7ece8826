import { Clock } from '../../src/core/clock.js';
import type { World } from './world.js';

/** The instant at which the simulations begin, epoch milliseconds. */
export const DAWN = Date.UTC(2031, 0, 6, 9);

/** A machine: two clocks that are not quite right, and now and then a pause. */
export class Machine extends Clock {
  /** Seconds of this machine for one true second. */
  readonly #rate: number;
  #offsetMs: number;
  /** How long the monotonic clock stood still while the machine slept. */
  #sleptMs = 0;
  #pausedUntil = -Infinity;
  #asleepUntil = -Infinity;
  #waiting: (() => void)[] = [];
  #life = 0;

  constructor(
    readonly world: World,
    readonly name: string,
    mostApartMs: number,
  ) {
    super();
    const { random } = world;
    this.#rate = random.between(0.999, 1.001);
    this.#offsetMs = random.between(-mostApartMs, mostApartMs);
  }

  override wall(): number {
    return Math.floor(DAWN + this.#offsetMs + this.world.now * this.#rate);
  }

  override mono(): number {
    return this.world.now * this.#rate - this.#sleptMs;
  }

  override setTimeout(callback: () => void, delayMs: number): () => void {
    let isCancelled = false;
    const life = this.#life;
    this.world.after(delayMs / this.#rate, () =>
      this.do(() => {
        if (!isCancelled && life === this.#life) callback();
      }),
    );
    return () => (isCancelled = true);
  }

  /** Whether nothing runs here at the moment. */
  get isPaused(): boolean {
    return this.world.now < this.#pausedUntil;
  }

  /** Whether its monotonic clock stands still as well. */
  get isAsleep(): boolean {
    return this.world.now < this.#asleepUntil;
  }

  /** Now, or when the pause is over, in order. */
  do(work: () => void): void {
    if (this.isPaused || this.#waiting.length > 0) this.#waiting.push(work);
    else work();
  }

  /** Nothing runs for a while. A machine that sleeps stops its monotonic clock too. */
  pause(ms: number, sleeps = false): void {
    if (this.isPaused) return;
    this.#pausedUntil = this.world.now + ms;
    if (sleeps) {
      this.#sleptMs += ms * this.#rate;
      this.#asleepUntil = this.#pausedUntil;
    }
    this.world.after(ms, () => this.#resume());
  }

  /** Somebody sets the wall clock. */
  step(ms: number): void {
    this.#offsetMs += ms;
  }

  /** Whatever was under way is gone. */
  restart(): void {
    this.#life += 1;
    this.#waiting = [];
  }

  /** One piece of work after the other, as an event loop does it. */
  #resume(): void {
    const next = this.#waiting.shift();
    if (!next) return;
    next();
    this.world.after(0, () => this.#resume());
  }
}
