import { Pause } from '../../core/pause.js';
import type { Bell } from '../fleet/reader.js';
import type { LogSetup } from './log-setup.js';
import type { RedisLink } from './redis-link.js';

/** How long the server holds a read that finds nothing. */
const BLOCK_MS = 1_000;

/**
 * Rings when an entry was added. What it hears moves nothing, since a late reply of an old master would
 * jump over entries with lower ids.
 */
export class RedisBell implements Bell {
  readonly #pause: Pause;

  /** @param cursor what is after it was not read yet */
  constructor(
    private readonly link: RedisLink,
    private readonly cursor: () => string,
    private readonly setup: LogSetup,
  ) {
    this.#pause = new Pause(setup.clock);
  }

  async listen(ring: () => Promise<void>, onFault: (error: unknown) => void): Promise<void> {
    const read = ['XREAD', 'COUNT', '1', 'BLOCK', `${BLOCK_MS}`, 'STREAMS', this.setup.keys.log];
    while (!this.#pause.over) {
      try {
        const [reply] = await this.link.run([[...read, this.cursor()]], BLOCK_MS);
        if (reply !== null) await ring();
      } catch (error) {
        if (!this.#pause.over) onFault(error);
        await this.#pause.rest(this.setup.heartbeatMs * (0.5 + Math.random()));
      }
    }
  }

  stop(): void {
    this.#pause.end();
  }
}
