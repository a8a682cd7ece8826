import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';

import type { AlarmMessage, Revocation, RevocationLog } from '../../src/index.js';
import { natsJs, natsRevocationLog } from '../../src/nats.js';
import { NatsServer } from '../harness/nats-server.js';
import { plainContext, tombstone } from '../harness/plain-context.js';
import { eventually } from '../harness/scene.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { describeWithNats } from '../harness/with-servers.js';

jest.setTimeout(120_000);

/** An election takes up to ten seconds, and the machine may be busy. */
const LONG_MS = 60_000;
const STALENESS_MS = 3_000;

let servers: readonly NatsServer[];
let members: Member[];
let alarms: AlarmMessage[];
const listen = (message: unknown): void => void alarms.push(message as AlarmMessage);

/** A log, what it was told, and a line to one server. */
interface Member {
  readonly log: RevocationLog;
  readonly line: TcpProxy;
  readonly known: Set<string>;
}

async function join(server: NatsServer): Promise<Member> {
  const line = await TcpProxy.start(server.port);
  // The servers tell of each other; whoever is to be cut off must not find another way.
  const options = { servers: `127.0.0.1:${line.port}`, ignoreClusterUpdates: true };
  const log = natsRevocationLog({
    connect: natsJs(connect, options),
    replicas: 3,
    heartbeat: 100,
    rpcTimeout: 1_000,
    ackTimeout: LONG_MS,
  });
  const known = new Set<string>();
  const apply = (facts: readonly Revocation[]): void => facts.forEach(({ key }) => known.add(key));
  const member = { log, line, known };
  members.push(member);
  await log.start(plainContext({ maxStalenessMs: STALENESS_MS, apply }));
  return member;
}

const is = ({ log }: Member, state: string): Promise<void> =>
  eventually(() => log.freshness().state === state, LONG_MS);

async function leader(among: readonly NatsServer[]): Promise<NatsServer> {
  let found: NatsServer | undefined;
  const [asked] = among;
  await asked?.until(async () => {
    const { cluster } = await asked.asAdmin(({ streams }) => streams.info('genauth-rev'));
    found = among.find(({ name }) => name === cluster?.leader);
    return found !== undefined;
  });
  return found as NatsServer;
}

const othersThan = (one: NatsServer): readonly NatsServer[] =>
  servers.filter((server) => server !== one);

describeWithNats('A log on three servers', () => {
  beforeEach(async () => {
    alarms = [];
    members = [];
    subscribe('genauth:alarm', listen);
    servers = await NatsServer.cluster();
  });

  afterEach(async () => {
    unsubscribe('genauth:alarm', listen);
    for (const server of servers) server.thaw();
    await Promise.all(members.map(({ log }) => log.stop()));
    await Promise.all(members.map(({ line }) => line.stop()));
    await Promise.all(servers.map((server) => server.stop()));
  });

  it('loses nothing that it acknowledged when its leader is killed, and is current again', async () => {
    const first = await join(servers[0] as NatsServer);
    const old = await leader(servers);
    const [here, there] = othersThan(old);
    const writer = await join(here as NatsServer);
    const reader = await join(there as NatsServer);

    const acknowledged: string[] = [];
    let isOver = false;
    const writing = (async () => {
      while (!isOver) {
        const fact = tombstone();
        await writer.log.append([fact]);
        acknowledged.push(fact.key);
      }
    })();
    await eventually(() => acknowledged.length > 200, LONG_MS);
    await old.kill();
    const before = acknowledged.length;
    await eventually(() => acknowledged.length > before + 50, LONG_MS);
    isOver = true;
    await writing;

    await is(reader, 'live');
    await eventually(() => acknowledged.every((key) => reader.known.has(key)), LONG_MS);
    const newcomer = await join(there as NatsServer);
    expect(acknowledged.filter((key) => !newcomer.known.has(key))).toEqual([]);
    await old.restart();
    await is(first, 'live');
    await eventually(() => acknowledged.every((key) => first.known.has(key)), LONG_MS);
    expect(alarms.some(({ alarm }) => alarm === 'log_replaced')).toBe(false);
  });

  it('keeps the bound: who is live after an acknowledgement older than maxStaleness knows of it', async () => {
    const reader = await join(servers[0] as NatsServer);
    const old = await leader(servers);
    const writer = await join(othersThan(old)[0] as NatsServer);
    reader.line.retarget(othersThan(old)[1]?.port ?? 0);
    reader.line.reset();

    const acknowledged: { readonly key: string; readonly at: number }[] = [];
    let late = 0;
    let isOver = false;
    const watching = eventually(() => {
      const { state } = reader.log.freshness();
      if (state === 'live') {
        const due = performance.now() - STALENESS_MS;
        const overdue = acknowledged.filter(({ at, key }) => at < due && !reader.known.has(key));
        late += overdue.length;
      }
      return isOver;
    }, LONG_MS);
    const append = async (count: number): Promise<void> => {
      for (let left = count; left > 0; left -= 1) {
        const fact = tombstone();
        await writer.log.append([fact]);
        acknowledged.push({ key: fact.key, at: performance.now() });
      }
    };
    await append(50);
    reader.line.silence('down');
    await append(50);
    await old.kill();
    await append(50);
    await is(reader, 'stale');
    reader.line.accept();
    reader.line.reset();
    await is(reader, 'live');
    isOver = true;
    await watching;
    expect(late).toBe(0);
    expect(acknowledged.filter(({ key }) => !reader.known.has(key))).toEqual([]);
  });

  it('proves nothing through a leader that was replaced while it was frozen', async () => {
    const anybody = await join(servers[0] as NatsServer);
    const old = await leader(servers);
    const isolated = await join(old);
    const [here] = othersThan(old);
    anybody.line.retarget(here?.port ?? 0);
    anybody.line.reset();
    await is(anybody, 'live');

    old.freeze();
    await is(isolated, 'stale');
    const fact = tombstone();
    await anybody.log.append([fact]);
    expect(isolated.known.has(fact.key)).toBe(false);
    old.thaw();
    // It answers at once, also what it was asked before; whoever is live by its word knows the fact.
    await is(isolated, 'live');
    expect(isolated.known.has(fact.key)).toBe(true);
  });

  it('proves nothing while a majority is missing', async () => {
    const member = await join(servers[0] as NatsServer);
    const [, second, third] = servers;
    second?.freeze();
    third?.freeze();
    await is(member, 'stale');
    second?.thaw();
    third?.thaw();
    await is(member, 'live');
  });
});
