import { principalOf } from '../../src/core/principal.js';
import { type Revocation, targetKeys } from '../../src/core/revocation.js';
import { Cluster } from './cluster.js';
import { Faults } from './faults.js';
import { Instance, SETTINGS } from './instance.js';
import { DAWN } from './machine.js';
import { judgeOrder, judgeSize } from './order.js';
import { type Case, lifeOf, Referee } from './referee.js';
import { World } from './world.js';

const INSTANCES = 3;
/** The log begins, and everybody reads it; only then are tokens issued that it covers. */
const QUIET_MS = 15_000;
const LASTS_MS = 90_000;
const ISSUER = 'https://sim.example/oidc';

/** What one seed led to. */
export interface Outcome extends Pick<
  Referee,
  | 'breaches'
  | 'attempts'
  | 'accepted'
  | 'innocents'
  | 'innocentsAccepted'
  | 'acknowledged'
  | 'worstMs'
> {
  readonly seed: number;
}

/** A fleet, its log and what befalls them, all decided by one seed. */
export class Scenario {
  readonly #world: World;
  readonly #cluster: Cluster;
  readonly #instances: readonly Instance[];
  readonly #referee = new Referee();
  readonly #cases: Case[] = [];

  private constructor(seed: number) {
    this.#world = new World(seed);
    this.#cluster = new Cluster(this.#world);
    this.#instances = Array.from(
      { length: INSTANCES },
      (_, place) => new Instance(this.#cluster, `i${place}`),
    );
  }

  static async play(seed: number): Promise<Outcome> {
    const { random } = Math;
    try {
      // Whatever the library leaves to chance is decided by the seed as well.
      let world: World | undefined;
      Math.random = () => world?.random.next() ?? 0.5;
      const scenario = new Scenario(seed);
      world = scenario.#world;
      return await scenario.#play();
    } finally {
      Math.random = random;
    }
  }

  async #play(): Promise<Outcome> {
    const faults = new Faults(this.#world, this.#cluster, this.#instances, this.#referee);
    this.#world.at(QUIET_MS, () => {
      faults.begin(QUIET_MS + LASTS_MS);
      this.#revokeAgain();
      for (const instance of this.#instances) this.#attemptAgain(instance);
    });
    await this.#world.run(QUIET_MS + LASTS_MS);
    const facts = this.#cases.flatMap(({ fact }) => fact ?? []);
    judgeOrder(this.#world, this.#cases, facts, this.#referee.breaches);
    for (const instance of this.#instances) {
      judgeSize(instance, facts.length, this.#referee.breaches);
    }
    const { breaches, attempts, accepted, innocents, innocentsAccepted } = this.#referee;
    const { acknowledged, worstMs } = this.#referee;
    const { seed } = this.#world;
    return {
      ...{ seed, breaches, attempts, accepted, innocents, innocentsAccepted },
      ...{ acknowledged, worstMs },
    };
  }

  #revokeAgain(): void {
    const { random } = this.#world;
    this.#world.after(
      random.chance(0.3) ? random.between(1, 50) : random.between(100, 1_500),
      () => {
        this.#revokeOne();
        this.#revokeAgain();
      },
    );
  }

  /** A token that has been in use for a while is revoked by some instance. */
  #revokeOne(): void {
    const { random } = this.#world;
    const one = this.#issue(true);
    const instance = random.pick(this.#instances);
    this.#world.after(random.between(100, 3_000), () =>
      instance.machine.do(() => {
        const { life } = instance;
        one.deniedBy.add(lifeOf(instance));
        instance.revoke(one.fact as Revocation).then(
          () => {
            if (life !== instance.life) return;
            one.acknowledgedAt = this.#world.now;
            this.#referee.acknowledged += 1;
          },
          () => undefined,
        );
      }),
    );
  }

  /** Each instance is asked all the time, about what was revoked lately and about what was not. */
  #attemptAgain(instance: Instance): void {
    const { random } = this.#world;
    this.#world.after(random.between(20, 200), () => {
      instance.machine.do(() => {
        const { now } = this.#world;
        const recent = this.#cases.slice(-16);
        const old = this.#cases.length > 0 ? [random.pick(this.#cases)] : [];
        for (const one of [...recent, ...old]) {
          if (now < one.diesAt) this.#referee.attempt(instance, one, now);
        }
      });
      this.#attemptAgain(instance);
    });
  }

  /** Issues a token, now; and one that nobody revokes with every third. */
  #issue(isDoomed: boolean): Case {
    const { random, now } = this.#world;
    if (isDoomed && random.chance(0.3)) this.#issue(false);
    const lifetimeMs = Math.floor(random.between(40, 290)) * 1_000;
    const issuedAt = Math.floor((DAWN + now) / 1_000) - 5;
    const claims = {
      iss: ISSUER,
      sub: random.digest(),
      aud: 'app',
      iat: issuedAt,
      exp: issuedAt + lifetimeMs / 1_000,
    };
    const principal = principalOf(claims, 'app', random.digest());
    const one: Case = {
      principal,
      diesAt: principal.expiresAt - DAWN,
      ...(isDoomed && { fact: this.#factFor(principal) }),
      acknowledgedAt: Infinity,
      deniedBy: new Set(),
    };
    this.#cases.push(one);
    return one;
  }

  #factFor(principal: ReturnType<typeof principalOf>): Revocation {
    const { random } = this.#world;
    const { id, expiresAt, issuedAt = 0 } = principal;
    const keepUntilAt = issuedAt + 20_000 + SETTINGS.maxTokenLifetime;
    if (random.chance(0.7)) return { kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt };
    if (random.chance(0.3)) return { kind: 'token', key: id, keepUntilAt };
    const [key = ''] = targetKeys(principal, 'subject');
    const refusedThroughAt = issuedAt + 1_000;
    return {
      ...{ kind: 'subject', key, refusedThroughAt, keepUntilAt },
      ...{ askedThroughAt: refusedThroughAt, settledThroughAt: refusedThroughAt },
    };
  }
}
