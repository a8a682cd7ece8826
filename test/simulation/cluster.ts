import { Machine } from './machine.js';
import { Line, SimulatedConnection } from './network.js';
import { RedisNode } from './redis-node.js';
import type { World } from './world.js';

/** How far the clocks of the servers may be apart, in this world or that: within the overlap that is read again. */
const MOST_APART_MS = [400, 12_000] as const;

/** A master, its replica, and a spare that becomes the next replica. */
export class Cluster {
  readonly nodes: readonly RedisNode[];
  readonly connections = new Set<SimulatedConnection>();
  readonly #lines = new Map<Machine, Map<RedisNode, Line>>();
  /** Until when, after a takeover, an instance may still be led to the master of before. */
  readonly #misled = new Map<Machine, { readonly to: RedisNode; readonly until: number }>();
  master: RedisNode;
  replica: RedisNode;
  spare: RedisNode;
  #isBusy = false;

  constructor(readonly world: World) {
    const mostApartMs = world.random.pick(MOST_APART_MS);
    const [master, replica, spare] = ['a', 'b', 'c'].map(
      (name) => new RedisNode(new Machine(world, name, mostApartMs)),
    ) as [RedisNode, RedisNode, RedisNode];
    this.nodes = [master, replica, spare];
    this.master = master;
    this.replica = replica;
    this.spare = spare;
    master.promote();
    master.attach(replica);
  }

  line(instance: Machine, node: RedisNode): Line {
    const lines = this.#lines.get(instance) ?? new Map<RedisNode, Line>();
    this.#lines.set(instance, lines);
    const line = lines.get(node) ?? new Line(instance, node);
    lines.set(node, line);
    return line;
  }

  /** Connects to the master, or to what is taken for it. */
  connect(instance: Machine, signal: AbortSignal): Promise<SimulatedConnection> {
    const node = this.#resolve(instance);
    const line = this.line(instance, node);
    return new Promise((resolve, reject) => {
      this.world.after(this.world.random.between(0.2, 5), () =>
        line.pass('up', () =>
          instance.do(() => {
            if (signal.aborted) return;
            if (!node.isUp) {
              reject(new Error('refused'));
              return;
            }
            const open = new SimulatedConnection(line, (closed) => this.connections.delete(closed));
            this.connections.add(open);
            resolve(open);
          }),
        ),
      );
    });
  }

  /** The master dies; its replica takes over, and often lacks what was written last. */
  crash(onDeath: () => void): void {
    if (!this.#begin()) return;
    const { random } = this.world;
    const old = this.master;
    old.isCut = random.chance(0.5);
    this.world.after(old.isCut ? random.between(0, 1_500) : 0, () => {
      old.isUp = false;
      this.#breakAll(old);
      onDeath();
      this.world.after(random.between(300, 4_000), () => {
        this.#takeOver(500);
        this.world.after(random.between(500, 5_000), () => {
          old.isUp = true;
          this.#retire(old);
        });
      });
    });
  }

  /** The master is cut off from its replica, which takes over, and goes on answering some of the instances. */
  split(): void {
    if (!this.#begin()) return;
    const { random } = this.world;
    const old = this.master;
    old.isCut = true;
    this.world.after(random.between(300, 2_000), () => {
      this.#takeOver(25_000);
      this.world.after(random.between(15_000, 30_000), () => this.#retire(old));
    });
  }

  /** Everything is gone, on the replica too. */
  wipe(): void {
    if (this.master.isUp) this.master.change({ is: 'flush' });
  }

  trimTooFar(key: string): void {
    const entries = this.master.data.stream(key)?.entries ?? [];
    const before = entries[Math.floor(entries.length * this.world.random.next())];
    if (before && this.master.isUp) this.master.change({ is: 'trim', key, before });
  }

  #begin(): boolean {
    const isReady = !this.#isBusy && this.master.isUp && this.master.hasSyncedReplica;
    if (isReady) this.#isBusy = true;
    return isReady;
  }

  /** A name that was resolved before, or by somebody else, leads now here and now there. */
  #resolve(instance: Machine): RedisNode {
    const misled = this.#misled.get(instance);
    const { random, now } = this.world;
    return misled && now < misled.until && random.chance(0.7) ? misled.to : this.master;
  }

  /** @param knownWithinMs how long until every instance is led to the new master */
  #takeOver(knownWithinMs: number): void {
    const { random, now } = this.world;
    for (const instance of this.#lines.keys()) {
      const until = now + random.between(0, knownWithinMs);
      this.#misled.set(instance, { to: this.master, until });
    }
    this.master = this.replica;
    this.replica = this.spare;
    this.master.promote();
    this.master.attach(this.replica);
  }

  #retire(old: RedisNode): void {
    old.demote();
    if (this.world.random.chance(0.5)) this.#breakAll(old);
    this.spare = old;
    this.#isBusy = false;
  }

  #breakAll(node: RedisNode): void {
    for (const connection of this.connections) {
      const { line } = connection;
      if (line.node !== node) continue;
      this.connections.delete(connection);
      // The news of its death has the same way to go as everything else.
      this.world.after(1, () =>
        line.pass('down', () => line.instance.do(() => connection.break())),
      );
    }
  }
}
