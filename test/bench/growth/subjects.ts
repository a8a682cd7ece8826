import { hash, verify } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Principal } from 'nestjs-genauth';

import { randomCuts, randomFact } from '../common/covered-log.js';
import {
  type Algorithm,
  forgedFrom,
  type Identity,
  noise,
  publicKeyOf,
} from '../common/identity.js';
import { startService } from '../common/service.js';

/** Adds so many things. */
export type Grow = (more: number) => Promise<void>;

/** Something that grows, and what can be said of it at the end. */
export interface Subject {
  readonly grow: Grow;
  /** Keeps alive what is measured, and counts what is wrong. */
  readonly faults: () => number | Promise<number>;
}

/** The quickest to sign: a million of them are needed. */
const ALG: Algorithm = 'ES256';

/** Longer than any run. */
const AHEAD_MS = 3_600_000;

/** Turns of the event loop go by as they do between requests. */
const AT_A_TIME = 100;

function growWith(identity: Identity, take: (token: string) => unknown): Grow {
  return async (more) => {
    for await (const tokens of identity.batches({ alg: ALG, count: more })) {
      for (const [place, token] of tokens.entries()) {
        await take(token);
        if (place % AT_A_TIME === 0) await nextTurn();
      }
    }
  };
}

function claimsOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
}

/** Every token is held against cuts, and so with the names of all that it is one of. */
async function ourTokens(identity: Identity, most: number): Promise<Subject> {
  const { tokens, log } = await startService(identity.issuer, most);
  log.deliver(randomCuts(Date.now() + AHEAD_MS));
  return {
    grow: growWith(identity, (token) => tokens.verify(token)),
    faults: () => (tokens.readiness() === 'ready' ? 0 : 1),
  };
}

function plainTokens(identity: Identity): Subject {
  const known = new Map<string, unknown>();
  return {
    grow: growWith(identity, (token) =>
      known.set(hash('sha256', token, 'base64url'), claimsOf(token)),
    ),
    faults: () => (known.size > 0 ? 0 : 1),
  };
}

/** Long connections: their principals are held and checked, and the cache has long forgotten most. */
async function ourPrincipals(identity: Identity): Promise<Subject> {
  const { tokens } = await startService(identity.issuer, 1);
  const held: Principal[] = [];
  return {
    grow: growWith(identity, async (token) => void held.push(await tokens.verify(token))),
    faults() {
      held.forEach((principal) => tokens.check(principal));
      return 0;
    },
  };
}

function plainPrincipals(identity: Identity): Subject {
  const held: unknown[] = [];
  return {
    grow: growWith(identity, (token) => void held.push(claimsOf(token))),
    faults: () => (held.length > 0 ? 0 : 1),
  };
}

async function ourRevocations(identity: Identity): Promise<Subject> {
  const { log, tokens } = await startService(identity.issuer, 1_000);
  return {
    async grow(more) {
      for (let left = more; left > 0; left -= AT_A_TIME) {
        log.deliver(Array.from({ length: Math.min(left, AT_A_TIME) }, randomFact));
        await nextTurn();
      }
    },
    faults: () => (tokens.readiness() === 'ready' ? 0 : 1),
  };
}

function plainRevocations(): Subject {
  const known = new Map<string, number>();
  return {
    async grow(more) {
      for (let left = more; left > 0; left -= AT_A_TIME) {
        for (let one = Math.min(left, AT_A_TIME); one > 0; one -= 1) {
          const { key, keepUntilAt } = randomFact();
          known.set(key, keepUntilAt);
        }
        await nextTurn();
      }
    },
    faults: () => (known.size > 0 ? 0 : 1),
  };
}

/** Good tokens that are remembered while strangers send junk. */
const GOOD = 10_000;

/** Three forged tokens and one of noise, again and again; never the same. */
function junkFrom(base: readonly string[], count: number): string {
  return count % 4 === 0 ? noise() : forgedFrom(base[count % base.length] as string);
}

async function ourJunk(identity: Identity): Promise<Subject> {
  const { tokens } = await startService(identity.issuer, GOOD);
  const good = await identity.mint({ alg: ALG, count: GOOD });
  const principals: Principal[] = [];
  for (const token of good) principals.push(await tokens.verify(token));
  const base = await identity.mint({ alg: 'RS256', count: 100 });
  let accepted = 0;
  return {
    async grow(more) {
      for (let count = 0; count < more; count += 1) {
        const verdict = tokens.verify(junkFrom(base, count));
        await verdict.then(() => (accepted += 1)).catch(() => undefined);
        if (count % AT_A_TIME === 0) await nextTurn();
      }
    },
    async faults() {
      // Who is remembered is the very same object again.
      const again: Principal[] = [];
      for (const token of good) again.push(await tokens.verify(token));
      return accepted + again.filter((one, place) => one !== principals[place]).length;
    },
  };
}

async function plainJunk(identity: Identity): Promise<Subject> {
  const base = await identity.mint({ alg: 'RS256', count: 100 });
  const key = publicKeyOf(identity.issuer, 'RS256');
  let accepted = 0;
  return {
    async grow(more) {
      for (let count = 0; count < more; count += 1) {
        const [header, payload, signature = ''] = junkFrom(base, count).split('.');
        const bytes = Buffer.from(signature, 'base64url');
        if (verify('sha256', Buffer.from(`${header}.${payload}`), key, bytes)) accepted += 1;
        if (count % AT_A_TIME === 0) await nextTurn();
      }
    },
    faults: () => accepted,
  };
}

/** Everything that grows, and beside each the plainest thing that does the same. */
export const SUBJECTS = {
  ourTokens,
  plainTokens,
  ourPrincipals,
  plainPrincipals,
  ourRevocations,
  plainRevocations,
  ourJunk,
  plainJunk,
} satisfies Record<string, (identity: Identity, most: number) => Subject | Promise<Subject>>;

export type SubjectName = keyof typeof SUBJECTS;
