import type { Endpoint } from './request-log.js';

/** Keeps answers back until released; the server has already decided on them. */
export interface Hold {
  /** Resolves when the first request waits. */
  readonly arrived: Promise<void>;
  /** How many requests wait now. */
  readonly waiting: number;
  /** Lets the waiting answers go, and all later ones. */
  release(): void;
}

class OpenableHold implements Hold {
  readonly arrived: Promise<void>;
  waiting = 0;
  readonly #released: Promise<void>;
  #arrive!: () => void;
  #open!: () => void;

  constructor(private readonly onRelease: (hold: OpenableHold) => void) {
    this.arrived = new Promise((resolve) => (this.#arrive = resolve));
    this.#released = new Promise((resolve) => (this.#open = resolve));
  }

  release(): void {
    this.onRelease(this);
    this.#open();
  }

  async pass(): Promise<void> {
    this.waiting += 1;
    this.#arrive();
    await this.#released;
    this.waiting -= 1;
  }
}

/** The holds in force, per endpoint. */
export class Holds {
  readonly #holds = new Map<OpenableHold, Endpoint | '*'>();

  /** Holds the endpoint's answers from now on. */
  add(endpoint: Endpoint | '*'): Hold {
    const hold = new OpenableHold((released) => this.#holds.delete(released));
    this.#holds.set(hold, endpoint);
    return hold;
  }

  /** Resolves when nothing holds this answer back any more. */
  async pass(endpoint: Endpoint): Promise<void> {
    const holds = [...this.#holds].filter(([, held]) => held === endpoint || held === '*');
    await Promise.all(holds.map(([hold]) => hold.pass()));
  }

  /** Releases every hold. */
  releaseAll(): void {
    for (const hold of this.#holds.keys()) hold.release();
  }
}
