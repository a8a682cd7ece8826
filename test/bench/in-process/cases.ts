import type { Principal } from 'nestjs-genauth';

import { type Algorithm, forgedFrom, type Identity, noise } from '../common/identity.js';
import { type Figure, type Row, rowsOf, short } from '../common/report.js';
import { alternate, type Contender, WARM_UPS } from '../common/rounds.js';
import { quantile } from '../common/statistics.js';
import type { Service } from '../common/service.js';
import type { Filled } from './filled.js';
import { denyCheckOf } from './inner.js';
import { accepting, refusing } from './loops.js';
import {
  AWAITED,
  BESIDE_OTHERS,
  CRYPTO_VERIFY,
  DENY_CHECK,
  FIRST_HIT,
  firstSeenOf,
  HASH_AND_MAP,
  NO_REVOCATION,
  OURS,
  REMEMBERED,
  WHOLE_CHECK,
} from './names.js';
import type { Verifier } from './verifiers.js';

/** What all cases are measured with. */
export interface Setting {
  readonly identity: Identity;
  readonly rounds: number;
  /** Operations of a run: enough for the clock, few enough for short rounds. */
  readonly operations: number;
  readonly verifiers: readonly Verifier[];
  /** Tokens that are good, remembered by nobody who forgets. */
  readonly sample: readonly string[];
}

/** Operations of a run, for whoever takes a microsecond. */
const MANY = 1_000;

/** For whoever takes hundreds of them it is a part of `operations`. */
function operationsOf({ slow }: Verifier, operations: number): number {
  return slow ? Math.ceil(operations / 5) : operations;
}

export function circumstances({ size, revocations }: Filled): string {
  return `${short(size)} remembered, ${short(revocations)} revoked`;
}

async function compare(
  { rounds, verifiers }: Setting,
  what: string,
  given: string | undefined,
  contenders: readonly Contender[],
  beside: string,
): Promise<Row[]> {
  const measured = await alternate(contenders, rounds);
  const figures = [...measured].map(([who, { cpuUs, elapsedUs }]): Figure => {
    const { note, slow } = verifiers.find(({ name }) => name === who) ?? {};
    return {
      what,
      who,
      values: cpuUs,
      unit: 'µs CPU',
      ...(given !== undefined && { given }),
      ...(note !== undefined && { note }),
      // These wait for other threads, or for the network.
      ...(slow && { also: { 'elapsed µs': quantile(elapsedUs, 0.5) } }),
    };
  });
  return rowsOf(figures, beside);
}

/** A token seen before. */
export async function remembered(setting: Setting, filled: Filled): Promise<Row[]> {
  // One after the other: two roads to the same entries would keep each other's memory warm.
  return [
    ...(await seenBefore(setting, filled, REMEMBERED, [])),
    ...(await seenBefore(setting, filled, AWAITED, [])),
  ];
}

/** As `remembered`, in turns with those for whom it is as the first time. They leave no memory warm. */
export function rememberedByOthers(setting: Setting, filled: Filled): Promise<Row[]> {
  const peers = setting.verifiers.filter(({ name }) => name !== CRYPTO_VERIFY);
  return seenBefore(setting, filled, BESIDE_OTHERS, peers);
}

function seenBefore(
  setting: Setting,
  filled: Filled,
  what: string,
  peers: readonly Verifier[],
): Promise<Row[]> {
  const tokens = filled.measured;
  const operations = Math.min(MANY, tokens.length);
  return compare(
    setting,
    what,
    circumstances(filled),
    [
      accepting(HASH_AND_MAP, filled.limit, operations, tokens),
      accepting(OURS, what === AWAITED ? filled.verifyAwaited : filled.verify, operations, tokens),
      ...peers.map((peer) =>
        accepting(
          peer.name,
          peer.make(setting.identity.issuer, 'RS256'),
          operationsOf(peer, setting.operations),
          // The same few again and again, so that who remembers does so before it is measured.
          tokens.slice(0, operationsOf(peer, setting.operations)),
        ),
      ),
    ],
    HASH_AND_MAP,
  );
}

/** Enough tokens for all rounds of everybody who needs another one each time. */
function enough({ rounds, operations }: Setting): number {
  return (rounds + WARM_UPS) * operations;
}

/** A token seen once before: whatever is done then and not again. */
export async function secondSight(setting: Setting, filled: Filled): Promise<Row[]> {
  const { identity, operations } = setting;
  const fresh = await identity.mint({ alg: 'RS256', count: 2 * enough(setting) });
  /** Everybody's are as new as everybody else's. */
  const newOnes = async (learn: (token: string) => unknown) => {
    const tokens = fresh.splice(0, operations);
    for (const token of tokens) await learn(token);
    return tokens;
  };
  return compare(
    setting,
    FIRST_HIT,
    circumstances(filled),
    [
      accepting(HASH_AND_MAP, filled.limit, operations, () => newOnes(filled.learnPlainly)),
      accepting(OURS, filled.verify, operations, () => newOnes(filled.verify)),
    ],
    HASH_AND_MAP,
  );
}

/** A good token that nobody has seen: everybody is given the same ones, each once. */
export async function firstSeen(
  setting: Setting,
  filled: Filled,
  alg: Algorithm,
  others: boolean,
): Promise<Row[]> {
  const { identity, verifiers, operations } = setting;
  const fresh = await identity.mint({ alg, count: enough(setting) });
  const able = verifiers.filter(({ algorithms }) => algorithms.includes(alg));
  const chosen = others ? able : able.filter(({ name }) => name === CRYPTO_VERIFY);
  const contenders = [
    accepting(OURS, filled.verify, operations, fresh),
    ...chosen.map((peer) =>
      accepting(peer.name, peer.make(identity.issuer, alg), operationsOf(peer, operations), fresh),
    ),
  ];
  return compare(setting, firstSeenOf(alg), circumstances(filled), contenders, CRYPTO_VERIFY);
}

/** A token that another process has revoked. */
export async function revoked(setting: Setting, filled: Filled): Promise<Row[]> {
  if (filled.revoked.length === 0) {
    await filled.revoke(await setting.identity.mint({ alg: 'RS256', count: setting.operations }));
  }
  return compare(
    setting,
    'revoked token',
    circumstances(filled),
    [
      accepting(HASH_AND_MAP, filled.limit, setting.operations, filled.revoked),
      refusing(OURS, filled.verify, setting.operations, filled.revoked),
    ],
    HASH_AND_MAP,
  );
}

/** Junk of the dearest kind: everything is right but the signature. Nobody sees the same twice. */
export function forged(setting: Setting, filled: Filled, others: boolean): Promise<Row[]> {
  const { identity, verifiers, sample, operations } = setting;
  const junk = Array.from({ length: enough(setting) }, (_, place) =>
    forgedFrom(sample[place % sample.length] as string),
  );
  const chosen = verifiers.filter(({ name }) => others || name === CRYPTO_VERIFY);
  return compare(
    setting,
    'junk: a forged signature',
    circumstances(filled),
    [
      refusing(OURS, filled.verify, operations, junk),
      ...chosen.map((peer) =>
        refusing(
          peer.name,
          peer.make(identity.issuer, 'RS256'),
          operationsOf(peer, operations),
          junk,
        ),
      ),
    ],
    CRYPTO_VERIFY,
  );
}

/** Junk of the cheapest kind. */
export function nonsense(setting: Setting, filled: Filled): Promise<Row[]> {
  const { identity, verifiers, operations } = setting;
  const junk = Array.from({ length: enough(setting) }, noise);
  const fast = verifiers.filter(({ slow, name }) => !slow && name !== CRYPTO_VERIFY);
  return compare(
    setting,
    'junk: three segments of noise',
    circumstances(filled),
    [
      refusing(HASH_AND_MAP, filled.limit, operations, junk),
      refusing(OURS, filled.verify, operations, junk),
      ...fast.map((peer) =>
        refusing(peer.name, peer.make(identity.issuer, 'RS256'), operations, junk),
      ),
    ],
    HASH_AND_MAP,
  );
}

/** What is asked last of everybody: the revocations alone, and what `TokenService.check` asks with them. */
export async function denyCheck(setting: Setting, none: Filled, many: Filled): Promise<Row[]> {
  const known = `${short(many.revocations)} revocations`;
  const ids = new Set(none.principals.map(({ id }) => id));
  const inSet = checking('Set.has of the id', none, ({ id }) => {
    if (!ids.has(id)) throw new Error('unknown');
  });
  const sides = (checkOf: (service: Service) => Check) => [
    checking(NO_REVOCATION, none, checkOf(none.service)),
    checking(known, many, checkOf(many.service)),
    inSet,
  ];
  const whole = sides(
    ({ tokens }) =>
      (principal) =>
        tokens.check(principal),
  );
  const first = checking(`${known}, first look`, many, denyCheckOf(many.service, true));
  const denied = [...sides((service) => denyCheckOf(service)), first];
  return [
    ...(await compare(setting, DENY_CHECK, undefined, denied, NO_REVOCATION)),
    ...(await compare(setting, WHOLE_CHECK, undefined, whole, NO_REVOCATION)),
  ];
}

type Check = (principal: Principal, place: number) => void;

/** Walks over the principals several times: a check alone is over too soon for the clock. */
function checking(name: string, { principals }: Filled, check: Check): Contender {
  const laps = 5;
  return {
    name,
    operations: principals.length * laps,
    run() {
      for (let lap = 0; lap < laps; lap += 1) principals.forEach(check);
    },
  };
}
