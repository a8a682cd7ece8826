import { publishNews } from '../core/channels.js';
import type { Clock } from '../core/clock.js';
import { RevocationError } from '../core/errors.js';
import type { DoorSource } from '../core/revocation.js';
import type { Intake, NewsCut } from '../intake.js';
import { type Pauses, pauseAfter } from './back-off.js';

/** Cuts that may wait to be made durable, of all messages together. */
export const MOST_WAITING = 10_000;

/** News that is yet to be made durable. */
interface Piece {
  readonly cuts: readonly NewsCut[];
  readonly heardAt: number;
  readonly taken: () => void;
}

/**
 * Takes news whose sender does not come again. It denies at once; what the log does not acknowledge is
 * tried again, oldest first, until it does. What waits is bounded.
 */
export class NewsDesk {
  readonly #waiting: Piece[] = [];
  #held = 0;
  #failures = 0;
  #isClosed = false;
  #cancel: (() => void) | undefined;

  constructor(
    private readonly source: DoorSource,
    private readonly intake: Intake,
    private readonly clock: Clock,
    private readonly pauses: Pauses,
  ) {}

  /** Messages that the log has not acknowledged yet, after a first attempt. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Calls `taken` once the cuts are durable. @returns false when there is no room: the news is lost */
  put(cuts: readonly NewsCut[], taken: () => void): boolean {
    if (this.#held + cuts.length > MOST_WAITING) return false;
    this.#held += cuts.length;
    void this.#first({ cuts, heardAt: this.clock.wall(), taken });
    return true;
  }

  /** Ends the timer; what waits is forgotten. */
  close(): void {
    this.#isClosed = true;
    this.#cancel?.();
    this.#waiting.length = 0;
  }

  async #first(piece: Piece): Promise<void> {
    if (await this.#isTaken(piece, piece.cuts)) return;
    this.#waiting.push(piece);
    this.#cancel ??= this.clock.setTimeout(() => void this.#again(), this.#pauseMs());
  }

  async #again(): Promise<void> {
    for (let [piece] = this.#waiting; piece && !this.#isClosed; [piece] = this.#waiting) {
      const { heardAt } = piece;
      // Who has signed in since it was heard must not be cut off by this attempt.
      const cuts = piece.cuts.map((cut) => ({ ...cut, heardAt }));
      if (!(await this.#isTaken(piece, cuts))) break;
      this.#waiting.shift();
    }
    this.#cancel = undefined;
    this.#failures = this.#waiting.length > 0 ? this.#failures + 1 : 0;
    if (this.#isClosed || this.#waiting.length === 0) return;
    this.#cancel = this.clock.setTimeout(() => void this.#again(), this.#pauseMs());
  }

  /** @returns false when the news is to be told again */
  async #isTaken({ cuts: { length }, taken }: Piece, cuts: readonly NewsCut[]): Promise<boolean> {
    try {
      await this.intake.take({ source: this.source, cuts });
      taken();
    } catch (error) {
      const known = error instanceof RevocationError ? error : undefined;
      // Of a log that is closed nothing can be expected, nor is there anyone left to refuse.
      if (!this.#isClosed && known?.code !== 'stopped') {
        const detail = known?.message ?? 'it could not be taken';
        publishNews({ source: this.source, outcome: 'unavailable', detail });
        return false;
      }
    }
    this.#held -= length;
    return true;
  }

  #pauseMs(): number {
    return pauseAfter(this.#failures, this.pauses);
  }
}
