import { Random } from './random.js';

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** True time, which nobody in the simulation can read, and everything that is going to happen. */
export class World {
  readonly random: Random;
  #now = 0;
  #order = 0;
  /** A binary heap, the next event first. */
  readonly #events: Event[] = [];

  constructor(readonly seed: number) {
    this.random = new Random(seed);
  }

  /** Milliseconds since the beginning. */
  get now(): number {
    return this.#now;
  }

  at(instant: number, run: () => void): void {
    this.#push({ at: Math.max(instant, this.#now), order: this.#order++, run });
  }

  after(ms: number, run: () => void): void {
    this.at(this.#now + ms, run);
  }

  /** Lets everything happen up to that instant; what code awaits is settled between two events. */
  async run(until: number): Promise<void> {
    for (let next = this.#events[0]; next && next.at <= until; next = this.#events[0]) {
      this.#pop();
      this.#now = next.at;
      next.run();
      await settled();
    }
    this.#now = until;
  }

  #push(event: Event): void {
    const heap = this.#events;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isEarlier(event, heap[parent] as Event)) break;
      heap[place] = heap[parent] as Event;
      place = parent;
    }
    heap[place] = event;
  }

  #pop(): void {
    const heap = this.#events;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = place * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isEarlier(heap[child + 1] as Event, heap[child] as Event)) {
        child += 1;
      }
      if (!isEarlier(heap[child] as Event, last)) break;
      heap[place] = heap[child] as Event;
      place = child;
    }
    heap[place] = last;
  }
}

function isEarlier(one: Event, other: Event): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** Everything that was waiting for a promise has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
