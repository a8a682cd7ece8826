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

  junk(): Request {
    return taken(this.#junk, this.#junkSent++);
  }

  /** The first requests are all good ones, and each of them comes once before any comes again. */
  next(): Request {
    const place = this.#sent++;
    const part = place % 100;
    if (place >= this.#good.length && part < this.mix.fresh) {
      return taken(this.#fresh, this.#freshSent++);
    }
    if (place >= this.#good.length && part >= 100 - this.mix.junk) {
      return this.junk();
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

/** A server under load, and what was seen of it since `begin`; unexpected answers always count. */
class Aim {
  readonly #connections: readonly Connection[];
  readonly #plan: Plan;
  readonly #refuses: boolean;
  #latencies = createHistogram();
  #unexpected = 0;
  #elapsedMs = 0;

  constructor({ port, kind, mix, width, refuses }: Target) {
    this.#refuses = refuses;
    this.#plan = new Plan(tokens[kind] as Tokens, mix);
    this.#connections = Array.from({ length: width }, () => new Connection(port));
  }

  /** One request alone: whoever has to fetch keys first does so before the crowd arrives. */
  async begin(): Promise<void> {
    const [first] = this.#connections;
    if (first) await this.#drive(first, performance.now());
    // A guard that lets junk in would be a cheap one.
    if (first && this.#refuses)
      await this.#drive(first, performance.now(), () => this.#plan.junk());
    this.#latencies = createHistogram();
    this.#elapsedMs = 0;
  }

  /** Resolves when everything sent meanwhile is answered. */
  async run(ms: number): Promise<void> {
    const startedAt = performance.now();
    const awake = stayAwake();
    try {
      await Promise.all(this.#connections.map((one) => this.#drive(one, startedAt + ms)));
    } finally {
      awake.sleep();
    }
    this.#elapsedMs += performance.now() - startedAt;
  }

  end(): Answered {
    for (const one of this.#connections) one.close();
    return {
      answered: this.#latencies.count,
      unexpected: this.#unexpected,
      perSecond: (this.#latencies.count / this.#elapsedMs) * 1_000,
      p99Ms: this.#latencies.percentile(99) / 1_000,
    };
  }

  /** Sends until then; resolves when the last request is answered. */
  #drive(
    connection: Connection,
    until: number,
    choose = (): Request => this.#plan.next(),
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let sentAt = 0;
      let expected = '';
      const next = (): void => {
        const { bytes, status } = choose();
        expected = status;
        sentAt = performance.now();
        connection.send(bytes, answered, reject);
      };
      const answered = (status: string): void => {
        if (status !== expected) this.#unexpected += 1;
        const now = performance.now();
        this.#latencies.record(Math.max(1, Math.round((now - sentAt) * 1_000)));
        if (now < until) next();
        else resolve();
      };
      next();
    });
  }
}

let tokens: Record<string, Tokens> = {};
const aims = new Map<string, Aim>();

function aimAt(name: string): Aim {
  const aim = aims.get(name);
  if (!aim) throw new Error(`nothing is aimed at ${name}`);
  return aim;
}

answerParent({
  take(more: Record<string, Tokens>) {
    tokens = { ...tokens, ...more };
  },
  async aim({ name, target }: { name: string; target: Target }) {
    const aim = new Aim(target);
    aims.set(name, aim);
    await aim.begin();
  },
  begin: (name: string) => aimAt(name).begin(),
  run: ({ name, ms }: { name: string; ms: number }) => aimAt(name).run(ms),
  end: (name: string) => aimAt(name).end(),
});
