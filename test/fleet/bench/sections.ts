import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Revocation, RevocationLog } from 'nestjs-genauth';
import { nodeRedis, redisRevocationLog } from 'nestjs-genauth/redis';
import { createClient } from 'redis';

import type { CaughtUp } from './catch-up.js';
import { Crowd } from './crowd.js';
import { randomFact } from './facts.js';
import type { Ear } from './listener.js';
import { plainContext } from './plain-context.js';
import { type Line, quantile } from './report.js';

export type Client = Awaited<ReturnType<typeof openClient>>;

export function openClient(url: string) {
  return createClient({ url, RESP: 2 }).connect();
}

async function openLog(url: string): Promise<RevocationLog> {
  const connect = nodeRedis(createClient, { url });
  // Slow is what is to be measured; to be late is no failure here.
  const log = redisRevocationLog({ connect, janitor: false, ackTimeout: 60_000 });
  await log.start(plainContext(() => undefined));
  return log;
}

/** How long until the others know: by the log with its proof, by plain pub/sub, in turn. */
export async function propagation(url: string, processes: number, rounds: number): Promise<Line[]> {
  const crowd = await Crowd.gather(processes, url, ['log', 'pubsub']);
  const log = await openLog(url);
  const client = await openClient(url);
  const sentAt = { log: new Map<string, bigint>(), pubsub: new Map<string, bigint>() };
  for (let round = 0; round < rounds; round += 1) {
    const fact = randomFact();
    sentAt.log.set(fact.key, process.hrtime.bigint());
    await log.append([fact]);
    await sleep(10);
    sentAt.pubsub.set(fact.key, process.hrtime.bigint());
    await client.publish('revocations', fact.key);
    await sleep(10);
  }
  const delays = { log: [] as number[], pubsub: [] as number[] };
  for (const ear of ['log', 'pubsub'] as const) {
    for (const heard of await crowd.heard(ear)) {
      for (const [key, at] of heard) {
        const from = sentAt[ear].get(key);
        if (from !== undefined) delays[ear].push(Number(at - from) / 1e6);
      }
    }
  }
  await crowd.leave();
  await log.stop();
  client.destroy();
  return [0.5, 0.99].map((part) => ({
    what: `revoked here, known elsewhere, p${part * 100}`,
    ours: quantile(delays.log, part),
    beside: { what: 'plain pub/sub', value: quantile(delays.pubsub, part) },
    unit: 'ms',
  }));
}

/** What listening costs the server, for one process: while nothing happens, and for each revocation. */
export async function serverCost(url: string, processes: number): Promise<Line[]> {
  const cost = async (ear: Ear) => {
    const crowd = await Crowd.gather(processes, url, [ear]);
    const client = await openClient(url);
    const idle = await cpuMs(client, () => sleep(5_000));
    const busy = await cpuMs(client, async () => {
      for (let round = 0; round < 200; round += 1) {
        const { key, keepUntilAt } = randomFact();
        if (ear === 'pubsub') await client.publish('revocations', key);
        else await add(client, key, keepUntilAt);
        await sleep(10);
      }
    });
    await crowd.leave();
    client.destroy();
    return { idle: (idle / 5 / processes) * 1_000, busy: (busy / 200 / processes) * 1_000 };
  };
  const [log, pubsub, read] = [await cost('log'), await cost('pubsub'), await cost('read')];
  return [
    {
      what: 'a process that listens, each second',
      ours: log.idle,
      beside: { what: 'a plain blocked read', value: read.idle },
      unit: 'µs of CPU',
    },
    {
      what: 'a revocation, for each process',
      ours: log.busy,
      beside: { what: 'a plain blocked read', value: read.busy },
      unit: 'µs of CPU',
    },
    {
      what: 'a revocation, for each process',
      ours: log.busy,
      beside: { what: 'plain pub/sub', value: pubsub.busy },
      unit: 'µs of CPU',
    },
  ];
}

function add(client: Client, key: string, keepUntilAt: number): Promise<unknown> {
  const fields = ['v', '1', 'k', 't', 'f', key, 'x', `${keepUntilAt}`];
  return client.sendCommand(['XADD', '{genauth:rev}:log', '*', ...fields]);
}

async function cpuMs(client: Client, work: () => Promise<unknown>): Promise<number> {
  const used = async (): Promise<number> => {
    const info = await client.info('cpu');
    const part = (name: string) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]);
    return (part('used_cpu_user') + part('used_cpu_sys')) * 1_000;
  };
  const before = await used();
  await work();
  return (await used()) - before;
}

/** How many a second, when many callers wait at once and when each waits for the one before. */
export async function appends(url: string): Promise<Line[]> {
  const log = await openLog(url);
  const client = await openClient(url);
  const ours = (fact: Revocation) => log.append([fact]);
  const plain = ({ key, keepUntilAt }: Revocation) => add(client, key, keepUntilAt);
  const lines: Line[] = [];
  for (const [callers, count] of [
    [256, 100_000],
    [1, 5_000],
  ] as const) {
    const what = callers === 1 ? 'one after the other' : `${callers} callers at once`;
    const value = await perSecond(plain, callers, count);
    lines.push({
      what: `appends, ${what}`,
      ours: await perSecond(ours, callers, count),
      beside: { what: 'plain XADD', value },
      unit: 'a second',
    });
  }
  await log.stop();
  client.destroy();
  return lines;
}

async function perSecond(
  append: (fact: Revocation) => Promise<unknown>,
  callers: number,
  count: number,
): Promise<number> {
  const facts = Array.from({ length: count }, randomFact);
  const startedAt = performance.now();
  const call = async (): Promise<void> => {
    for (let fact = facts.pop(); fact; fact = facts.pop()) await append(fact);
  };
  await Promise.all(Array.from({ length: callers }, call));
  return count / ((performance.now() - startedAt) / 1_000);
}

/** A fresh process reads the whole log. */
export async function catchUp(url: string, entries: number): Promise<Line[]> {
  const client = await openClient(url);
  await client.flushAll();
  const log = await openLog(url);
  await perSecond((fact) => log.append([fact]), 1_024, entries);
  await log.stop();
  const inRedis = Number(
    await client.sendCommand(['MEMORY', 'USAGE', '{genauth:rev}:log', 'SAMPLES', '0']),
  );
  client.destroy();
  const plain = await readAll(url, 'plain');
  const ours = await readAll(url, 'ours');
  const of = `${entries.toLocaleString('en-US').replaceAll(',', ' ')} entries`;
  return [
    {
      what: `catch-up, ${of}`,
      ours: ours.ms,
      beside: { what: 'plain XRANGE', value: plain.ms },
      unit: 'ms',
    },
    { what: `in a process, ${of}`, ours: ours.bytes / ours.entries, unit: 'bytes an entry' },
    { what: `in Redis, ${of}`, ours: inRedis / entries, unit: 'bytes an entry' },
  ];
}

async function readAll(url: string, side: 'ours' | 'plain'): Promise<CaughtUp> {
  const env = { ...process.env, REDIS_URL: url, SIDE: side };
  const child = fork(new URL('catch-up.js', import.meta.url), { env });
  const [caughtUp] = (await once(child, 'message')) as [CaughtUp];
  return caughtUp;
}
