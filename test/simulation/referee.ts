import type { Principal } from '../../src/core/principal.js';
import type { Revocation } from '../../src/core/revocation.js';
import { type Instance, SETTINGS } from './instance.js';

/** A token, what revokes it, and what is known of that. */
export interface Case {
  readonly principal: Principal;
  /** True time at which it expires. */
  readonly diesAt: number;
  readonly fact?: Revocation;
  /** True time of the acknowledgement. */
  acknowledgedAt: number;
  /** Lives of instances that have denied it. */
  readonly deniedBy: Set<string>;
}

/** A guarantee that was broken. */
export interface Breach {
  readonly guarantee: string;
  readonly at: number;
  readonly lateMs: number;
  readonly who: string;
}

/** Clocks differ in their rate by at most 0.1 %, in either direction, and read whole milliseconds. */
const RATE_SLACK = 1.002;
const READING_MS = 5;

/** Holds every attempt to use a token against the guarantees. */
export class Referee {
  readonly breaches: Breach[] = [];
  attempts = 0;
  accepted = 0;
  innocents = 0;
  innocentsAccepted = 0;
  acknowledged = 0;
  worstMs = -Infinity;
  /** Whether a master may be isolated and still answer: then the bound is longer. */
  isSplit = false;

  attempt(instance: Instance, one: Case, now: number): void {
    const isAccepted = instance.accepts(one.principal);
    this.attempts += 1;
    if (one.fact === undefined) {
      this.innocents += 1;
      if (isAccepted) this.innocentsAccepted += 1;
    }
    if (isAccepted) this.#judge(instance, one, now);
    else if (one.fact && instance.denies(one.principal)) one.deniedBy.add(lifeOf(instance));
  }

  #judge(instance: Instance, one: Case, now: number): void {
    this.accepted += 1;
    const report = (guarantee: string, lateMs: number): void => {
      this.breaches.push({ guarantee, at: now, lateMs, who: instance.name });
    };
    if (!instance.wasLive) report('G6', 0);
    if (one.deniedBy.has(lifeOf(instance))) report('G5', 0);
    const sinceMs = now - one.acknowledgedAt;
    if (!Number.isFinite(sinceMs)) return;
    this.worstMs = Math.max(this.worstMs, sinceMs);
    if (sinceMs > this.#boundMs) report('G1', sinceMs - this.#boundMs);
    const wasBornLater = instance.startedAt > one.acknowledgedAt;
    if (wasBornLater && !this.isSplit) report('G4', sinceMs);
  }

  get #boundMs(): number {
    const extraMs = this.isSplit ? SETTINGS.replicaLag + 1_000 : 0;
    return (SETTINGS.maxStaleness + extraMs) * RATE_SLACK + READING_MS;
  }
}

export function lifeOf({ name, life }: Instance): string {
  return `${name} ${life}`;
}
