/**
 * The one source of time. Override the provider to run an application on a virtual clock.
 *
 * Wall time says when tokens expire; monotonic time says how long something took.
 */
export abstract class Clock {
  /** Wall time, epoch milliseconds. May jump. */
  abstract wall(): number;
  /** Milliseconds since an arbitrary start. Never goes back. */
  abstract mono(): number;
  /** Calls `callback` once after `delayMs`; the returned function cancels it. */
  abstract setTimeout(callback: () => void, delayMs: number): () => void;
}

/** One moment, on both clocks. Who decides several things at once reads them once. */
export interface Moment {
  readonly wall: number;
  readonly mono: number;
}

export function momentOf(clock: Clock): Moment {
  return { wall: clock.wall(), mono: clock.mono() };
}

const latest = new WeakMap<Clock, (now: number) => number>();

/**
 * The highest wall time seen of this clock, which reads `now`. What has expired stays so: a clock that is set
 * back brings no token back to life, and a revocation made meanwhile reaches what it should.
 */
export function latestWall(clock: Clock, now = clock.wall()): number {
  return latestWallOf(clock)(now);
}

/** As `latestWall`, for who asks with every request: everybody who asks of one clock is told the same. */
export function latestWallOf(clock: Clock): (now: number) => number {
  let latestOf = latest.get(clock);
  if (!latestOf) latest.set(clock, (latestOf = highest()));
  return latestOf;
}

function highest(): (now: number) => number {
  let seen = -Infinity;
  return (now) => {
    if (now > seen) seen = now;
    return seen;
  };
}

/** The machine's own clocks. Its timers do not keep a process alive. */
export class SystemClock extends Clock {
  override wall(): number {
    return Date.now();
  }

  override mono(): number {
    return performance.now();
  }

  override setTimeout(callback: () => void, delayMs: number): () => void {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  }
}
