import {
  type Errand,
  type Freshness,
  type Revocation,
  RevocationLog,
  type RevocationLogContext,
} from '../../src/index.js';

/** A log whose every answer the test decides. It covers all tokens, however old. */
export class ControlledLog extends RevocationLog {
  state: Freshness['state'] = 'live';
  coveredSince = -Infinity;
  /** What `append` rejects with, when it is to. */
  failure: Error | undefined;
  readonly appended: Revocation[] = [];
  /** Whether it has an outbox. */
  hasOutbox = false;
  /** The errands that were appended and not withdrawn. */
  readonly errands = new Set<Errand>();
  #context: RevocationLogContext | undefined;

  override start(context: RevocationLogContext): Promise<void> {
    this.#context = context;
    return Promise.resolve();
  }

  override get keepsErrands(): boolean {
    return this.hasOutbox;
  }

  override append(facts: readonly Revocation[], errand?: Errand): Promise<void> {
    if (this.failure) return Promise.reject(this.failure);
    this.appended.push(...facts);
    if (errand) this.errands.add(errand);
    return Promise.resolve();
  }

  override withdraw(errand: Errand): void {
    this.errands.delete(errand);
  }

  /** Runs an errand here, whoever has made it. */
  run(errand: string): Promise<void> {
    return this.#context?.deliver(errand) ?? Promise.resolve();
  }

  override freshness(): Freshness {
    return { state: this.state, ageMs: 0, coveredSince: this.coveredSince };
  }

  override stop(): Promise<void> {
    this.state = 'stopped';
    return Promise.resolve();
  }

  /** Facts arrive from another process. */
  deliver(facts: readonly Revocation[]): void {
    this.#context?.apply(facts);
  }
}
