import { setTimeout as sleep } from 'node:timers/promises';

import { findRedis } from './find-redis.js';
import { type Drill, drills } from './drills.js';
import { Fleet } from './fleet.js';
import { Watch } from './watch.js';

const MAX_STALENESS = 3_000;
const PROCESSES = 4;

findRedis();
const fleet = await Fleet.start({ processes: PROCESSES, maxStaleness: MAX_STALENESS });
console.log(`${PROCESSES} Nest processes behind one revocation log on Redis and its replica.
A token that every process remembers is revoked on the first one. When is it accepted for the last time?
Bound: ${MAX_STALENESS} ms after the acknowledgement (revocation.maxStaleness, 10 s by default).
`);
const innocent = fleet.genauth.signIn({ sub: 'grace', scope: 'openid' }).access_token;
const load = new Watch(fleet, innocent, 2);
let faults = 0;
for (const drill of drills) if (!(await run(drill))) faults += 1;
await unacknowledged();
await load.end();
report();
await fleet.stop();
process.exitCode = faults === 0 ? 0 : 1;

/** @returns whether the bound held */
async function run({ name, before, after, mend }: Drill): Promise<boolean> {
  const token = fleet.genauth.signIn({ sub: 'ada', scope: 'openid' }).access_token;
  const watch = new Watch(fleet, token);
  await watch.untilAcceptedBy(PROCESSES);
  await before?.(fleet);
  const { acknowledgedAt, failure } = await fleet.processes[0]!.revoke(token);
  if (acknowledgedAt === undefined) {
    console.log(`  ✗ ${name}: the revocation failed (${failure})`);
    await watch.end();
    return false;
  }
  const boundAt = acknowledgedAt + MAX_STALENESS;
  await after?.(fleet);
  await sleep(boundAt + 500 - Date.now());
  await mend?.(fleet);
  await fleet.untilReady();
  await sleep(500);
  await watch.end();
  const isKept = watch.latest < boundAt;
  const latest = watch.latest - acknowledgedAt;
  const when = latest < 0 ? 'never again' : `${latest} ms after`;
  console.log(`  ${isKept ? '✓' : '✗'} ${name.padEnd(54)} ${when.padStart(14)}`);
  return isKept;
}

/** A revocation that the log cannot take is reported as such, holds here at once, and everywhere in the end. */
async function unacknowledged(): Promise<void> {
  const token = fleet.genauth.signIn({ sub: 'ada', scope: 'openid' }).access_token;
  const watch = new Watch(fleet, token);
  await watch.untilAcceptedBy(PROCESSES);
  fleet.redis.freeze();
  const { failure } = await fleet.processes[0]!.revoke(token);
  const { status } = await fleet.processes[0]!.me(token);
  fleet.redis.thaw();
  const isRefused = await refusedEverywhere(token);
  await watch.end();
  const isKept = failure === 'log_not_acknowledged' && status === 401 && isRefused;
  if (!isKept) faults += 1;
  console.log(
    `  ${isKept ? '✓' : '✗'} revoked while Redis is frozen: the caller is told (${failure}), refused there at once (${status}), ${isRefused ? 'and' : 'but not'} everywhere after the thaw`,
  );
}

async function refusedEverywhere(token: string): Promise<boolean> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline) {
    const replies = await Promise.all(fleet.processes.map((one) => one.me(token)));
    if (replies.every(({ status }) => status === 401)) return true;
    await sleep(20);
  }
  return false;
}

/** Whoever was not revoked must not be told to sign in again. */
function report(): void {
  const wrong = load.count(401);
  if (wrong > 0) faults += 1;
  console.log(
    `\n  meanwhile a token that nobody revoked was accepted ${load.count(200)} times, put off ${load.count(503)} times (503) and refused ${wrong} times (401)`,
  );
  console.log(faults === 0 ? '\nDone: every bound was kept.' : `\n${faults} bounds were broken.`);
}
