import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { instantOfTime } from './server-state.js';
import type { Row } from './stream-id.js';

/** Entries are kept this much longer than any token can live. */
const GRACE_MS = 600_000;
/** Entries trimmed at once: the server serves nobody else meanwhile. */
const LIMIT = 10_000;
const MOST_ROUNDS = 100;

/**
 * Trims what no token can need any more, by the server's own clock. The newest such entry stays: a log
 * whose first entry is younger was trimmed by somebody else, and too far.
 */
export class Janitor {
  constructor(
    private readonly link: RedisLink,
    private readonly setup: LogSetup,
  ) {}

  async trim(): Promise<void> {
    const { log, outbox } = this.setup.keys;
    const [time] = await this.link.run([['TIME']]);
    const horizon = instantOfTime(time) - this.setup.maxTokenLifetimeMs - GRACE_MS;
    if (horizon <= 0) return;
    const [older, first] = (await this.link.run([
      ['XREVRANGE', log, `${horizon}`, '-', 'COUNT', '1'],
      ['XRANGE', log, '-', '+', 'COUNT', '1'],
    ])) as [readonly Row[], readonly Row[]];
    const keep = older[0]?.[0];
    if (keep !== undefined && keep !== first[0]?.[0]) await this.#trim(log, keep);
    if (this.setup.outboxKey) await this.#trim(outbox, `${horizon}-0`);
  }

  async #trim(key: string, minId: string): Promise<void> {
    const command = ['XTRIM', key, 'MINID', '~', minId, 'LIMIT', `${LIMIT}`];
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const [trimmed] = await this.link.run([command]);
      if (trimmed === 0) return;
    }
  }
}
