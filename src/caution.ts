import { Injectable } from '@nestjs/common';

import { Clock } from './core/clock.js';

/** From when on GenAuth's word counts (epoch milliseconds), and until when it is needed (monotonic time). */
interface Warning {
  readonly askedSince: number;
  readonly untilMono: number;
}

/**
 * Whether GenAuth's own word is needed on every token, because news may have been missed: somebody who
 * listens for news lost sight of it, and the tokens that it would have denied look good.
 */
@Injectable()
export class Caution {
  readonly #warnings = new Map<object, Warning>();

  constructor(private readonly clock: Clock) {}

  /** GenAuth must have been asked at or after this instant; `-Infinity`: nobody has missed anything. */
  get askedSince(): number {
    let latest = -Infinity;
    if (this.#warnings.size === 0) return latest;
    for (const [who, { askedSince, untilMono }] of this.#warnings) {
      if (this.clock.mono() >= untilMono) this.#warnings.delete(who);
      else latest = Math.max(latest, askedSince);
    }
    return latest;
  }

  /** `who` may have missed news from before `askedSince`; replaces what the same one said earlier. */
  warn(who: object, askedSince: number, forMs = Infinity): void {
    this.#warnings.set(who, { askedSince, untilMono: this.clock.mono() + forMs });
  }
}
