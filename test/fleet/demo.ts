import { setTimeout as sleep } from 'node:timers/promises';

import { findRedis } from './find-redis.js';
import { type Drill, drills } from './drills.js';
import { Fleet } from './fleet.js';
import { Watch } from './watch.js';

const MAX_STALENESS = 3_000;
const PROCESSES = 4;

findRedis();
const fleet = await Fleet.start({ processes: PROCESSES, maxStaleness: MAX_STALENESS });
console.log(`${PROCESSES} Nest processes under load share one revocation log, on Redis and its replica.
In each round every process has accepted a token, and it is revoked on the first of them.
When does any process accept it for the last time, counted from the acknowledgement?
The bound is revocation.maxStaleness: ${MAX_STALENESS} ms here, 10 s by default.
`);
row(' ', 'what goes wrong', 'last accepted', 'bound');
const innocent = fleet.genauth.signIn({ sub: 'grace', scope: 'openid' }).access_token;
const load = new Watch(fleet, innocent, 2);
let faults = 0;
for (const drill of drills) if (!(await run(drill))) faults += 1;
await unacknowledged();
await load.end();
report();
// What will not be closed does not keep it from ending: servers and processes die with this one.
await Promise.race([fleet.stop(), sleep(10_000)]);
process.exit(faults === 0 ? 0 : 1);

/** @returns whether the bound held */
async function run({ name, before, after, mend }: Drill): Promise<boolean> {
  const token = fleet.genauth.signIn({ sub: 'ada', scope: 'openid' }).access_token;
  const watch = new Watch(fleet, token);
  await watch.untilAcceptedBy(PROCESSES);
  await before?.(fleet);
  const { acknowledgedAt, failure } = await fleet.processes[0]!.revoke(token);
  if (acknowledgedAt === undefined) {
    row(mark(false), name, `not revoked: ${failure}`, '');
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
  row(mark(isKept), name, latest < 0 ? 'never again' : `${latest} ms after`, `${MAX_STALENESS} ms`);
  return isKept;
}

function row(sign: string, what: string, when: string, bound: string): void {
  console.log(`  ${sign} ${what.padEnd(54)} ${when.padStart(14)} ${bound.padStart(9)}`);
}

function mark(isKept: boolean): string {
  return isKept ? '✓' : '✗';
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
  const told = failure === 'log_not_acknowledged';
  console.log('\n  revoked while Redis is frozen, so that nothing is acknowledged');
  for (const [isKept, what] of [
    [told, `the caller is told (${failure ?? 'success'})`],
    [status === 401, `the token is refused there at once (${status ?? 'no answer'})`],
    [isRefused, 'it is refused everywhere after the thaw'],
  ] as const) {
    if (!isKept) faults += 1;
    console.log(`  ${mark(isKept)} ${what}`);
  }
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
  console.log('\n  a token that nobody revoked, all the time on every process');
  console.log(
    `  ${mark(wrong === 0)} accepted ${load.count(200)} times, put off ${load.count(503)} times (503), refused ${wrong} times (401)`,
  );
  console.log(faults === 0 ? '\nDone: every bound was kept.' : `\n${faults} bounds were broken.`);
}
