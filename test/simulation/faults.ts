import type { Cluster } from './cluster.js';
import type { Instance } from './instance.js';
import type { Referee } from './referee.js';
import type { World } from './world.js';

/** How far a wall clock may be set in one step; all steps of a run together stay within it. */
const MOST_STEP_MS = 50_000;
const LOG = '{sim}:log';

/** What befalls the fleet, as the seed decides. */
export class Faults {
  #stepped = new Map<Instance, number>();

  constructor(
    private readonly world: World,
    private readonly cluster: Cluster,
    private readonly instances: readonly Instance[],
    private readonly referee: Referee,
  ) {}

  /** One fault after the other, some at the same time. */
  begin(until: number): void {
    const { random } = this.world;
    this.world.after(random.between(500, 12_000), () => {
      if (this.world.now >= until) return;
      this.#strike();
      this.begin(until);
    });
  }

  #strike(): void {
    const { random } = this.world;
    const instance = random.pick(this.instances);
    const { machine } = instance;
    const blows: readonly (() => void)[] = [
      () => this.#partition(instance),
      () => this.#partition(instance),
      () => this.#killConnections(instance),
      () => machine.pause(random.between(1_000, 15_000)),
      () => machine.pause(random.between(1_000, 90_000), true),
      () => this.#step(instance),
      () => machine.isPaused || instance.restart(),
      () => this.cluster.master.machine.pause(random.between(500, 12_000)),
      () => this.#failOver(),
      () => this.#failOver(),
      () => this.#split(),
      () => this.cluster.wipe(),
      () => this.cluster.trimTooFar(LOG),
    ];
    random.pick(blows)();
  }

  /** Cut off from one server or all, in one direction or both, for a while. */
  #partition(instance: Instance): void {
    const { random } = this.world;
    const { nodes } = this.cluster;
    const directions = random.pick([['up'], ['down'], ['up', 'down']] as const);
    const cut = random.chance(0.3) ? [random.pick(nodes)] : nodes;
    const lines = cut.map((node) => this.cluster.line(instance.machine, node));
    for (const line of lines) for (const direction of directions) line.cut.add(direction);
    this.world.after(random.between(300, 20_000), () => {
      for (const line of lines) line.heal();
    });
  }

  /** Every connection breaks, or dies without a word. */
  #killConnections({ machine }: Instance): void {
    const isSilent = this.world.random.chance(0.5);
    for (const connection of this.cluster.connections) {
      if (connection.line.instance !== machine) continue;
      if (isSilent) connection.isDead = true;
      else connection.break();
    }
  }

  /** A machine that sleeps is left alone: time that neither of its clocks shows has not passed for anybody there. */
  #step(instance: Instance): void {
    if (instance.machine.isAsleep) return;
    const before = this.#stepped.get(instance) ?? 0;
    const after = this.world.random.between(-MOST_STEP_MS, MOST_STEP_MS) / 2;
    this.#stepped.set(instance, after);
    instance.machine.step(after - before);
  }

  /** Around a failover some instance is often cut off as well: what was read before, and what comes after, differ most. */
  #failOver(): void {
    const { random } = this.world;
    this.cluster.crash(() => {
      if (random.chance(0.5)) this.#partition(random.pick(this.instances));
    });
  }

  #split(): void {
    this.referee.isSplit = true;
    this.cluster.split();
  }
}
