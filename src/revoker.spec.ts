import { beforeEach, describe, expect, it } from '@jest/globals';

import type { ClockOffset } from './core/issuer-clock.js';
import { type Principal, principalOf } from './core/principal.js';
import { type Freshness, RevocationLog, type RevocationLogContext } from './core/revocation-log.js';
import { type Revocation, type RevocationEvent, watermarkKey } from './core/revocation.js';
import type { GenAuthClient } from './genauth.client.js';
import { resolveOptions } from './resolve-options.js';
import { RevocationIndex } from './revocation/revocation-index.js';
import { Revoker } from './revoker.js';
import { VirtualClock } from './testing/virtual-clock.js';
import { Applications } from './verify/applications.js';
import { PrincipalCache } from './verify/principal-cache.js';

const START = 1_700_000_000_000;
const ISSUER = 'https://example.genauth.ai/oidc';
const CAUSE = { source: 'revoke' } as const;
const GRANT = { kind: 'client', ids: ['app', 'user'] } as const;

/** A log that becomes live when the test says so. */
class AwaitedLog extends RevocationLog {
  state: Freshness['state'] = 'catching-up';
  context!: RevocationLogContext;
  becomeLive!: () => void;

  override start(context: RevocationLogContext): Promise<void> {
    this.context = context;
    return new Promise((resolve) => {
      this.becomeLive = () => {
        this.state = 'live';
        resolve();
      };
    });
  }

  override append(): Promise<void> {
    return Promise.resolve();
  }

  override freshness(): Freshness {
    return { state: this.state, ageMs: 0, coveredSince: -Infinity };
  }

  override stop(): Promise<void> {
    return Promise.resolve();
  }
}

function assemble() {
  const options = resolveOptions({
    appId: 'app',
    appSecret: 'secret',
    appHost: 'https://example.genauth.ai',
  });
  const clock = new VirtualClock(START);
  let offset: ClockOffset = { lowMs: -1_000, highMs: 1_000 };
  const client = { offsetOf: () => offset } as unknown as GenAuthClient;
  const log = new AwaitedLog();
  const { maxTokenLifetimeMs, clockToleranceMs, maxEntries } = options;
  const index = new RevocationIndex(clock, maxTokenLifetimeMs, clockToleranceMs, maxEntries);
  const cache = new PrincipalCache(options, clock);
  const applications = new Applications(options, client, cache, clock);
  const revoker = new Revoker(options, index, log, applications, cache, client, clock);
  const events: RevocationEvent[] = [];
  revoker.revocations$.subscribe((event) => events.push(event));
  revoker.onModuleInit();
  const learn = (learned: ClockOffset): void => void (offset = learned);
  const [application] = options.applications;
  if (!application) throw new Error('no application');
  return { clock, log, index, revoker, events, learn, application };
}

function issued(at: number): Principal {
  const claims = { iss: ISSUER, sub: 'user', client_id: 'app', iat: at / 1_000 };
  return principalOf({ ...claims, exp: (START + 3_600_000) / 1_000 }, 'app', `issued ${at}`);
}

/** A fact of another process. */
function foreign(name: string): Revocation {
  const key = watermarkKey('subject', ISSUER, name);
  return { kind: 'subject', key, refusedThroughAt: START, keepUntilAt: START + 3_600_000 };
}

let world: ReturnType<typeof assemble>;

beforeEach(() => {
  world = assemble();
});

describe('what the log brings', () => {
  it('denies at once, and is told to nobody before the log was first live', async () => {
    const { log, revoker, index, events } = world;
    log.context.apply([foreign('user')]);
    expect(index.holds(foreign('user'))).toBe(true);
    expect(events).toEqual([]);
    log.becomeLive();
    await revoker.ready();
    log.context.apply([foreign('user'), foreign('another')]);
    expect(events).toEqual([{ ...foreign('another'), source: 'log' }]);
  });

  it('is told to listeners when the log has fallen back and catches up', async () => {
    const { log, revoker, events } = world;
    log.becomeLive();
    await revoker.ready();
    log.state = 'catching-up';
    log.context.apply([foreign('user')]);
    expect(events).toEqual([{ ...foreign('user'), source: 'log' }]);
  });

  it('can be given back to it', () => {
    const { log } = world;
    log.context.apply([foreign('user')]);
    expect([...log.context.held()]).toMatchObject([foreign('user')]);
  });
});

describe('a cut', () => {
  const verdict = (at: number, vouchedAt = Number.MAX_SAFE_INTEGER) =>
    world.revoker.verdict({ principal: issued(at), vouchedAt });

  beforeEach(async () => {
    world.log.becomeLive();
    await world.revoker.ready();
  });

  it('that GenAuth is not told of is settled by whoever asks from now on', () => {
    const { revoker, application } = world;
    const [fact] = revoker.cut(application, GRANT, CAUSE);
    expect(fact).toMatchObject({ refusedThroughAt: START - 2_000, askedThroughAt: START + 1_000 });
    expect(fact?.settledThroughAt ?? fact?.askedThroughAt).toBe(START + 1_000);
    expect(verdict(START - 2_000).is).toBe('denied');
    expect(verdict(START, START - 1)).toMatchObject({ is: 'unknown', askedSince: START });
    expect(verdict(START, START).is).toBe('accepted');
  });

  it('that GenAuth is yet to be told of says so in the fact, until it is settled', () => {
    const { clock, revoker, application, events } = world;
    const [fact] = revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'token' });
    expect(fact?.settledThroughAt).toBe(fact?.refusedThroughAt);
    expect(verdict(START)).toMatchObject({ is: 'unknown', askedSince: Infinity });
    clock.advance(500);
    const [settled] = revoker.settle(application, 'token');
    expect(settled).toMatchObject({
      key: fact?.key,
      refusedThroughAt: START - 2_000,
      askedThroughAt: START + 1_500,
      settledThroughAt: START + 1_500,
    });
    expect(verdict(START + 1_500, START + 499)).toMatchObject({ askedSince: START + 500 });
    expect(verdict(START + 1_500, START + 500).is).toBe('accepted');
    expect(revoker.settle(application, 'token')).toEqual([]);
    expect(events).toHaveLength(1);
  });

  it('is settled in the application that it was made in', () => {
    const { revoker, application } = world;
    revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'token' });
    expect(revoker.settle({ ...application, appId: 'another' }, 'token')).toEqual([]);
    expect(verdict(START).is).toBe('unknown');
    expect(revoker.settle(application, 'token')).toHaveLength(1);
  });

  it('stays unsettled while the same target is cut and settled for another reason', () => {
    const { clock, revoker, application } = world;
    revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'one' });
    clock.advance(200);
    revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'two' });
    revoker.cut(application, GRANT, CAUSE);
    revoker.settle(application, 'two');
    expect(verdict(START)).toMatchObject({ is: 'unknown', askedSince: Infinity });
    revoker.settle(application, 'one');
    for (const at of [START, START + 1_200]) expect(verdict(at).is).toBe('accepted');
  });

  it('right after another was settled opens again what that had settled', () => {
    const { clock, revoker, application, learn } = world;
    revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'one' });
    revoker.settle(application, 'one');
    clock.advance(100);
    learn({ lowMs: -100, highMs: 100 });
    revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'two' });
    expect(verdict(START)).toMatchObject({ is: 'unknown', askedSince: Infinity });
    revoker.settle(application, 'two');
    expect(verdict(START).is).toBe('accepted');
  });

  it('makes another process believe GenAuth only when that process has read that it is settled', () => {
    const { clock, revoker, application } = world;
    const replica = assemble();
    const read = (facts: readonly Revocation[]) => replica.log.context.apply(facts);
    const there = () =>
      replica.index.check(issued(START), {
        vouchedAt: Number.MAX_SAFE_INTEGER,
        clockAheadMs: 0,
        freshness: { state: 'live', ageMs: 0, coveredSince: -Infinity },
        maxStalenessMs: 10_000,
      });
    read(revoker.cut(application, GRANT, CAUSE, { unsettledBy: 'token' }));
    expect(there()).toMatchObject({ is: 'unknown', askedSince: Infinity });
    clock.advance(100);
    const settled = revoker.settle(application, 'token');
    expect(there().is).toBe('unknown');
    read(settled);
    expect(there().is).toBe('accepted');
  });
});
