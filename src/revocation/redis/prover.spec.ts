import { beforeEach, describe, expect, it } from '@jest/globals';

import type { Revocation } from '../../core/revocation.js';
import { tombstone } from '../../../test/harness/plain-context.js';
import { SimulatedServer } from '../../../test/harness/simulated-server.js';
import { DAWN } from '../../../test/simulation/machine.js';
import { RedisData } from '../../../test/simulation/redis-data.js';
import { Healer } from '../fleet/healer.js';
import { Lease } from '../fleet/lease.js';
import { factsInLog } from './log-reading.js';
import { Prover } from './prover.js';
import { RecentFacts } from '../fleet/recent-facts.js';
import { fieldsOf } from '../fleet/wire.js';

const LOG = '{test}:log';
const META = '{test}:meta';
const HOUR = 3_600_000;
const OVERLAP = 60_000;

let server: SimulatedServer;

beforeEach(() => {
  server = new SimulatedServer();
});

function fact(): Revocation {
  return tombstone(DAWN + HOUR);
}

function add(one: Revocation, node = server.node, ms?: number): void {
  const next = node.data.nextId(LOG, node.machine.wall());
  const entry = { ...next, ...(ms !== undefined && { ms }), fields: fieldsOf(one) };
  node.change({ is: 'add', key: LOG, entry });
}

/** A prover, what it has taken in, and what its healer has given back. */
function scene(options = {}) {
  const setup = server.setUp(options);
  const link = server.link(setup);
  const lease = new Lease(setup.clock, 5_000);
  const recent = new RecentFacts(setup.clock, setup.overlapMs);
  const taken: Revocation[] = [];
  const givenBack: Revocation[] = [];
  const inLog = (from?: string) => factsInLog(link, setup, from);
  const healer = new Healer({ inLog, held: () => taken, recent }, setup, async (facts) => {
    givenBack.push(...facts);
  });
  const prover = new Prover(link, lease, healer, setup, (facts, isRecent) => {
    taken.push(...facts);
    if (isRecent) recent.add(facts);
  });
  const heal = () => healer.heal(() => Promise.resolve());
  return { prover, lease, link, taken, givenBack, heal };
}

describe('Prover', () => {
  it('begins a log that nobody has begun, and covers nothing before', async () => {
    const { prover, lease } = scene();
    await server.pass(10_000);
    await prover.prove();
    const { state, coveredSince } = lease.freshness();
    expect(state).toBe('live');
    expect(coveredSince).toBeGreaterThan(DAWN + 9_000);
    expect(coveredSince).toBeLessThan(DAWN + 11_000);
  });

  it('takes in what others have written, once', async () => {
    const { prover, taken } = scene();
    await prover.prove();
    const facts = Array.from({ length: 2_500 }, fact);
    for (const one of facts) add(one);
    await prover.prove();
    await prover.prove();
    expect(taken).toEqual(facts);
  });

  it('has a proof as old as its question, however late the answer', async () => {
    const { prover, lease } = scene();
    await prover.prove();
    server.replyAfterMs = 700;
    const proving = prover.prove();
    await server.pass(1_000);
    await proving;
    expect(lease.freshness().ageMs).toBeGreaterThan(990);
  });

  it('proves nothing by a server that is no master', async () => {
    const { prover, lease } = scene();
    await prover.prove();
    lease.revoke();
    server.node.demote();
    await expect(prover.prove()).rejects.toThrow('replica');
    expect(lease.freshness().state).toBe('catching-up');
  });

  it('proves nothing by a master whose replicas are silent: it may have been replaced', async () => {
    const { prover, lease } = scene({ replicas: 1 });
    server.node.attach(server.another());
    await server.pass(1_500);
    await prover.prove();
    expect(lease.freshness().state).toBe('live');
    server.node.isCut = true;
    await server.pass(4_000);
    await expect(prover.prove()).rejects.toThrow('durability.replicas asks for 1');
  });

  it.each([0, 1, 2, 3, 4])(
    'proves nothing by a transaction of which command %d has failed',
    async (place) => {
      const { prover, lease } = scene();
      await prover.prove();
      lease.revoke();
      const replies: unknown[] = [['1', '2'], 'role:master', '3', [], []];
      replies[place] = new Error('WRONGTYPE of a key');
      server.answer = ([name]) => (name === 'EXEC' ? replies : undefined);
      await expect(prover.prove()).rejects.toThrow('WRONGTYPE');
      expect(lease.freshness().state).toBe('catching-up');
    },
  );

  it('does not take a log for begun whose beginning was refused', async () => {
    const { prover, lease } = scene();
    server.answer = (() => {
      let exchanges = 0;
      return ([name]) =>
        name === 'EXEC' && (exchanges += 1) === 2 ? [1, new Error('OOM')] : undefined;
    })();
    await expect(prover.prove()).rejects.toThrow('OOM');
    expect(lease.freshness().state).toBe('catching-up');
  });

  it('reads the overlap again under another master, though its ids have caught up', async () => {
    const { prover, link, taken } = scene();
    await prover.prove();
    await server.pass(10_000);
    const unseen = fact();
    const next = server.another();
    next.data = server.node.data.copy();
    next.promote();
    add(fact());
    await prover.prove();

    const wall = server.node.machine.wall();
    add(unseen, next, wall - 5_000);
    add(fact(), next, wall + 5_000);
    server.leadTo(next);
    link.drop();
    await prover.prove();
    expect(taken).toContainEqual(unseen);
  });

  it('gives back what another master lacks, and only that', async () => {
    const { prover, link, givenBack, heal } = scene();
    await prover.prove();
    const [kept, lost] = [fact(), fact()];
    add(kept);
    const next = server.another();
    next.data = server.node.data.copy();
    next.promote();
    add(lost);
    await prover.prove();
    server.leadTo(next);
    link.drop();
    await prover.prove();
    await heal();
    expect(givenBack.map(({ key }) => key)).toEqual([lost.key]);
  });

  it('gives back what another master lacks, though none could be reached for longer than the overlap', async () => {
    const { prover, link, givenBack, heal } = scene();
    await prover.prove();
    const next = server.another();
    next.data = server.node.data.copy();
    next.promote();
    const lost = fact();
    add(lost);
    await prover.prove();
    await server.pass(2 * OVERLAP);
    // The first revocation under the new master.
    add(fact(), next);
    server.leadTo(next);
    link.drop();
    await prover.prove();
    await heal();
    expect(givenBack.map(({ key }) => key)).toEqual([lost.key]);
  });

  it('gives back everything to a log with another beginning, however long that has become', async () => {
    const { prover, lease, taken, givenBack, heal } = scene();
    await prover.prove();
    const [before, after] = [fact(), fact()];
    add(before);
    await prover.prove();
    await server.pass(10_000);
    server.node.change({ is: 'flush' });
    server.execute('HSETNX', META, 'genesis', `${server.node.machine.wall()}`);
    server.execute('XADD', LOG, '*', 'v', '1', 'k', 'g');
    add(after);
    add(fact());
    await prover.prove();
    await heal();
    expect(taken).toContainEqual(after);
    expect(givenBack.map(({ key }) => key)).toEqual([before.key]);
    expect(lease.freshness().coveredSince).toBeGreaterThan(DAWN + 9_000);
  });

  it('gives back everything to a log that was deleted and begun again by somebody else', async () => {
    const { prover, givenBack, heal } = scene();
    await prover.prove();
    const [before, genesis] = [fact(), server.node.data.field(META, 'genesis') ?? ''];
    add(before);
    await prover.prove();
    await server.pass(10_000);
    server.node.data = new RedisData();
    server.execute('HSETNX', META, 'genesis', genesis);
    server.execute('XADD', LOG, '*', 'v', '1', 'k', 'g');
    await prover.prove();
    await heal();
    expect(givenBack.map(({ key }) => key)).toEqual([before.key]);
  });

  it('covers nothing issued before what is missing, and allows for the clocks of other masters', async () => {
    const { prover, lease } = scene();
    await prover.prove();
    await server.pass(10 * OVERLAP);
    add(fact());
    await server.pass(OVERLAP);
    add(fact());
    const before = server.node.data.stream(LOG)?.last ?? { ms: 0, seq: 0 };
    await server.pass(2 * OVERLAP);
    server.node.change({ is: 'trim', key: LOG, before });
    await prover.prove();
    expect(lease.freshness().coveredSince).toBeGreaterThan(DAWN + 12 * OVERLAP - 2_000);
    expect(lease.freshness().coveredSince).toBeLessThan(DAWN + 12 * OVERLAP + 2_000);
  });

  it('covers less under a master by whose clock the log was not begun', async () => {
    const { prover, lease, link } = scene();
    await prover.prove();
    await server.pass(2 * OVERLAP);
    const next = server.another();
    next.data = server.node.data.copy();
    next.promote();
    server.leadTo(next);
    link.drop();
    await prover.prove();
    expect(lease.freshness().coveredSince).toBeGreaterThan(DAWN + OVERLAP - 2_000);
    expect(lease.freshness().coveredSince).toBeLessThan(DAWN + OVERLAP + 2_000);
  });

  it('trusts itself no further than it understands', async () => {
    const { prover, lease } = scene();
    await prover.prove();
    server.execute('XADD', LOG, '*', 'v', '1', 'k', 'z', 'x', `${DAWN + 30_000}`);
    await prover.prove();
    expect(lease.freshness().state).toBe('stale');
    await server.pass(31_000);
    await prover.prove();
    expect(lease.freshness().state).toBe('live');
  });
});
