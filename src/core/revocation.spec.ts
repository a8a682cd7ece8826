import { createHash } from 'node:crypto';

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { readToken } from '../verify/compact-jws.js';
import type { JsonObject } from './json.js';
import { type Principal, principalOf } from './principal.js';
import {
  cutAt,
  cutWhen,
  jtiKey,
  messageKey,
  opaqueKey,
  reaches,
  type Revocation,
  type RevocationKind,
  signedKey,
  NO_SESSION,
  targetKeys,
  watermarkKey,
} from './revocation.js';

const ISSUER = 'https://example.genauth.ai/oidc';
const WATERMARKS = ['session', 'subject', 'client', 'issuer'] as const;
const ISSUED = 1_700_000_000;

function principal(claims: JsonObject = {}, id = signedKey('header.payload')) {
  return principalOf({ iss: ISSUER, exp: ISSUED + 3_600, iat: ISSUED, ...claims }, 'app', id);
}

// Names with whatever could end one part of a key early and begin the next.
const name = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1 }),
  fc.string({ unit: fc.constantFrom('"', ',', '|', '[', ']', '\\', 'a', ' '), minLength: 1 }),
);

describe('the keys of revocations', () => {
  it('are the first 16 bytes of a SHA-256, in 22 characters of base64url', () => {
    const digest = createHash('sha256').update('s|header.payload').digest();
    expect(signedKey('header.payload')).toBe(digest.subarray(0, 16).toString('base64url'));
    for (const key of [
      signedKey('a'),
      opaqueKey('a'),
      jtiKey('a', 'b'),
      messageKey('a', 'b'),
      watermarkKey('issuer', 'a'),
    ]) {
      expect(key).toMatch(/^[\w-]{21}[AQgw]$/);
    }
  });

  it('never stay the same when a name, their number or the kind changes', () => {
    const target = fc.tuple(
      fc.constantFrom(...WATERMARKS),
      fc.array(name, { minLength: 1, maxLength: 3 }),
    );
    fc.assert(
      fc.property(target, target, ([kind, names], [otherKind, otherNames]) => {
        const same = kind === otherKind && JSON.stringify(names) === JSON.stringify(otherNames);
        const [one, two] = [key(kind, names), key(otherKind, otherNames)];
        expect(one === two).toBe(same);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never stay the same when characters move from one name to the next', () => {
    fc.assert(
      fc.property(name, name, fc.nat(), (first, second, cut) => {
        const joined = first + second;
        const place = cut % (joined.length + 1);
        const [left, right] = [joined.slice(0, place), joined.slice(place)];
        if (left === first) return;
        expect(key('client', [ISSUER, left, right])).not.toBe(
          key('client', [ISSUER, first, second]),
        );
        expect(jtiKey(left, right)).not.toBe(jtiKey(first, second));
        expect(messageKey(left, right)).not.toBe(messageKey(first, second));
        expect(messageKey(first, second)).not.toBe(jtiKey(first, second));
      }),
      { numRuns: 1_000 },
    );
  });

  it.each([
    [['a', 's'], ['a,s']],
    [['a', 's'], ['a","s']],
    [['a', 's'], ['a|s']],
    [['a', 's'], ['as']],
    [
      ['a', 's'],
      ['s', 'a'],
    ],
    [['a'], ['a', '']],
    [['a'], ['a ']],
    [['a'], ['A']],
    [['\u00e9'], ['e\u0301']],
    [['\ud800'], ['\ud801']],
    [['\ud800'], ['\ufffd']],
    [['a\u0000'], ['a']],
  ])('tell the client %j from %j', (ids, others) => {
    expect(watermarkKey('client', ISSUER, ...ids)).not.toBe(
      watermarkKey('client', ISSUER, ...others),
    );
  });

  it('tell a client of one issuer from the same client of another', () => {
    expect(watermarkKey('client', ISSUER, 'a')).not.toBe(watermarkKey('client', `${ISSUER}/`, 'a'));
    expect(jtiKey(ISSUER, 'a')).not.toBe(jtiKey(`${ISSUER}/`, 'a'));
  });

  it('tell tokens from opaque tokens, and both from everything else of the same characters', () => {
    const text = JSON.stringify([ISSUER, 'a']);
    const keys = [
      signedKey(text),
      opaqueKey(text),
      jtiKey(ISSUER, 'a'),
      ...WATERMARKS.map((kind) => watermarkKey(kind, ISSUER, 'a')),
      signedKey(`j|${text}`),
      opaqueKey(`w|client|${text}`),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('cutAt', () => {
  it('refuses what was certainly issued before the cut, with the second of iat cut off', () => {
    const cut = cutAt(10_500, { lowMs: 0, highMs: 0 });
    expect(cut).toEqual({ refusedThroughAt: 9_500, askedThroughAt: 10_500 });
  });

  it('opens the window by what is not known of the clocks', () => {
    const cut = cutAt(100_000, { lowMs: -5_000, highMs: 3_000 });
    expect(cut).toEqual({ refusedThroughAt: 94_000, askedThroughAt: 103_000 });
  });

  it('neither refuses a newer token nor lets an older one pass unasked, whatever the clocks', () => {
    const offset = fc.integer({ min: -5_000, max: 5_000 });
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(20_000), offset, fc.nat(4_000), fc.nat(4_000), (...given) => {
        const [at, distance, trueOffset, below, above] = given;
        const clock = { lowMs: trueOffset - below, highMs: trueOffset + above };
        const { refusedThroughAt, askedThroughAt } = cutAt(at, clock);
        const iat = (instant: number) => Math.floor((instant + trueOffset) / 1_000) * 1_000;
        expect(iat(at + distance)).toBeGreaterThan(refusedThroughAt);
        expect(iat(at - distance)).toBeLessThanOrEqual(askedThroughAt);
      }),
      { numRuns: 1_000 },
    );
  });
});

const KINDS = ['token', 'jti', 'message', 'session', 'subject', 'client', 'issuer'] as const;

/** The keys of every kind that has any. */
function keysOf(one: Principal): Partial<Record<RevocationKind, readonly string[]>> {
  const keys = KINDS.map((kind) => [kind, targetKeys(one, kind)] as const);
  return Object.fromEntries(keys.filter(([, { length }]) => length > 0));
}

describe('targetKeys', () => {
  const full = { sub: 'user', client_id: 'client', sid: 'sid', jti: 'jti' };

  it('names a token under every kind', () => {
    const id = signedKey('a.b');
    expect(keysOf(principal(full, id))).toEqual({
      token: [id],
      jti: [jtiKey(ISSUER, 'jti')],
      session: [watermarkKey('session', ISSUER, 'sid')],
      subject: [watermarkKey('subject', ISSUER, 'user')],
      client: [
        watermarkKey('client', ISSUER, 'client'),
        watermarkKey('client', ISSUER, 'client', 'user'),
      ],
      issuer: [watermarkKey('issuer', ISSUER)],
    });
  });

  it('names only what the token says', () => {
    expect(Object.keys(keysOf(principal())).sort()).toEqual(['client', 'issuer', 'token']);
    expect(targetKeys(principal(), 'client')).toEqual([watermarkKey('client', ISSUER, 'app')]);
  });

  it('names a subject once more when the token names no session', () => {
    expect(targetKeys(principal({ sub: 'user' }), 'subject')).toEqual([
      watermarkKey('subject', ISSUER, 'user'),
      watermarkKey('subject', ISSUER, 'user', NO_SESSION),
    ]);
  });

  it('names each client that may claim the token, alone and with the subject', () => {
    const client = targetKeys(principal({ azp: 'p', aud: ['a', 'b'], sub: 'user' }), 'client');
    const clients = ['p', 'app', 'a', 'b'];
    const ids = [...clients.map((one) => [one]), ...clients.map((one) => [one, 'user'])];
    expect(client).toEqual(ids.map((names) => watermarkKey('client', ISSUER, ...names)));
  });

  it('names a token by what was signed, whatever its signature is', () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const header = part({ alg: 'ES256' });
    const signed = `${header}.${part({ sub: 'user', exp: ISSUED })}`;
    const signatures = ['c2lnbmF0dXJl', 'b3RoZXI', 'AAAA'];
    for (const signature of signatures) {
      expect(readToken(`${signed}.${signature}`).id).toBe(signedKey(signed));
    }
    const another = readToken(`${header}.${part({ exp: ISSUED, sub: 'user' })}.c2lnbmF0dXJl`);
    expect(another.id).not.toBe(signedKey(signed));
  });
});

describe('reaches', () => {
  const claims = { sub: 'user', client_id: 'client', sid: 'sid', jti: 'jti' };
  const targets: readonly (readonly [RevocationKind, string])[] = [
    ['token', signedKey('header.payload')],
    ['jti', jtiKey(ISSUER, 'jti')],
    ['session', watermarkKey('session', ISSUER, 'sid')],
    ['subject', watermarkKey('subject', ISSUER, 'user')],
    ['client', watermarkKey('client', ISSUER, 'client')],
    ['client', watermarkKey('client', ISSUER, 'client', 'user')],
    ['issuer', watermarkKey('issuer', ISSUER)],
  ];
  const at = ISSUED * 1_000;
  const keepUntilAt = at + 3_600_000;

  it.each(targets)('finds the token by its %s (%s)', (kind, key) => {
    expect(reaches({ kind, key, keepUntilAt }, principal(claims))).toBe(true);
  });

  it.each(targets)('does not find a token by the %s of another (%s)', (kind, key) => {
    const other = principal(
      { iss: 'https://other', sub: 'other', client_id: 'other', sid: 'other', jti: 'other' },
      signedKey('other.token'),
    );
    expect(reaches({ kind, key, keepUntilAt }, other)).toBe(false);
  });

  it.each(targets)('does not take the key of a %s for that of another kind (%s)', (kind, key) => {
    for (const [other] of targets.filter(([one]) => one !== kind)) {
      expect(reaches({ kind: other, key, keepUntilAt }, principal(claims))).toBe(false);
    }
  });

  const marks = targets.filter(([kind]) => kind !== 'token' && kind !== 'jti');

  it.each(marks)('ends with the cut, which is part of it: %s (%s)', (kind, key) => {
    const cut = (askedThroughAt: number): Revocation => ({
      kind,
      key,
      refusedThroughAt: askedThroughAt - 10_000,
      askedThroughAt,
      keepUntilAt,
    });
    expect(reaches(cut(at + 1), principal(claims))).toBe(true);
    expect(reaches(cut(at), principal(claims))).toBe(true);
    expect(reaches(cut(at - 1), principal(claims))).toBe(false);
  });

  it.each(marks)('ends with what is refused, where nothing is asked: %s (%s)', (kind, key) => {
    const cut = (refusedThroughAt: number) => ({ kind, key, refusedThroughAt, keepUntilAt });
    expect(reaches(cut(at), principal(claims))).toBe(true);
    expect(reaches(cut(at - 1), principal(claims))).toBe(false);
  });

  it.each(marks)('includes a token that does not say when it was issued: %s (%s)', (kind, key) => {
    const cut = { kind, key, refusedThroughAt: 0, askedThroughAt: 0, keepUntilAt };
    expect(reaches(cut, principal({ ...claims, iat: undefined }))).toBe(true);
  });
});

function key(kind: (typeof WATERMARKS)[number], names: readonly string[]): string {
  const [issuer = '', ...ids] = names;
  return watermarkKey(kind, issuer, ...ids);
}

describe('a cut at an instant that the issuer says', () => {
  const HAPPENED = ISSUED * 1_000;

  it.each(['subject', 'client', 'issuer'] as const)(
    'refuses what was issued in the seconds before it, and asks about that second: %s',
    (kind) => {
      const bounds = cutWhen(kind, HAPPENED);
      expect(bounds).toEqual({
        refusedThroughAt: HAPPENED - 1_000,
        askedThroughAt: HAPPENED + 999,
      });
    },
  );

  it('refuses everything that a session has led to by then: nobody comes back into it', () => {
    const end = HAPPENED + 999;
    expect(cutWhen('session', HAPPENED)).toEqual({ refusedThroughAt: end, askedThroughAt: end });
  });
});
