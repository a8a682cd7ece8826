import type { Revocation } from '../../src/core/revocation.js';
import { RevocationIndex } from '../../src/revocation/revocation-index.js';
import { type Instance, SETTINGS } from './instance.js';
import { Machine } from './machine.js';
import type { Breach, Case } from './referee.js';
import type { World } from './world.js';

/** G8: in whatever order, how often and in which pieces the facts arrive, the same tokens are denied. */
export function judgeOrder(
  world: World,
  cases: readonly Case[],
  facts: readonly Revocation[],
  breaches: Breach[],
): void {
  const { random } = world;
  const machine = new Machine(world, 'reader', 0);
  const shuffled = [...facts, ...facts.filter(() => random.chance(0.5))]
    .map((fact) => ({ fact, place: random.next() }))
    .sort((one, other) => one.place - other.place)
    .map(({ fact }) => fact);
  const [straight, mixed] = [newIndex(machine), newIndex(machine)];
  straight.apply(facts);
  while (shuffled.length > 0) mixed.apply(shuffled.splice(0, 1 + Math.floor(random.next() * 9)));
  for (const { principal } of cases) {
    const [one, other] = [straight, mixed].map((index) => index.check(principal, standing).is);
    if (one === other) continue;
    breaches.push({ guarantee: 'G8', at: world.now, lateMs: 0, who: 'reader' });
  }
}

/** G9: an instance holds no more than was ever revoked. */
export function judgeSize(instance: Instance, revoked: number, breaches: Breach[]): void {
  if (instance.entries <= revoked) return;
  breaches.push({ guarantee: 'G9', at: 0, lateMs: 0, who: instance.name });
}

const standing = {
  clockAheadMs: 0,
  freshness: { state: 'live', ageMs: 0, coveredSince: 0 },
  maxStalenessMs: SETTINGS.maxStaleness,
} as const;

function newIndex(machine: Machine): RevocationIndex {
  const { maxTokenLifetime, clockTolerance } = SETTINGS;
  return new RevocationIndex(machine, maxTokenLifetime, clockTolerance, 1_000_000);
}
