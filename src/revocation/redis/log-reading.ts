import type { Revocation } from '../../core/revocation.js';
import { readEntry } from '../fleet/wire.js';
import type { LogSetup } from './log-setup.js';
import type { RedisLink } from './redis-link.js';
import type { Row } from './stream-id.js';

const PAGE = 1_000;

/** The facts in the log after an id, page by page: what a healer compares with. */
export async function* factsInLog(
  link: RedisLink,
  setup: LogSetup,
  from = '0-0',
): AsyncGenerator<readonly Revocation[]> {
  for (let cursor = from; ;) {
    const command = ['XRANGE', setup.keys.log, `(${cursor}`, '+', 'COUNT', `${PAGE}`];
    const [reply] = await link.run([command]);
    const rows = reply as readonly Row[];
    yield rows.flatMap(([, fields]) => factsIn(fields, setup));
    if (rows.length < PAGE) return;
    cursor = (rows.at(-1) as Row)[0];
  }
}

function factsIn(
  fields: readonly string[],
  { clock, maxTokenLifetimeMs }: LogSetup,
): readonly Revocation[] {
  const entry = readEntry(fields, clock.wall(), maxTokenLifetimeMs);
  return entry.is === 'fact' ? [entry.fact] : [];
}
