import type { Clock } from '../../core/clock.js';
import type { Revocation } from '../../core/revocation.js';

/** More than these within the overlap, and the whole index is compared instead. */
const MOST = 65_536;

/** The facts that were read or acknowledged lately: what a failover may have lost. */
export class RecentFacts {
  readonly #list: { readonly seenAt: number; readonly fact: Revocation }[] = [];
  #incompleteUntil = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly keepMs: number,
  ) {}

  /** Whether every fact of the time that is kept is still here. */
  get complete(): boolean {
    return this.clock.mono() >= this.#incompleteUntil;
  }

  add(facts: readonly Revocation[]): void {
    const seenAt = this.clock.mono();
    const dead = this.#list.findIndex((one) => one.seenAt > seenAt - this.keepMs);
    this.#list.splice(0, dead < 0 ? this.#list.length : dead);
    for (const fact of facts) this.#list.push({ seenAt, fact });
    if (this.#list.length <= MOST) return;
    this.#list.splice(0, this.#list.length - MOST);
    this.#incompleteUntil = seenAt + this.keepMs;
  }

  facts(): Revocation[] {
    return this.#list.map(({ fact }) => fact);
  }
}
