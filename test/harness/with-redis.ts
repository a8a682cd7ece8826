import { spawnSync } from 'node:child_process';

import { describe } from '@jest/globals';

const isThere = spawnSync('redis-server', ['--version']).status === 0;

type Describe = (name: string, cases: () => void) => void;

/** As `describe`, for what needs a redis-server on the PATH. In CI its absence is a failure. */
export const describeWithRedis: Describe = isThere || process.env['CI'] ? describe : describe.skip;
