import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import type { Revocation } from '../../core/revocation.js';
import { fieldsOf, readEntry } from './wire.js';

const NOW = 1_900_000_000_000;
const RETAIN = 3_600_000;
const KEY = 'AAAAAAAAAAAAAAAAAAAAAA';

const instant = fc.integer({ min: NOW - RETAIN, max: NOW + RETAIN });
const key = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'));
const single = fc.record({
  kind: fc.constantFrom('token', 'jti', 'message'),
  key,
  keepUntilAt: instant,
});
const dated = fc
  .record({ key, expiresAt: instant })
  .map((one) => ({ kind: 'token', ...one, keepUntilAt: one.expiresAt }));
const cut = fc.record({
  kind: fc.constantFrom('session', 'subject', 'client', 'issuer'),
  key,
  keepUntilAt: instant,
  refusedThroughAt: fc.integer({ min: NOW - RETAIN, max: NOW }),
  askedThroughAt: fc.integer({ min: NOW, max: NOW + 300_000 }),
  settledThroughAt: fc.integer({ min: NOW - RETAIN, max: NOW }),
});
const facts = fc.oneof(single, dated, cut) as fc.Arbitrary<Revocation>;

function read(...fields: readonly string[]) {
  return readEntry(fields, NOW, RETAIN);
}

describe('an entry', () => {
  it('says when read what it said when written', () => {
    fc.assert(
      fc.property(facts, (fact) => {
        expect(read(...fieldsOf(fact))).toEqual({ is: 'fact', fact });
      }),
    );
  });

  it.each([1e17, 1e30, Infinity])('that is to last until %d is read, and lasts', (far) => {
    const entry = read(...fieldsOf({ kind: 'token', key: KEY, expiresAt: far, keepUntilAt: far }));
    if (entry.is !== 'fact') throw new Error(`it is ${entry.is}`);
    expect(entry.fact.expiresAt).toBeGreaterThan(NOW + 1_000 * RETAIN);
    expect(entry.fact.keepUntilAt).toBe(entry.fact.expiresAt);
  });

  it('whose cut is settled nowhere is read', () => {
    const fact: Revocation = {
      ...{ kind: 'subject', key: KEY, keepUntilAt: NOW, refusedThroughAt: NOW },
      settledThroughAt: -Infinity,
    };
    expect(read(...fieldsOf(fact)).is).toBe('fact');
  });

  it('reaches no further ahead of its writing than five minutes', () => {
    const far = `${NOW + RETAIN}`;
    const entry = read('v', '1', 'k', 'i', 'f', KEY, 'r', far, 'a', far, 's', far, 'x', far);
    expect(entry).toMatchObject({ fact: { refusedThroughAt: NOW + 300_000 } });
  });

  it.each([
    ['says', ['x', `${NOW + 5}`], NOW + 5],
    ['does not say', [], NOW + RETAIN],
    ['says, but not longer than any token lives', ['x', '999999999999999'], NOW + RETAIN + 300_000],
  ])('of a newer version is to be respected for as long as it %s', (_, fields, untilAt) => {
    expect(read('v', '2', 'k', 't', ...fields)).toEqual({ is: 'unreadable', untilAt });
  });
});
