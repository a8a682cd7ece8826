import { beforeEach, describe, expect, it } from '@jest/globals';

import type { Revocation } from '../../core/revocation.js';
import { tombstone } from '../../../test/harness/plain-context.js';
import { SimulatedServer } from '../../../test/harness/simulated-server.js';
import { DAWN } from '../../../test/simulation/machine.js';
import { Appender } from '../fleet/appender.js';
import { RedisWriter } from './redis-writer.js';

const HOUR = 3_600_000;

let server: SimulatedServer;
let written: Revocation[];
let faults: string[];

beforeEach(() => {
  server = new SimulatedServer();
  written = [];
  faults = [];
});

function appenderOf(options = {}): Appender {
  const setup = server.setUp(options);
  return new Appender(new RedisWriter(server.link(setup), setup), setup, {
    onWritten: (facts) => void written.push(...facts),
    onOverflow: () => void faults.push('overflow'),
    onFault: (error) => void faults.push(String(error)),
  });
}

function fact(expiresAt = DAWN + HOUR): Revocation {
  return tombstone(expiresAt);
}

/** Whether it was acknowledged, once so much time has passed. */
async function outcome(appending: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = appending.then(
    () => true,
    () => false,
  );
  await server.pass(ms);
  return settled;
}

function count(name: string): number {
  return server.sent.filter(([first]) => first === name).length;
}

function entries(): number {
  return server.node.data.stream('{test}:log')?.entries.length ?? 0;
}

describe('Appender', () => {
  it('acknowledges what the server has taken, in as few transactions as it can', async () => {
    const appender = appenderOf();
    const facts = Array.from({ length: 50 }, () => fact());
    await Promise.all(facts.map((one) => appender.append([one])));
    expect(written).toEqual(facts);
    expect(entries()).toBe(50);
    expect(count('EXEC')).toBe(2);
  });

  it('writes what is too much for one transaction in several, and acknowledges it as a whole', async () => {
    const appender = appenderOf();
    const sizes: number[] = [];
    server.answer = ([name]) => {
      if (name === 'MULTI') sizes.push(0);
      if (name === 'XADD') sizes.push((sizes.pop() ?? 0) + 1);
      return undefined;
    };
    const facts = Array.from({ length: 600 }, () => fact());
    await appender.append(facts);
    expect(written).toEqual(facts);
    expect(sizes).toEqual([256, 256, 88]);
  });

  it('does not take for written what was refused inside a transaction', async () => {
    const appender = appenderOf();
    server.answer = ([name]) => (name === 'EXEC' ? [new Error('OOM'), ''] : undefined);
    const one = fact();
    expect(await outcome(appender.append([one]), 3_000)).toBe(false);
    expect(written).toEqual([]);
    expect(faults[0]).toContain('OOM');
    server.answer = () => undefined;
    await server.pass(1_000);
    expect(written).toEqual([one]);
  });

  it('does not acknowledge what too few replicas have confirmed', async () => {
    const appender = appenderOf({ replicas: 1 });
    expect(await outcome(appender.append([fact()]), 5_000)).toBe(false);
    expect(written).toEqual([]);
    expect(faults[0]).toContain('durability.replicas asks for 1, and 0 confirmed');
    server.node.attach(server.another());
    await server.pass(10_000);
    expect(written).toHaveLength(1);
  });

  it('does not add again and again what was added, while no replica confirms it', async () => {
    const appender = appenderOf({ replicas: 1 });
    await outcome(appender.append([fact()]), 120_000);
    expect(count('WAIT')).toBeGreaterThan(60);
    expect(entries()).toBeLessThan(10);
  });

  it('adds again what another master may lack: its word about replicas speaks of other writes', async () => {
    const appender = appenderOf({ replicas: 1 });
    let isOther = false;
    server.answer = ([name]) => {
      if (name === 'WAIT') {
        isOther = count('WAIT') === 1;
        return 1;
      }
      return name === 'INFO' && isOther ? 'master_replid:another' : undefined;
    };
    const appending = appender.append([fact()]);
    await server.pass(100);
    expect(written).toEqual([]);
    isOther = false;
    expect(await outcome(appending, 1_000)).toBe(true);
    expect(count('XADD')).toBe(2);
  });

  it('is in time after a connection was lost, however long the heartbeat', async () => {
    const appender = appenderOf({ heartbeatMs: 30_000 });
    let exchanges = 0;
    server.answer = ([name]) =>
      name === 'MULTI' && (exchanges += 1) === 1 ? new Error('closed') : undefined;
    expect(await outcome(appender.append([fact()]), 2_000)).toBe(true);
  });

  it('gives up what nobody is served by any more', async () => {
    const appender = appenderOf();
    server.node.demote();
    const waiting = outcome(appender.appendLater([fact(DAWN + 5_000)]), 10_000);
    const late = fact();
    const later = appender.appendLater([late]);
    expect(await waiting).toBe(true);
    server.node.promote();
    await server.pass(2_000);
    await later;
    expect(written).toEqual([late]);
  });

  it('turns away what it has no room for', async () => {
    const appender = appenderOf();
    const many = Array.from({ length: 100_001 }, () => fact());
    await expect(appender.append(many)).rejects.toThrow('too many');
    expect(faults).toEqual(['overflow']);
  });

  it('rejects what waits when it is stopped, and what comes later, and raises no alarm', async () => {
    const appender = appenderOf();
    server.answer = () => new Promise(() => undefined);
    const waiting = appender.append([fact()]);
    appender.stop();
    await expect(waiting).rejects.toThrow('stopped');
    await expect(appender.append([fact()])).rejects.toThrow('stopped');
    await server.pass(5_000);
    expect(faults).toEqual([]);
  });
});
