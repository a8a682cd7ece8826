import type { RedisConnection } from '../../src/revocation/redis/redis-connection.js';
import type { Machine } from './machine.js';
import type { RedisNode, Session } from './redis-node.js';

type Direction = 'up' | 'down';

/** The way between one instance and one server. What is cut off waits, as TCP would repeat it. */
export class Line {
  readonly cut = new Set<Direction>();
  readonly #held: { readonly direction: Direction; readonly run: () => void }[] = [];

  constructor(
    readonly instance: Machine,
    readonly node: RedisNode,
  ) {}

  heal(): void {
    this.cut.clear();
    for (const { run } of this.#held.splice(0)) this.instance.world.after(0, run);
  }

  /** Delivers after a while, or when the line is whole again. */
  pass(direction: Direction, run: () => void): void {
    if (this.cut.has(direction)) this.#held.push({ direction, run });
    else run();
  }
}

/** One connection. Messages arrive in order; none is lost while it lives. */
export class SimulatedConnection implements RedisConnection {
  readonly #session: Session = { wroteThrough: 0 };
  readonly #pending = new Set<(error: Error) => void>();
  readonly #arrived = { up: 0, down: 0 };
  #isClosed = false;
  /** Dead without a word. */
  isDead = false;

  constructor(
    readonly line: Line,
    private readonly onClose: (connection: SimulatedConnection) => void,
  ) {}

  send(args: readonly string[]): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Error('closed'));
    return new Promise((resolve, reject) => {
      this.#pending.add(reject);
      const receive = (reply: unknown): void => {
        if (!this.#pending.delete(reject)) return;
        if (reply instanceof Error) reject(reply);
        else resolve(reply);
      };
      const { node, instance } = this.line;
      this.#transmit('up', () =>
        node.machine.do(() => {
          if (!node.isUp || this.#isClosed) return;
          node.execute(this.#session, args, (reply) =>
            this.#transmit('down', () => instance.do(() => receive(reply))),
          );
        }),
      );
    });
  }

  close(): void {
    this.break();
    this.onClose(this);
  }

  /** The other side is gone, and says so. */
  break(): void {
    this.#isClosed = true;
    for (const reject of this.#pending) reject(new Error('the connection was lost'));
    this.#pending.clear();
  }

  #transmit(direction: Direction, run: () => void): void {
    const { world } = this.line.instance;
    const { random } = world;
    const latency = random.chance(0.02) ? random.between(20, 700) : random.between(0.1, 2);
    const at = Math.max(world.now + latency, this.#arrived[direction]);
    this.#arrived[direction] = at;
    world.at(at, () => {
      if (!this.isDead) this.line.pass(direction, run);
    });
  }
}
