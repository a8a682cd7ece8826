import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';

import { RedisServer } from '../harness/redis-server.js';
import { type Line, print } from './bench/report.js';
import { appends, catchUp, propagation, serverCost } from './bench/sections.js';
import { findRedis } from './find-redis.js';

const PROCESSES = 8;
const isQuick = process.argv.includes('--quick');

findRedis();
const server = await RedisServer.start();
const results: Record<string, readonly Line[]> = {};

async function section(title: string, measure: Promise<readonly Line[]>): Promise<void> {
  const lines = await measure;
  results[title] = lines;
  print(title, lines);
}

console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}; Redis on the same machine.
Every figure stands beside its plain counterpart from the same run.`);
await section(
  `Propagation, ${PROCESSES} processes`,
  propagation(server.url, PROCESSES, isQuick ? 50 : 500),
);
await section(`Cost on the server, ${PROCESSES} processes`, serverCost(server.url, PROCESSES));
await section('Appending', appends(server.url));
await section('Starting', catchUp(server.url, 100_000));
if (!isQuick) await section('Starting, with a million', catchUp(server.url, 1_000_000));
await server.stop();
mkdirSync('build', { recursive: true });
writeFileSync('build/bench-fleet.json', `${JSON.stringify(results, undefined, 2)}\n`);
console.log('\nbuild/bench-fleet.json holds the same.');
