import type { Pause } from './pause.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';

/** How long the server holds a read that finds nothing. */
const BLOCK_MS = 1_000;

/**
 * Rings when there is something new to read. It only saves waiting: what it hears moves nothing, since a
 * late reply of an old master would jump over entries with lower ids.
 */
export class Bell {
  constructor(
    private readonly link: RedisLink,
    private readonly pause: Pause,
    private readonly setup: LogSetup,
  ) {}

  /**
   * Listens until the pause is over.
   *
   * @param cursor what is after it was not read yet
   * @param ring resolves when somebody has tried to read
   */
  async listen(
    cursor: () => string,
    ring: () => Promise<void>,
    onFault: (error: unknown) => void,
  ): Promise<void> {
    const read = ['XREAD', 'COUNT', '1', 'BLOCK', `${BLOCK_MS}`, 'STREAMS', this.setup.keys.log];
    while (!this.pause.over) {
      try {
        const [reply] = await this.link.run([[...read, cursor()]], BLOCK_MS);
        if (reply !== null) await ring();
      } catch (error) {
        if (!this.pause.over) onFault(error);
        await this.pause.rest(this.setup.heartbeatMs * (0.5 + Math.random()));
      }
    }
  }
}
