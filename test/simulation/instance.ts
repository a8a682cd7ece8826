import type { Principal } from '../../src/core/principal.js';
import type { Revocation } from '../../src/core/revocation.js';
import { RedisRevocationLog } from '../../src/revocation/redis/redis-revocation-log.js';
import { RevocationIndex } from '../../src/revocation/revocation-index.js';
import type { Cluster } from './cluster.js';
import { DAWN, Machine } from './machine.js';

/** What every instance is configured with, milliseconds. */
export const SETTINGS = {
  maxStaleness: 5_000,
  maxTokenLifetime: 300_000,
  replicaLag: 2_000,
  clockTolerance: 5_000,
} as const;

const LOG_OPTIONS = {
  prefix: 'sim',
  heartbeatMs: 1_000,
  rpcTimeoutMs: 800,
  minPollGapMs: 10,
  overlapMs: 30_000,
  ackTimeoutMs: 2_000,
  replicas: 1,
  replicaLagMs: SETTINGS.replicaLag,
  janitor: true,
  outboxKey: undefined,
};

/** How exactly an instance knows the clock of whoever issues tokens, from the `Date` of its answers. */
const KNOWN_WITHIN_MS = 4_000;

/** One process: the log and the index as an application has them, on a machine of its own. */
export class Instance {
  readonly machine: Machine;
  #index!: RevocationIndex;
  #log!: RedisRevocationLog;
  /** Goes up with every start. */
  life = 0;
  startedAt = 0;
  wasLive = false;

  constructor(
    private readonly cluster: Cluster,
    readonly name: string,
  ) {
    this.machine = new Machine(cluster.world, name, 1_500);
    this.#start();
  }

  /** Everything it knew is gone. */
  restart(): void {
    const old = this.#log;
    this.machine.restart();
    for (const connection of this.cluster.connections) {
      if (connection.line.instance === this.machine) connection.break();
    }
    void old.stop();
    this.#start();
  }

  /** Denies here, now. Resolves when the log has acknowledged it. */
  revoke(fact: Revocation): Promise<void> {
    this.#index.apply([fact]);
    return this.#log.append([fact]);
  }

  /** Whether the principal is accepted on the log's word, as the last step of a verification. */
  accepts(principal: Principal): boolean {
    return this.#verdict(principal).is === 'accepted';
  }

  denies(principal: Principal): boolean {
    return this.#verdict(principal).is === 'denied';
  }

  get entries(): number {
    return this.#index.size;
  }

  #verdict(principal: Principal) {
    return this.#index.check(principal, {
      clockAheadMs: DAWN + this.machine.world.now - this.machine.wall() + KNOWN_WITHIN_MS,
      freshness: this.#log.freshness(),
      maxStalenessMs: SETTINGS.maxStaleness,
    });
  }

  #start(): void {
    const { maxTokenLifetime, clockTolerance, maxStaleness } = SETTINGS;
    const index = new RevocationIndex(this.machine, maxTokenLifetime, clockTolerance, 1_000_000);
    const log = new RedisRevocationLog({
      ...LOG_OPTIONS,
      connect: (signal) => this.cluster.connect(this.machine, signal),
    });
    this.#index = index;
    this.#log = log;
    this.life += 1;
    this.startedAt = this.cluster.world.now;
    this.wasLive = false;
    const { life } = this;
    const context = {
      clock: this.machine,
      maxTokenLifetimeMs: maxTokenLifetime,
      maxStalenessMs: maxStaleness,
      apply: (facts: readonly Revocation[]) => void index.apply(facts),
      held: () => index.held(),
      deliver: () => Promise.resolve(),
    };
    log.start(context).then(
      () => (this.wasLive ||= this.life === life),
      () => undefined,
    );
  }
}
