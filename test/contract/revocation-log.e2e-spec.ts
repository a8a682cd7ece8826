import { randomBytes } from 'node:crypto';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import {
  type AlarmMessage,
  InProcessRevocationLog,
  type Revocation,
  type RevocationLog,
  type RevocationLogContext,
} from '../../src/index.js';
import { logKinds, type LogServer } from '../harness/log-kinds.js';
import { plainContext, tombstone } from '../harness/plain-context.js';
import { eventually } from '../harness/scene.js';
import { ShiftedClock } from '../harness/shifted-clock.js';
import { TcpProxy } from '../harness/tcp-proxy.js';

const HOUR_MS = 3_600_000;
/** A server that comes back, or a cluster of one, may need a while. */
const LONG_MS = 20_000;

/** A process as the log sees it: what it was told, and a line to the server that can be broken. */
class Process {
  readonly clock = new CountingClock();
  readonly known = new Map<string, Revocation>();
  told: Revocation[] = [];

  constructor(
    readonly log: RevocationLog,
    readonly line?: TcpProxy,
  ) {}

  start(own: Partial<RevocationLogContext> = {}): Promise<void> {
    const apply = (facts: readonly Revocation[]): void => {
      this.told.push(...facts);
      for (const fact of facts) this.known.set(fact.key, fact);
    };
    const held = (): Iterable<Revocation> => this.known.values();
    return this.log.start(plainContext({ clock: this.clock, apply, held, ...own }));
  }

  append(...facts: readonly Revocation[]): Promise<void> {
    for (const fact of facts) this.known.set(fact.key, fact);
    return this.log.append(facts);
  }

  get state(): string {
    return this.log.freshness().state;
  }

  async stop(): Promise<void> {
    await this.log.stop();
    await this.line?.stop();
  }
}

/** Knows how many timers are set. */
class CountingClock extends ShiftedClock {
  timers = 0;

  override setTimeout(callback: () => void, delayMs: number): () => void {
    let isSet = true;
    const end = (): void => {
      if (isSet) this.timers -= 1;
      isSet = false;
    };
    this.timers += 1;
    const fire = (): void => {
      end();
      callback();
    };
    const cancel = super.setTimeout(fire, delayMs);
    return () => {
      end();
      cancel();
    };
  }
}

/** Sockets and timers that keep this process alive. */
function resources(): number {
  const kinds = ['TCPSocketWrap', 'Timeout', 'TCPConnectWrap', 'GetAddrInfoReqWrap'];
  return process.getActiveResourcesInfo().filter((one) => kinds.includes(one)).length;
}

const digest = (): string => randomBytes(16).toString('base64url');

/** One fact of each kind, as the index makes them. */
function factsOfEveryKind(): Revocation[] {
  const at = Date.now();
  const keepUntilAt = at + HOUR_MS;
  const cut = { refusedThroughAt: at - 1_000, askedThroughAt: at + 250.5, settledThroughAt: at };
  return [
    { kind: 'token', key: digest(), expiresAt: keepUntilAt, keepUntilAt },
    { kind: 'token', key: digest(), keepUntilAt },
    { kind: 'jti', key: digest(), keepUntilAt },
    ...(['session', 'subject', 'client', 'issuer'] as const).map((kind) => ({
      kind,
      key: digest(),
      ...cut,
      keepUntilAt,
    })),
  ];
}

describe('A revocation log in one process', () => {
  it('is live once it was started, acknowledges at once, and is stopped for good', async () => {
    const { log } = new Process(new InProcessRevocationLog());
    expect(log.freshness().state).toBe('catching-up');
    await log.start(plainContext());
    expect(log.freshness().state).toBe('live');
    expect(log.freshness().coveredSince).toBeGreaterThan(Date.now() - 60_000);
    await log.append([tombstone()]);
    await log.stop();
    expect(log.freshness().state).toBe('stopped');
    await expect(log.append([tombstone()])).rejects.toThrow('not running');
  });
});

for (const kind of logKinds) {
  kind.describe(`A revocation log on ${kind.name}`, () => {
    let server: LogServer;
    let processes: Process[];
    let alarms: AlarmMessage[];
    const listen = (message: unknown): void => void alarms.push(message as AlarmMessage);

    beforeEach(async () => {
      alarms = [];
      processes = [];
      subscribe('genauth:alarm', listen);
      server = await kind.start();
    });

    afterEach(async () => {
      unsubscribe('genauth:alarm', listen);
      server.thaw();
      await Promise.all(processes.map((one) => one.stop()));
      await server.stop();
    });

    function alarmed(alarm: AlarmMessage['alarm']): boolean {
      return alarms.some((message) => message.alarm === alarm);
    }

    async function make(): Promise<Process> {
      const line = await TcpProxy.start(server.port);
      const one = new Process(kind.logAt(line.port), line);
      processes.push(one);
      return one;
    }

    async function started(): Promise<Process> {
      const one = await make();
      await one.start();
      return one;
    }

    async function isKnownToNewcomers(fact: Revocation): Promise<boolean> {
      const newcomer = await started();
      await newcomer.stop();
      processes.splice(processes.indexOf(newcomer), 1);
      return newcomer.known.has(fact.key);
    }

    const is = (one: Process, state: string): Promise<void> =>
      eventually(() => one.state === state, LONG_MS);
    const knows = (one: Process, fact: Revocation): Promise<void> =>
      eventually(() => one.known.has(fact.key), LONG_MS);

    it('applies elsewhere what was appended here', async () => {
      const [here, there] = [await started(), await started()];
      const fact = tombstone();
      await here.append(fact);
      await knows(there, fact);
    });

    it('knows when it is first live what was appended before it was started', async () => {
      const first = await started();
      const facts = Array.from({ length: 300 }, () => tombstone());
      for (const fact of facts) await first.append(fact);
      const second = await started();
      expect(second.state).toBe('live');
      expect(facts.filter(({ key }) => !second.known.has(key))).toEqual([]);
    });

    it('carries facts of every kind exactly as they are', async () => {
      const first = await started();
      const facts = factsOfEveryKind();
      await first.append(...facts);
      const second = await started();
      expect(facts.map(({ key }) => second.known.get(key))).toEqual(facts);
    });

    it('acknowledges many at once', async () => {
      const first = await started();
      const facts = Array.from({ length: 2_000 }, () => tombstone());
      await Promise.all(facts.map((fact) => first.append(fact)));
      const second = await started();
      expect(second.known.size).toBe(facts.length);
    });

    it('means the same when facts come twice, from anybody and in any order', async () => {
      const [here, there] = [await started(), await started()];
      const facts = factsOfEveryKind();
      await here.append(...facts);
      await there.append(...facts.toReversed());
      const third = await started();
      expect(new Set(third.known.keys())).toEqual(new Set(facts.map(({ key }) => key)));
      expect(facts.map(({ key }) => third.known.get(key))).toEqual(facts);
    });

    it('is not live before it has read to the end', async () => {
      const first = await started();
      const fact = tombstone();
      await first.append(fact);
      const late = await make();
      late.line?.hold();
      const starting = late.start();
      starting.catch(() => undefined);
      await eventually(() => alarmed('log_unreachable'));
      expect(late.log.freshness()).toEqual({
        state: 'catching-up',
        ageMs: Infinity,
        coveredSince: Infinity,
      });
      late.line?.release();
      await starting;
      expect(late.known.has(fact.key)).toBe(true);
    });

    it('counts a proof from when it was asked for, not from when the answer came', async () => {
      const one = await started();
      one.line?.delay(150);
      const renewed: number[] = [];
      let last = 0;
      await eventually(() => {
        const { ageMs } = one.log.freshness();
        if (ageMs < last) renewed.push(ageMs);
        last = ageMs;
        return renewed.length > 5;
      }, LONG_MS);
      // The first of them was asked for before the line was slow.
      expect(Math.min(...renewed.slice(2))).toBeGreaterThan(250);
    });

    it.each([
      ['is killed', () => server.kill(), () => server.restart()],
      ['is frozen', async () => server.freeze(), async () => server.thaw()],
    ])(
      'is stale when the server %s, does not acknowledge, and makes up for it',
      async (_, strike, mend) => {
        const [here, there] = [await started(), await started()];
        await strike();
        // A process that is told to stop may still answer for a moment.
        await eventually(() => here.log.freshness().ageMs > 600);
        const fact = tombstone();
        await expect(here.append(fact)).rejects.toThrow(/did not acknowledge/);
        await Promise.all([is(here, 'stale'), is(there, 'stale')]);
        expect(there.known.has(fact.key)).toBe(false);
        await mend();
        await Promise.all([is(here, 'live'), is(there, 'live'), knows(there, fact)]);
        expect(await isKnownToNewcomers(fact)).toBe(true);
      },
    );

    it('is stale when it is cut off, and current again on return', async () => {
      const [here, there] = [await started(), await started()];
      there.line?.silence();
      const fact = tombstone();
      await here.append(fact);
      await is(there, 'stale');
      there.line?.accept();
      await Promise.all([is(there, 'live'), knows(there, fact)]);
    });

    it('replaces a connection that has died without a word', async () => {
      const [here, there] = [await started(), await started()];
      for (const { line } of [here, there]) {
        line?.silence();
        line?.accept();
      }
      const fact = tombstone();
      await here.append(fact).catch(() => undefined);
      await knows(there, fact);
      expect(there.state).toBe('live');
    });

    it('keeps what it acknowledged when the server is killed, and every process gone', async () => {
      const first = await started();
      const facts = Array.from({ length: 50 }, () => tombstone());
      for (const fact of facts) await first.append(fact);
      await server.kill();
      await first.stop();
      await server.restart();
      const second = await started();
      expect(facts.filter(({ key }) => !second.known.has(key))).toEqual([]);
      expect(alarmed('log_replaced')).toBe(false);
    });

    it('begins anew when it was wiped, brings back what is known, and covers nothing older', async () => {
      const survivor = await started();
      const fact = tombstone();
      await survivor.append(fact);
      const { coveredSince } = survivor.log.freshness();
      await eventually(() => Date.now() > coveredSince + 100);
      const wipedAt = Date.now();
      await kind.wipe(server);
      await eventually(() => survivor.log.freshness().coveredSince >= wipedAt, LONG_MS);
      await is(survivor, 'live');
      expect(alarmed('log_replaced')).toBe(true);
      await eventually(() => isKnownToNewcomers(fact), LONG_MS);
      const newcomer = await started();
      expect(newcomer.log.freshness().coveredSince).toBeGreaterThanOrEqual(wipedAt);
    });

    it('is stale while an entry matters that it does not understand', async () => {
      const one = await started();
      await kind.writeUnreadable(server, Date.now() + 2_000);
      await is(one, 'stale');
      expect(alarmed('log_entry_unreadable')).toBe(true);
      await is(one, 'live');
      const fact = tombstone();
      await one.append(fact);
      expect(await isKnownToNewcomers(fact)).toBe(true);
    });

    it('does not start with another maxTokenLifetime than the fleet', async () => {
      await started();
      const other = await make();
      const starting = other.start({ maxTokenLifetimeMs: 2 * HOUR_MS });
      await expect(starting).rejects.toThrow(/maxTokenLifetime is 7200000 here and 3600000/);
      expect(other.state).toBe('catching-up');
      expect(alarms).toContainEqual({
        alarm: 'log_misconfigured',
        detail: expect.stringContaining('maxTokenLifetime'),
      });
    });

    it('serves one application', async () => {
      const one = await started();
      expect(() => one.start()).toThrow('make another');
      const other = new Process(kind.logAt(server.port));
      expect(() => other.start({ maxStalenessMs: 600 })).toThrow('maxStaleness');
    });

    it('leaves no timer and no socket when it is stopped', async () => {
      const before = resources();
      const one = new Process(kind.logAt(server.port));
      await one.start();
      await one.append(tombstone());
      expect(resources()).toBeGreaterThan(before);
      await one.stop();
      expect(one.clock.timers).toBe(0);
      await eventually(() => resources() <= before);
      expect(one.state).toBe('stopped');
      await expect(one.append(tombstone())).rejects.toThrow('not running');
    });

    it('leaves none either when the server takes the call and says nothing', async () => {
      const mute = createServer((socket) => void socket.on('error', () => undefined).resume());
      mute.listen(0, '127.0.0.1');
      await once(mute, 'listening');
      const before = resources();
      const one = new Process(kind.logAt((mute.address() as AddressInfo).port));
      const starting = one.start();
      const appending = one.append(tombstone());
      const failed = starting.catch(String);
      await expect(appending).rejects.toThrow('did not acknowledge');
      await eventually(() => alarms.length >= 4);
      await one.stop();
      expect(await failed).toContain('the revocation log was stopped');
      expect(one.clock.timers).toBe(0);
      await eventually(() => resources() <= before);
      mute.close();
    });
  });
}
