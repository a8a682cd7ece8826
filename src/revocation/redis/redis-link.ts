import type { Clock } from '../../core/clock.js';
import { Link } from '../fleet/link.js';
import type { RedisConnect, RedisConnection } from './redis-connection.js';

/** One command: its name and arguments. */
export type Command = readonly string[];

/** A link to Redis: commands, and transactions of commands. */
export class RedisLink extends Link<RedisConnection> {
  constructor(connect: RedisConnect, clock: Clock, deadlineMs: number) {
    super(connect, clock, deadlineMs, 'Redis');
  }

  /**
   * Sends the commands in one go and resolves with their replies. Rejects with the first error.
   *
   * @param extraMs how long the server may take by the nature of the commands
   */
  run(commands: readonly Command[], extraMs = 0): Promise<unknown[]> {
    // Also what is thrown at once must not leave the others without anybody to hear of them.
    return this.use(
      (connection) => Promise.all(commands.map(async (command) => connection.send(command))),
      extraMs,
    );
  }

  /**
   * As `run`, as one transaction; resolves with the replies of the commands. Errors among them are left in
   * their places: the transaction was executed nevertheless.
   */
  async transact(commands: readonly Command[]): Promise<unknown[]> {
    const replies = await this.run([['MULTI'], ...commands, ['EXEC']]);
    const results = replies.at(-1);
    if (Array.isArray(results) && results.length === commands.length) return results;
    throw new Error('the transaction was not executed');
  }
}
