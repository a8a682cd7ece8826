import { Clock } from '../../src/index.js';

/** The machine's clock, set back or forward: how an application becomes an hour old without waiting. */
export class ShiftedClock extends Clock {
  /** How far the wall clock alone was set. */
  wallShiftMs = 0;

  constructor(public shiftMs = 0) {
    super();
  }

  override wall(): number {
    return Date.now() + this.shiftMs + this.wallShiftMs;
  }

  override mono(): number {
    return performance.now() + this.shiftMs;
  }

  override setTimeout(callback: () => void, delayMs: number): () => void {
    const timer = setTimeout(callback, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  }
}
