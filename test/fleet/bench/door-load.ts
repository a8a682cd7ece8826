import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Fleet } from '../fleet.js';
import type { FleetProcess } from '../fleet-process.js';
import type { Usage } from '../messages.js';

const TICK_MS = 10;

/** A user, and a token that the stand-in calls active: only a revocation keeps it out. */
export interface User {
  readonly sub: string;
  readonly token: string;
}

/** Tokens of users of their own; every one is a signature. */
export function signIn(fleet: Fleet, count: number): User[] {
  return Array.from({ length: count }, () => {
    const sub = randomUUID();
    return { sub, token: fleet.genauth.token({ sub }, { register: true }) };
  });
}

/** How many of the users' tokens get each status at the process. */
export async function statuses(
  one: FleetProcess,
  users: readonly User[],
): Promise<Map<number | undefined, number>> {
  const counts = new Map<number | undefined, number>();
  await atOnce(32, users, async ({ token }) => {
    const status = await statusOf(one, token);
    counts.set(status, (counts.get(status) ?? 0) + 1);
  });
  return counts;
}

/** An idle connection may be closed just when it is used again: then once more. */
async function statusOf(one: FleetProcess, token: string): Promise<number | undefined> {
  return (await one.me(token)).status ?? (await one.me(token)).status;
}

/** What came of sending webhooks. */
export interface Sent {
  readonly delaysMs: readonly number[];
  /** Answers other than 200; each was followed by another attempt. */
  readonly putOff: number;
  readonly tookMs: number;
}

/** One webhook a user, so many a second whatever the answers do; each is sent until it is answered 200. */
export async function kickAll(
  one: FleetProcess,
  secret: string,
  users: readonly User[],
  perSecond: number,
): Promise<Sent> {
  const delaysMs: number[] = [];
  let putOff = 0;
  const kick = async ({ sub }: User): Promise<void> => {
    const body = JSON.stringify({ eventName: 'kick', data: { users: [{ id: sub }] } });
    const headers = { 'content-type': 'application/json', 'x-genauth-webhook-secret': secret };
    const sentAt = performance.now();
    while ((await one.send('POST', '/hooks/genauth', headers, body)).status !== 200) {
      putOff += 1;
      await sleep(100);
    }
    delaysMs.push(performance.now() - sentAt);
  };
  const startedAt = performance.now();
  const under: Promise<void>[] = [];
  while (under.length < users.length) {
    const due = Math.ceil(((performance.now() - startedAt) / 1_000) * perSecond);
    for (const user of users.slice(under.length, due)) under.push(kick(user));
    await sleep(TICK_MS);
  }
  await Promise.all(under);
  return { delaysMs, putOff, tookMs: performance.now() - startedAt };
}

/** Requests with a token that nobody revokes, all the while. */
export class Traffic {
  #over = false;
  readonly delaysMs: number[] = [];
  readonly counts = new Map<number | undefined, number>();
  readonly #loops: Promise<void>[];

  constructor(
    processes: readonly FleetProcess[],
    private readonly token: string,
    private readonly everyMs: number,
  ) {
    this.#loops = processes.map((one) => this.#ask(one));
  }

  async end(): Promise<void> {
    this.#over = true;
    await Promise.all(this.#loops);
  }

  async #ask(one: FleetProcess): Promise<void> {
    while (!this.#over) {
      const sentAt = performance.now();
      const status = await statusOf(one, this.token);
      this.delaysMs.push(performance.now() - sentAt);
      this.counts.set(status, (this.counts.get(status) ?? 0) + 1);
      await sleep(this.everyMs);
    }
  }
}

export async function usageOf(one: FleetProcess): Promise<Usage> {
  return JSON.parse((await one.send('GET', '/usage')).body) as Usage;
}

async function atOnce<T>(
  callers: number,
  items: readonly T[],
  call: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const caller = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await call(item);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}
