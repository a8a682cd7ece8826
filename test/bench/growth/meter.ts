import { monitorEventLoopDelay, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What it took to grow to a size. */
export interface Step {
  readonly count: number;
  /** In use beyond what was there before, after a collection. */
  readonly bytes: number;
  /** For each thing that was added since the last step. */
  readonly usEach: number;
  /** The longest pause for the garbage collector since the last step. */
  readonly longestPauseMs: number;
  /** The longest time between ticks of a timer of one millisecond since the last step. */
  readonly longestDelayMs: number;
}

/** Heap and typed arrays, after a collection. */
export function bytesInUse(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Watches something grow. */
export class Meter {
  readonly #observer = new PerformanceObserver((list) => this.#note(list.getEntries()));
  readonly #delay = monitorEventLoopDelay({ resolution: 1 });
  readonly #before = bytesInUse();
  readonly #steps: Step[] = [];
  #pauses: number[] = [];

  constructor() {
    this.#observer.observe({ entryTypes: ['gc'] });
  }

  get steps(): readonly Step[] {
    return this.#steps;
  }

  /** Grows from the last step to `count`. @param grow adds things; turns of the event loop go by meanwhile */
  async step(count: number, grow: (more: number) => Promise<void>): Promise<void> {
    const more = count - (this.#steps.at(-1)?.count ?? 0);
    // Whatever was collected on purpose, to count what is in use, is no pause.
    await nextTurn();
    this.#observer.takeRecords();
    this.#pauses = [];
    this.#delay.enable();
    this.#delay.reset();
    const startedAt = performance.now();
    await grow(more);
    const ms = performance.now() - startedAt;
    this.#delay.disable();
    await nextTurn();
    this.#note(this.#observer.takeRecords());
    this.#steps.push({
      count,
      bytes: bytesInUse() - this.#before,
      usEach: (ms * 1_000) / more,
      longestPauseMs: Math.max(0, ...this.#pauses),
      longestDelayMs: this.#delay.max / 1e6,
    });
  }

  #note(entries: readonly PerformanceEntry[]): void {
    this.#pauses.push(...entries.map(({ duration }) => duration));
  }
}
