import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Revocation } from '../../core/revocation.js';
import { plainContext, tombstone } from '../../../test/harness/plain-context.js';
import { SimulatedServer } from '../../../test/harness/simulated-server.js';
import { DAWN } from '../../../test/simulation/machine.js';
import { RedisRevocationLog } from './redis-revocation-log.js';
import { fieldsOf } from '../fleet/wire.js';

const LOG = '{test}:log';

let server: SimulatedServer;
let taken: Revocation[];
let alarms: number;
const countAlarm = (): void => {
  alarms += 1;
};

beforeEach(() => {
  server = new SimulatedServer();
  taken = [];
  alarms = 0;
  subscribe('genauth:alarm', countAlarm);
});

afterEach(() => void unsubscribe('genauth:alarm', countAlarm));

/** A log that has been started; whether it becomes live is not waited for. */
function started(options = {}): RedisRevocationLog {
  const log = new RedisRevocationLog(server.setUp(options));
  const apply = (facts: readonly Revocation[]): void => void taken.push(...facts);
  log.start(plainContext({ clock: server.clock, apply })).catch(() => undefined);
  return log;
}

function fact(): Revocation {
  return tombstone(DAWN + 3_600_000);
}

function add(one: Revocation, ms = server.node.machine.wall()): void {
  const entry = { ms, seq: 0, fields: fieldsOf(one) };
  server.node.change({ is: 'add', key: LOG, entry });
}

describe('RedisRevocationLog', () => {
  it('hears of an entry long before the next heartbeat', async () => {
    const log = started({ heartbeatMs: 1_100 });
    await server.pass(2_000);
    const [one, questions] = [fact(), server.sent.length];
    add(one);
    await server.pass(30);
    expect(taken).toEqual([one]);
    expect(server.sent.length).toBeLessThan(questions + 30);
    await log.stop();
  });

  it('moves its cursor by no ring: what an old master says late skips nothing', async () => {
    const log = started();
    await server.pass(1_500);
    const now = server.node.machine.wall();
    const [unread, last] = [fact(), fact()];
    server.answer = ([name]) => {
      if (name !== 'XREAD') return undefined;
      server.answer = () => undefined;
      // Unread here, and not rung for: the old master has not got it.
      add(unread, now + 3_000);
      add(last, now + 9_000);
      return [[LOG, [[`${now + 6_000}-0`, fieldsOf(fact())]]]];
    };
    await server.pass(5_000);
    expect(taken).toContainEqual(unread);
    await log.stop();
  });

  it('does not ask without end when what rings cannot be read', async () => {
    const log = started({ replicas: 1 });
    await server.pass(1_500);
    add(fact());
    const [opened, raised] = [server.opened, alarms];
    await server.pass(20_000);
    expect(server.opened - opened).toBeGreaterThan(10);
    expect(server.opened - opened).toBeLessThan(50);
    expect(alarms - raised).toBeLessThan(50);
    await log.stop();
  });
});
