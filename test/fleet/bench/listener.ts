import { nodeRedis, redisRevocationLog } from 'nestjs-genauth/redis';
import { createClient } from 'redis';

import { plainContext } from './plain-context.js';

/** What is heard, and when, on the clock that all processes of a machine share. */
export type Heard = readonly (readonly [key: string, at: bigint])[];

/** A process that hears of revocations: by the log, by plain pub/sub, or by a plain blocked read. */
export type Ear = 'log' | 'pubsub' | 'read';

const url = process.env['REDIS_URL'] as string;
const ears = (process.env['EARS'] ?? '').split(',') as Ear[];
const heard: Record<Ear, [string, bigint][]> = { log: [], pubsub: [], read: [] };

function hear(ear: Ear, key: string): void {
  heard[ear].push([key, process.hrtime.bigint()]);
}

async function openLog(): Promise<void> {
  const log = redisRevocationLog({ connect: nodeRedis(createClient, { url }), janitor: false });
  await log.start(plainContext((facts) => facts.forEach(({ key }) => hear('log', key))));
}

async function subscribe(): Promise<void> {
  const client = await createClient({ url }).connect();
  await client.subscribe('revocations', (key) => hear('pubsub', key));
}

/** Blocks again and again, and believes whatever comes: what the log does without its proof. */
async function read(): Promise<void> {
  const client = await createClient({ url, RESP: 2 }).connect();
  void (async () => {
    for (let cursor = '$'; ;) {
      const command = ['XREAD', 'BLOCK', '1000', 'STREAMS', '{genauth:rev}:log', cursor];
      const reply = (await client.sendCommand(command)) as [string, [string, string[]][]][] | null;
      for (const [id, fields] of reply?.[0]?.[1] ?? []) {
        cursor = id;
        hear('read', fields[fields.indexOf('f') + 1] ?? '');
      }
    }
  })();
}

const open = { log: openLog, pubsub: subscribe, read };
for (const ear of ears) await open[ear]();
process.on('message', (ear: Ear) => {
  process.send?.(heard[ear].splice(0));
});
process.send?.('listening');
