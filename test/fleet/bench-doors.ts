import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

import { kickAll, usageOf, signIn, statuses, Traffic } from './bench/door-load.js';
import { print, quantile } from './bench/report.js';
import { findRedis } from './find-redis.js';
import { Fleet } from './fleet.js';

const PER_SECOND = 1_000;
const SECONDS = process.argv.includes('--quick') ? 2 : 10;
/** What a process may keep of a revocation; beyond, something is not let go. */
const MOST_BYTES_EACH = 2_000;
const MAX_STALENESS = 6_000;

findRedis();
console.log(`${cpus().length} × ${cpus()[0]?.model.trim()}, Node ${process.versions.node}; two Nest processes, Redis and a replica on the same machine.
${PER_SECOND} webhooks a second for ${SECONDS} seconds, each ends the tokens of one user; guarded routes are served meanwhile.`);
const secret = randomBytes(24).toString('base64url');
const fleet = await Fleet.start({
  processes: 2,
  maxStaleness: MAX_STALENESS,
  webhookSecret: secret,
});
const [told, other] = fleet.processes;
if (!told || !other) throw new Error('two processes were asked for');
// Tokens that are older than the log would be asked about, and are none of this.
await sleep(3_000);
const users = signIn(fleet, PER_SECOND * SECONDS);
const [innocent] = signIn(fleet, 1);
const faults: string[] = [];

const before = await Promise.all(fleet.processes.map((one) => statuses(one, users)));
if (before.some((counts) => counts.get(200) !== users.length)) {
  const shown = before.map((counts) => JSON.stringify([...counts])).join(' and ');
  faults.push(`not every token was accepted before it was revoked, but ${shown}`);
}
// Nor is what was issued around a cut.
await sleep(7_000);
fleet.genauth.requests.clear();
const usedBefore = await Promise.all(fleet.processes.map(usageOf));
const traffic = new Traffic(fleet.processes, innocent!.token, 5);
const sent = await kickAll(told, secret, users, PER_SECOND);
await traffic.end();
const usedAfter = await Promise.all(fleet.processes.map(usageOf));
await sleep(1_000);
const after = await Promise.all(fleet.processes.map((one) => statuses(one, users)));
const kept = usedAfter.map(({ heap }, place) => heap - usedBefore[place]!.heap);
const cpuMs = usedAfter[0]!.cpuMs - usedBefore[0]!.cpuMs;

judge();
print('The door', [
  {
    what: 'webhooks taken',
    ours: (sent.delaysMs.length / sent.tookMs) * 1_000,
    unit: 'a second',
  },
  { what: 'answered, p50', ours: quantile(sent.delaysMs, 0.5), unit: 'ms' },
  { what: 'answered, p99', ours: quantile(sent.delaysMs, 0.99), unit: 'ms' },
  { what: 'CPU, with the routes', ours: cpuMs / sent.delaysMs.length, unit: 'ms each' },
  { what: 'put off, and sent again', ours: sent.putOff, unit: 'webhooks' },
]);
print('Guarded routes meanwhile', [
  { what: 'accepted', ours: traffic.counts.get(200) ?? 0, unit: 'requests' },
  { what: 'answered, p50', ours: quantile(traffic.delaysMs, 0.5), unit: 'ms' },
  { what: 'answered, p99', ours: quantile(traffic.delaysMs, 0.99), unit: 'ms' },
]);
print('Afterwards', [
  { what: 'refused where it was told', ours: after[0]!.get(401) ?? 0, unit: 'tokens' },
  { what: 'refused at the other process', ours: after[1]!.get(401) ?? 0, unit: 'tokens' },
  { what: 'asked of GenAuth', ours: fleet.genauth.requests.count('introspection'), unit: 'tokens' },
  { what: 'kept in memory where it was told', ours: kept[0]! / users.length, unit: 'bytes each' },
  { what: 'kept at the other process', ours: kept[1]! / users.length, unit: 'bytes each' },
  { what: 'resident where it was told', ours: usedAfter[0]!.rss / 2 ** 20, unit: 'MiB' },
]);
for (const fault of faults) console.log(`\n✗ ${fault}`);
console.log(faults.length === 0 ? '\nDone: nothing was lost.' : '\nFailed.');
await fleet.stop();
process.exitCode = faults.length === 0 ? 0 : 1;

function judge(): void {
  after.forEach((counts, place) => {
    const lost = users.length - (counts.get(401) ?? 0);
    if (lost > 0) faults.push(`process ${place + 1} does not refuse ${lost} tokens`);
  });
  const wronged = [...traffic.counts].filter(([status]) => status !== 200);
  for (const [status, count] of wronged) {
    faults.push(`a token that nobody revoked got ${status ?? 'no answer'}, ${count} times`);
  }
  if (kept.some((bytes) => bytes > users.length * MOST_BYTES_EACH)) {
    faults.push(`a process keeps more than ${MOST_BYTES_EACH} bytes of a revocation`);
  }
}
