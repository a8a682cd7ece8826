import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { DiscardPolicy, RetentionPolicy, type StreamConfig, StorageType } from '@nats-io/jetstream';
import { connect, type NodeConnectionOptions } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import type { Revocation, RevocationLog, RevocationLogContext } from '../../src/index.js';
import { natsJs, natsRevocationLog, type NatsRevocationLogOptions } from '../../src/nats.js';
import { NatsServer } from '../harness/nats-server.js';
import { plainContext, tombstone } from '../harness/plain-context.js';
import { eventually } from '../harness/scene.js';
import { ShiftedClock } from '../harness/shifted-clock.js';
import { TcpProxy } from '../harness/tcp-proxy.js';
import { describeWithNats } from '../harness/with-servers.js';

const STREAM = 'genauth-rev';
const LIFETIME_MS = 3_600_000;
const LONG_MS = 20_000;
const LATER = Date.now() + LIFETIME_MS;

/** As the log makes it. */
const CONFIG: StreamConfig = {
  name: STREAM,
  subjects: [`${STREAM}.>`],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  num_replicas: 1,
  max_age: (LIFETIME_MS + 600_000) * 1_000_000,
  max_msgs_per_subject: 1,
  discard: DiscardPolicy.New,
  allow_direct: true,
  deny_delete: true,
  deny_purge: true,
} as StreamConfig;

/** The rights that the documents ask for. */
const PUBLISH = [
  '$JS.API.STREAM.INFO.genauth-rev',
  '$JS.API.STREAM.CREATE.genauth-rev',
  '$JS.API.DIRECT.GET.genauth-rev',
  'genauth-rev.log.*',
  'genauth-rev.proof',
];
const SUBSCRIBE = ['_INBOX.>', 'genauth-rev.log.*'];

let server: NatsServer;
let logs: RevocationLog[];
let proxies: TcpProxy[];
let lines: string[];

const listen = (message: unknown): void => {
  const { alarm, detail } = message as { alarm: string; detail: string };
  lines.push(`${alarm}: ${detail}`);
};

beforeEach(() => {
  [logs, proxies, lines] = [[], [], []];
  subscribe('genauth:alarm', listen);
});

afterEach(async () => {
  unsubscribe('genauth:alarm', listen);
  server.thaw();
  await Promise.all(logs.map((log) => log.stop()));
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await server.stop();
});

function logWith(
  login: NodeConnectionOptions = {},
  options: Partial<NatsRevocationLogOptions> = {},
): RevocationLog {
  const to = natsJs(connect, { servers: server.url, ...login });
  const log = natsRevocationLog({ connect: to, heartbeat: 100, rpcTimeout: 500, ...options });
  logs.push(log);
  return log;
}

/** A log that may fail to start, and what it was told. */
function launch(log: RevocationLog, own: Partial<RevocationLogContext> = {}): Set<string> {
  const known = new Set<string>();
  const apply = (facts: readonly Revocation[]): void => facts.forEach(({ key }) => known.add(key));
  log.start(plainContext({ apply, ...own })).catch(() => undefined);
  return known;
}

const is = (log: RevocationLog, state: string): Promise<void> =>
  eventually(() => log.freshness().state === state, LONG_MS);
const said = (part: string): Promise<void> =>
  eventually(() => lines.some((line) => line.includes(part)), LONG_MS);

/** How many entries there are, marks included. */
async function entries(): Promise<number> {
  const { state } = await server.asAdmin(({ streams }) =>
    streams.info(STREAM, { subjects_filter: `${STREAM}.log.>` }),
  );
  return Object.keys(state.subjects ?? {}).length;
}

async function lastSequence(): Promise<number> {
  return server.asAdmin(async ({ streams }) => (await streams.info(STREAM)).state.last_seq);
}

/** Lets the stream grow by proofs, as other processes would. */
function prove(count: number): Promise<void> {
  return server.use(async (connection) => {
    for (let left = count; left > 0; left -= 500) {
      const some = Array.from({ length: Math.min(left, 500) }, () =>
        connection.request(`${STREAM}.proof`),
      );
      await Promise.all(some);
    }
  });
}

describeWithNats('The stream of a log', () => {
  beforeEach(async () => {
    server = await NatsServer.start();
  });

  it('is made as the documents say', async () => {
    await logWith().start(plainContext());
    const { config } = await server.asAdmin(({ streams }) => streams.info(STREAM));
    expect(config).toMatchObject(CONFIG);
  });

  it.each<[string, Partial<StreamConfig>]>([
    ['max_msgs_per_subject', { max_msgs_per_subject: 10 }],
    ['discard', { discard: DiscardPolicy.Old, max_msgs: 100 }],
    ['retention', { retention: RetentionPolicy.Interest }],
    ['deny_purge', { deny_purge: false }],
    ['deny_delete', { deny_delete: false }],
    ['discard_new_per_subject', { discard_new_per_subject: true }],
    ['no_ack', { no_ack: true }],
    ['subjects', { subjects: [`${STREAM}.>`, 'others'] }],
    ['allow_direct', { allow_direct: false, max_msgs_per_subject: 1 }],
  ])('proves nothing while its %s may lose entries or hide them', async (name, other) => {
    await server.asAdmin(({ streams }) => streams.add({ ...CONFIG, ...other }));
    const log = logWith();
    launch(log);
    await said(`log_misconfigured: the stream 'genauth-rev' has`);
    expect(lines.find((line) => line.includes('the stream'))).toContain(`'${name}'`);
    expect(log.freshness().state).toBe('catching-up');
  });

  it('says so when it is on fewer servers than was asked for', async () => {
    await server.asAdmin(({ streams }) => streams.add(CONFIG));
    launch(logWith({}, { replicas: 3 }));
    await said("has 'num_replicas' 1: replicas asks for 3");
  });

  it('says so when the server stands alone, and replicas asks for more', async () => {
    launch(logWith({}, { replicas: 3 }));
    await said('log_misconfigured: replicas asks for more than one');
  });

  it('says so when it is kept in memory', async () => {
    await server.asAdmin(({ streams }) => streams.add({ ...CONFIG, storage: StorageType.Memory }));
    await logWith().start(plainContext());
    await said('log_misconfigured: the stream');
    expect(lines.join()).toContain('kept in memory');
  });

  it('says so when it is full', async () => {
    await server.asAdmin(({ streams }) => streams.add({ ...CONFIG, max_bytes: 2_000 }));
    const log = logWith();
    launch(log);
    await is(log, 'live');
    log.append(Array.from({ length: 50 }, () => tombstone())).catch(() => undefined);
    await said('log_misconfigured: the stream is full');
  });

  it('is looked at each minute: a limit that is set meanwhile is noticed', async () => {
    const clock = new ShiftedClock();
    const log = logWith();
    await log.start(plainContext({ clock }));
    const limited = { ...CONFIG, discard: DiscardPolicy.Old, max_msgs: 5 };
    await server.asAdmin(({ streams }) => streams.update(STREAM, limited));
    clock.shiftMs += 61_000;
    await said("has 'discard'");
    expect(log.freshness().state).toBe('stale');
  });

  it('does not grow by what is tried again', async () => {
    const log = logWith({}, { ackTimeout: 3_000 });
    await log.start(plainContext());
    const before = await entries();
    server.freeze();
    await eventually(() => log.freshness().ageMs > 600);
    const appending = log.append([tombstone()]);
    await eventually(() => lines.length >= 6, LONG_MS);
    server.thaw();
    await appending.catch(() => undefined);
    await is(log, 'live');
    const other = logWith();
    const known = launch(other);
    await eventually(() => known.size === 1, LONG_MS);
    expect(await entries()).toBe(before + 1);
  });

  it('is not taken for another when an attempt that was read is repeated', async () => {
    const [log, other] = [logWith(), logWith()];
    const known = launch(log);
    await is(log, 'live');
    const attempt = (): Promise<unknown> =>
      server.use((connection) =>
        connection.request(`${STREAM}.log.again`, `v 1 k o f ${'A'.repeat(22)} x ${LATER}`),
      );
    await attempt();
    await eventually(() => known.size === 1);
    const seen = await lastSequence();
    await eventually(async () => (await lastSequence()) > seen + 2);
    await attempt();
    await said('log_rewound');
    await is(log, 'live');
    await other.start(plainContext());
    expect(lines.filter((line) => line.startsWith('log_replaced'))).toEqual([]);
  });

  it('gets a mark when the last entry is far from its end', async () => {
    const log = logWith();
    await log.start(plainContext());
    const before = await entries();
    await prove(20_001);
    await eventually(async () => (await entries()) === before + 1, LONG_MS);
    expect(log.freshness().state).toBe('live');
  });

  it('gets a mark before the last entry leaves it', async () => {
    const log = logWith();
    await log.start(plainContext({ maxTokenLifetimeMs: 4_000 }));
    const before = await entries();
    await eventually(async () => (await entries()) > before + 1, LONG_MS);
    expect(lines.filter((line) => line.startsWith('log_replaced'))).toEqual([]);
  });
});

describeWithNats('A log that is not the one that was read', () => {
  let line: TcpProxy;
  let log: RevocationLog;
  let known: Set<string>;
  const [lost, hidden] = [tombstone(), tombstone()];

  beforeEach(async () => {
    server = await NatsServer.start();
    line = await TcpProxy.start(server.port);
    proxies.push(line);
    log = logWith({ servers: `127.0.0.1:${line.port}` });
    known = launch(log, { held: () => [lost] });
    await is(log, 'live');
  });

  /** Waits until all was read from the stream, and not only heard, and goes. @returns where the stream ends */
  async function leave(): Promise<number> {
    await is(log, 'live');
    const seen = await lastSequence();
    await eventually(async () => (await lastSequence()) > seen + 2);
    line.refuse();
    return lastSequence();
  }

  /** Another process adds something where this one has been, and everything grows past it. */
  async function growPast(sequence: number): Promise<void> {
    const other = logWith();
    await other.start(plainContext());
    await other.append([hidden]);
    expect(await lastSequence()).toBeLessThan(sequence);
    await prove(sequence);
    await other.stop();
  }

  async function restoreWhileAway(): Promise<void> {
    await server.kill();
    server.restore();
    await server.restart();
  }

  async function backUp(): Promise<void> {
    await server.kill();
    server.backUp();
    await server.restart();
    await is(log, 'live');
  }

  it.each([
    ['rolled back', 'log_rewound', restoreWhileAway],
    ['made anew', 'log_replaced', () => server.asAdmin(({ streams }) => streams.delete(STREAM))],
  ])('is noticed although it has grown past what was read: %s', async (_, alarm, strike) => {
    await backUp();
    await prove(100);
    await log.append([lost]);
    await eventually(() => known.has(lost.key));
    const sequence = await leave();
    await strike();
    await growPast(sequence);
    line.accept();
    await eventually(() => known.has(hidden.key), LONG_MS);
    await is(log, 'live');
    await said(alarm);
    await eventually(async () => {
      const newcomer = logWith();
      const told = launch(newcomer);
      await is(newcomer, 'live');
      await newcomer.stop();
      return told.has(lost.key);
    }, LONG_MS);
  });

  it('hides nothing when it was rolled back to after the last entry', async () => {
    await backUp();
    await prove(100);
    const sequence = await leave();
    await restoreWhileAway();
    await growPast(sequence);
    line.accept();
    await eventually(() => known.has(hidden.key));
    await is(log, 'live');
  });
});

describeWithNats('A server that takes no large messages', () => {
  it('acknowledges many facts at once, and what comes behind them', async () => {
    server = await NatsServer.start('max_payload: 64KB');
    const log = logWith();
    await log.start(plainContext());
    const facts = Array.from({ length: 2_000 }, () => tombstone());
    await Promise.all([log.append(facts), log.append([tombstone()])]);
    const known = launch(logWith());
    await eventually(() => facts.every(({ key }) => known.has(key)), LONG_MS);
  });
});

describeWithNats('The rights that a user of NATS needs', () => {
  const login = { user: 'app', pass: 'right' };

  async function serve(publish: readonly string[], subscribed: readonly string[]): Promise<void> {
    const rights = JSON.stringify({ publish, subscribe: subscribed });
    const users = `{ user: app, password: right, permissions: ${rights} }, { user: root, password: root }`;
    server = await NatsServer.start(`authorization { users: [${users}] }`);
  }

  it('suffice to write and to read', async () => {
    await serve(PUBLISH, SUBSCRIBE);
    const [writer, reader] = [logWith(login), logWith(login)];
    await writer.start(plainContext());
    const known = launch(reader);
    await is(reader, 'live');
    const fact = tombstone();
    await writer.append([fact]);
    await eventually(() => known.has(fact.key));
    expect(lines.filter((line) => line.includes('right'))).toEqual([]);
  });

  it.each([
    ...PUBLISH.map((right) => [`publish to ${right.replace('*', '')}`, right] as const),
    ...SUBSCRIBE.map((right) => [`subscribe to ${right.replace('>', '')}`, right] as const),
  ])('are missed with one line that names it: %s', async (expected, missing) => {
    const without = (all: readonly string[], isOne: boolean): readonly string[] =>
      all.filter((right) => right !== missing || !isOne);
    const isPublish = expected.startsWith('publish');
    await serve(without(PUBLISH, isPublish), without(SUBSCRIBE, !isPublish));
    const log = logWith(login);
    launch(log);
    log.append([tombstone()]).catch(() => undefined);
    await said(`log_misconfigured: the user of NATS lacks a right: ${expected}`);
  });

  it('are enough without that of making the stream, when it is there', async () => {
    const rights = PUBLISH.filter((right) => !right.includes('CREATE'));
    await serve(rights, SUBSCRIBE);
    await logWith({ user: 'root', pass: 'root' }).start(plainContext());
    await logWith(login).start(plainContext());
    expect(lines.filter((line) => line.includes('right'))).toEqual([]);
  });

  it('hear the news a heartbeat later without that of hearing it', async () => {
    await serve(PUBLISH, ['_INBOX.>']);
    const [writer, reader] = [logWith(login), logWith(login)];
    await writer.start(plainContext());
    const known = launch(reader);
    await is(reader, 'live');
    const fact = tombstone();
    await writer.append([fact]);
    await eventually(() => known.has(fact.key));
  });

  it('are not given to a wrong password, and a line says so', async () => {
    await serve(PUBLISH, SUBSCRIBE);
    launch(logWith({ user: 'app', pass: 'wrong' }));
    await said('log_misconfigured: NATS refuses the user, password or key');
  });
});

describe('The options of a log on NATS', () => {
  it('are refused with one sentence for each that is at fault', () => {
    const options = { connect: 1, stream: 'a.b', heartbeat: 0, replicas: 9, prefix: 'x' };
    const build = (): unknown => natsRevocationLog(options as unknown as NatsRevocationLogOptions);
    for (const name of ['connect', 'stream', 'heartbeat', 'replicas', 'prefix']) {
      expect(build).toThrow(name);
    }
    expect(() => natsRevocationLog(undefined as unknown as NatsRevocationLogOptions)).toThrow(
      'natsRevocationLog needs an object',
    );
  });
});
