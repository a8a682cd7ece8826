import { spawnSync } from 'node:child_process';

import { describe } from '@jest/globals';

type Describe = (name: string, cases: () => void) => void;

/** As `describe`, for what needs a server on the PATH. In CI its absence is a failure. */
function describeWith(server: string): Describe {
  const isThere = spawnSync(server, ['--version']).status === 0;
  return isThere || process.env['CI'] ? describe : describe.skip;
}

export const describeWithRedis = describeWith('redis-server');
export const describeWithNats = describeWith('nats-server');
