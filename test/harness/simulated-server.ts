import { setImmediate as turn } from 'node:timers/promises';

import type { RevocationLogContext } from '../../src/core/revocation-log.js';
import {
  type LogSetup,
  type RedisLogOptions,
  setUp,
} from '../../src/revocation/redis/log-setup.js';
import type { RedisConnection } from '../../src/revocation/redis/redis-connection.js';
import { RedisLink } from '../../src/revocation/redis/redis-link.js';
import { Machine } from '../simulation/machine.js';
import { RedisNode, type Session } from '../simulation/redis-node.js';
import { World } from '../simulation/world.js';
import { plainContext } from './plain-context.js';

/** How a server answers a command instead of executing it; undefined: it executes it. */
type Answer = (command: readonly string[]) => unknown;

/** One server of the simulation and one machine that talks to it: for tests that arrange each step themselves. */
export class SimulatedServer {
  readonly world = new World(1);
  readonly clock = new Machine(this.world, 'client', 0);
  readonly node = this.another();
  /** The commands that arrived, in order. */
  readonly sent: (readonly string[])[] = [];
  /** How many connections were opened. */
  opened = 0;
  /** How long each reply is on its way. */
  replyAfterMs = 0;
  answer: Answer = () => undefined;
  /** Where new connections lead. */
  #target = this.node;

  constructor() {
    this.node.promote();
  }

  another(): RedisNode {
    return new RedisNode(new Machine(this.world, 'server', 0));
  }

  leadTo(node: RedisNode): void {
    this.#target = node;
  }

  setUp(options: Partial<RedisLogOptions> = {}): LogSetup {
    const context: RevocationLogContext = plainContext({ clock: this.clock });
    return setUp(
      {
        connect: () => this.#open(),
        prefix: 'test',
        heartbeatMs: 1_000,
        rpcTimeoutMs: 800,
        minPollGapMs: 10,
        overlapMs: 60_000,
        ackTimeoutMs: 2_000,
        replicas: 0,
        replicaLagMs: 2_000,
        janitor: false,
        outboxKey: undefined,
        ...options,
      },
      context,
    );
  }

  link({ connect, clock, rpcTimeoutMs }: LogSetup): RedisLink {
    return new RedisLink(connect, clock, rpcTimeoutMs);
  }

  /** One command of somebody else. */
  execute(...command: readonly string[]): unknown {
    let reply: unknown;
    this.node.execute({ wroteThrough: 0 }, command, (given) => (reply = given));
    return reply;
  }

  /** Lets time pass, and everything happen that was to happen. */
  async pass(ms: number): Promise<void> {
    await turn();
    await this.world.run(this.world.now + ms);
  }

  #open(): RedisConnection {
    this.opened += 1;
    const node = this.#target;
    const session: Session = { wroteThrough: 0 };
    return { send: (command) => this.#send(node, session, command), close: () => undefined };
  }

  #send(node: RedisNode, session: Session, command: readonly string[]): Promise<unknown> {
    this.sent.push(command);
    return new Promise((resolve, reject) => {
      const give = (reply: unknown): void => {
        const arrive = (): void => (reply instanceof Error ? reject(reply) : resolve(reply));
        if (this.replyAfterMs === 0) arrive();
        else this.world.after(this.replyAfterMs, arrive);
      };
      const answered = this.answer(command);
      if (answered !== undefined) give(answered);
      else node.execute(session, command, give);
    });
  }
}
