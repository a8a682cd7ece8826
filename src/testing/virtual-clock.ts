interface Timer {
  readonly dueAt: number;
  readonly fire: () => void;
}

/**
 * A clock that stands still until a test moves it.
 *
 * It has a wall clock (epoch milliseconds) and a monotonic one; both move with `advance()`, only the
 * wall clock with `jump()`. Timers set on it fire while the monotonic clock passes them.
 */
export class VirtualClock {
  #wall: number;
  #mono = 0;
  readonly #timers = new Set<Timer>();

  /** @param startMs the wall clock's first reading; the present moment when left out */
  constructor(startMs: number = Date.now()) {
    this.#wall = startMs;
  }

  /** The wall clock, in epoch milliseconds. */
  now(): number {
    return this.#wall;
  }

  /** The wall clock, in epoch milliseconds: the same as `now()`. */
  wall(): number {
    return this.#wall;
  }

  /** Milliseconds passed since this clock was made; a `jump()` does not show here. */
  mono(): number {
    return this.#mono;
  }

  /** How many timers wait to fire. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Calls `fn` once the clock has advanced by `ms`. The answer cancels it. */
  setTimeout(fn: () => void, ms: number): () => void {
    const timer: Timer = { dueAt: this.#mono + Math.max(0, ms), fire: fn };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /**
   * Moves both clocks and fires, in order of due time, every timer that falls due on the way, also those
   * set meanwhile. Promises settle only afterwards; use `advanceAsync()` where timers depend on them.
   */
  advance(ms: number): void {
    const end = this.#mono + ms;
    for (let next = this.#nextDue(end); next; next = this.#nextDue(end)) this.#fire(next);
    this.#moveTo(end);
  }

  /** Like `advance()`, and lets promises and pending I/O callbacks run before, between and after the timers. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#mono + ms;
    await turn();
    for (let next = this.#nextDue(end); next; next = this.#nextDue(end)) {
      this.#fire(next);
      await turn();
    }
    this.#moveTo(end);
    await turn();
  }

  /** Moves the wall clock alone, forwards or backwards, as a clock correction does; no timer fires. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  #nextDue(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt <= end && (!next || timer.dueAt < next.dueAt)) next = timer;
    }
    return next;
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    this.#moveTo(Math.max(this.#mono, timer.dueAt));
    timer.fire();
  }

  #moveTo(mono: number): void {
    // A timer may itself have advanced the clock; it never runs backwards.
    if (mono <= this.#mono) return;
    this.#wall += mono - this.#mono;
    this.#mono = mono;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
