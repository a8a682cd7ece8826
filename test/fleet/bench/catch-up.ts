import { nodeRedis, redisRevocationLog } from 'nestjs-genauth/redis';
import { createClient } from 'redis';

import { RevocationIndex } from '../../../dist/revocation/revocation-index.js';
import { SystemClock } from '../../../dist/core/clock.js';
import { plainContext } from './plain-context.js';

/** What a fresh process found when it read the whole log. */
export interface CaughtUp {
  readonly ms: number;
  readonly entries: number;
  readonly bytes: number;
}

const url = process.env['REDIS_URL'] as string;

async function ours(): Promise<CaughtUp> {
  const context = plainContext((facts) => void index.apply(facts));
  const index = new RevocationIndex(
    new SystemClock(),
    context.maxTokenLifetimeMs,
    5_000,
    5_000_000,
  );
  const log = redisRevocationLog({ connect: nodeRedis(createClient, { url }), janitor: false });
  const startedAt = performance.now();
  await log.start(context);
  const ms = performance.now() - startedAt;
  await log.stop();
  return { ms, entries: index.size, bytes: index.bytes };
}

/** The limit: the same pages over the same client, and nothing done with them. */
async function plain(): Promise<CaughtUp> {
  const client = await createClient({ url, RESP: 2 }).connect();
  const startedAt = performance.now();
  let entries = 0;
  for (let cursor = '0-0'; ;) {
    const command = ['XRANGE', '{genauth:rev}:log', `(${cursor}`, '+', 'COUNT', '1000'];
    const rows = (await client.sendCommand(command)) as [string, string[]][];
    entries += rows.length;
    if (rows.length < 1_000) break;
    cursor = rows.at(-1)?.[0] ?? cursor;
  }
  const ms = performance.now() - startedAt;
  client.destroy();
  return { ms, entries, bytes: 0 };
}

const caughtUp = await (process.env['SIDE'] === 'plain' ? plain() : ours());
process.send?.(caughtUp, () => process.disconnect?.());
