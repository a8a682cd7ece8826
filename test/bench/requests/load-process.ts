import { connect, type Socket } from 'node:net';
import { createHistogram } from 'node:perf_hooks';

import { answerParent } from '../common/child.js';
import type { Answered, Mix, Target, Tokens } from './load.js';

/** One request of the plan. */
interface Request {
  readonly bytes: Buffer;
  readonly status: string;
}

/** Requests in the wanted mix, for ever. */
class Plan {
  readonly #good: readonly Request[];
  readonly #fresh: readonly Request[];
  readonly #junk: readonly Request[];
  #sent = 0;
  #freshSent = 0;
  #junkSent = 0;

  constructor(
    { good, fresh, junk }: Tokens,
    private readonly mix: Mix,
  ) {
    this.#good = good.map((token) => requestWith(token, '200'));
    this.#fresh = fresh.map((token) => requestWith(token, '200'));
    this.#junk = junk.map((token) => requestWith(token, '401'));
  }

  /** The first requests are all good ones, and each of them comes once before any comes again. */
  next(): Request {
    const place = this.#sent++;
    const part = place % 100;
    if (place >= this.#good.length && part < this.mix.fresh) {
      return taken(this.#fresh, this.#freshSent++);
    }
    if (place >= this.#good.length && part >= 100 - this.mix.junk) {
      return taken(this.#junk, this.#junkSent++);
    }
    return this.#good[place % this.#good.length] as Request;
  }
}

/** Once used, these are no longer what they were. */
function taken(requests: readonly Request[], place: number): Request {
  const request = requests[place];
  if (!request) throw new Error(`${requests.length} tokens of a kind are not enough`);
  return request;
}

function requestWith(token: string, status: string): Request {
  const text = `GET /me HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${token}\r\n\r\n`;
  return { bytes: Buffer.from(text, 'latin1'), status };
}

/** Longer than any answer here. */
const ANSWER_BYTES = 8 * 1024;

/**
 * One keep-alive connection, which sends its next request when the last one is answered. As little as can be
 * done for each answer: the load has to be faster than any server here, or it measures itself.
 */
class Connection {
  readonly #buffer = Buffer.alloc(ANSWER_BYTES);
  readonly #socket: Socket;
  #text = '';
  #answered: (status: string) => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(port: number) {
    const onread = { buffer: this.#buffer, callback: (bytes: number) => this.#take(bytes) };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.#socket.on('error', (error) => this.#failed(error));
    this.#socket.on('close', () => this.#failed(new Error('the server has hung up')));
  }

  /** @param answered is given the status of the answer */
  send(bytes: Buffer, answered: (status: string) => void, failed: (error: Error) => void): void {
    this.#answered = answered;
    this.#failed = failed;
    this.#socket.write(bytes);
  }

  close(): void {
    this.#failed = () => {};
    this.#socket.destroy();
  }

  #take(bytes: number): boolean {
    this.#text += this.#buffer.toString('latin1', 0, bytes);
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0) return true;
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1]);
    if (Number.isNaN(length)) this.#failed(new Error('an answer without a length'));
    else if (this.#text.length >= end + 4 + length) {
      const status = this.#text.slice(9, 12);
      this.#text = '';
      this.#answered(status);
    }
    return true;
  }
}

let tokens: Record<string, Tokens> = {};
let connections: Connection[] = [];
let plan: Plan | undefined;

/** What was seen since `begin`. */
let latencies = createHistogram();
let unexpected = 0;
let elapsedMs = 0;

/** Resolves when the time is over and the last request is answered. */
function drive(connection: Connection, requests: Plan, until: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAt = 0;
    let expected = '';
    const next = (): void => {
      const { bytes, status } = requests.next();
      expected = status;
      sentAt = performance.now();
      connection.send(bytes, answered, reject);
    };
    const answered = (status: string): void => {
      if (status !== expected) unexpected += 1;
      const now = performance.now();
      latencies.record(Math.max(1, Math.round((now - sentAt) * 1_000)));
      if (now < until) next();
      else resolve();
    };
    next();
  });
}

/**
 * Keeps this process awake: one that sleeps is woken up by the server's `write`, and the server would pay for it
 * whenever it is the slower of the two, which is to say more for some contenders than for others.
 */
function stayAwake(): { sleep(): void } {
  let turn = setImmediate(function again() {
    turn = setImmediate(again);
  });
  return { sleep: () => clearImmediate(turn) };
}

/** Resolves when everything sent meanwhile is answered. */
async function run(ms: number): Promise<void> {
  const requests = plan;
  if (!requests) throw new Error('aim first');
  const startedAt = performance.now();
  const awake = stayAwake();
  try {
    await Promise.all(connections.map((one) => drive(one, requests, startedAt + ms)));
  } finally {
    awake.sleep();
  }
  elapsedMs += performance.now() - startedAt;
}

answerParent({
  take(more: Record<string, Tokens>) {
    tokens = { ...tokens, ...more };
  },
  async aim({ port, kind, mix, width }: Target) {
    for (const one of connections) one.close();
    plan = new Plan(tokens[kind] as Tokens, mix);
    connections = Array.from({ length: width }, () => new Connection(port));
    // One request alone: whoever has to fetch keys first does so before the crowd arrives.
    const { bytes, status } = plan.next();
    const got = await new Promise<string>((resolve, reject) => {
      connections[0]?.send(bytes, resolve, reject);
    });
    if (got !== status) throw new Error(`the first request was answered ${got}`);
  },
  begin() {
    latencies = createHistogram();
    unexpected = 0;
    elapsedMs = 0;
  },
  run,
  end: (): Answered => ({
    answered: latencies.count,
    unexpected,
    perSecond: (latencies.count / elapsedMs) * 1_000,
    p99Ms: latencies.percentile(99) / 1_000,
  }),
});
