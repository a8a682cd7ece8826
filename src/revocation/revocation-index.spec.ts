import { randomBytes } from 'node:crypto';

import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';

import type { JsonObject } from '../core/json.js';
import { type Principal, principalOf } from '../core/principal.js';
import {
  jtiKey,
  messageKey,
  opaqueKey,
  reaches,
  type Revocation,
  signedKey,
  targetKeys,
  watermarkKey,
} from '../core/revocation.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { RevocationIndex, type Standing, type Verdict } from './revocation-index.js';
import type { Freshness } from '../core/revocation-log.js';

const ISSUER = 'https://example.genauth.ai/oidc';
const OTHER_ISSUER = 'https://other.genauth.ai/oidc';
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const TOLERANCE = 5 * SECOND;
const OUTLIVE = TOLERANCE + 5 * MINUTE;
const START = 1_700_000_000_000;

function scene({ retainMs = HOUR, maxEntries = 1_000 } = {}) {
  const clock = new VirtualClock(START);
  return { clock, index: new RevocationIndex(clock, retainMs, TOLERANCE, maxEntries) };
}

function live(over: Partial<Freshness> = {}): Freshness {
  return { state: 'live', ageMs: 0, coveredSince: -Infinity, ...over };
}

/** Everything that could make the index lenient: current, covering all, GenAuth's word always newest. */
const lenient: Standing = {
  vouchedAt: Infinity,
  clockAheadMs: -Infinity,
  freshness: live(),
  maxStalenessMs: 10 * SECOND,
};

/** Nothing but the index's own word. */
const unvouched: Standing = { ...lenient, vouchedAt: undefined, clockAheadMs: 0 };

/** A token issued at START that lives half an hour; instants are milliseconds after START. */
function token(name = 'token', claims: JsonObject = {}): Principal {
  const times = { iat: START / 1_000, exp: (START + HOUR / 2) / 1_000 };
  return principalOf({ iss: ISSUER, ...times, ...claims }, 'app', signedKey(name));
}

function seconds(afterStart: number): number {
  return (START + afterStart) / 1_000;
}

function tombstone({ id, expiresAt }: Principal): Revocation {
  return { kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt };
}

function loose({ id }: Principal, keepUntilAt = START + HOUR): Revocation {
  return { kind: 'token', key: id, keepUntilAt };
}

type Mark = 'session' | 'subject' | 'client' | 'issuer';

function watermark(
  kind: Mark,
  ids: readonly string[],
  through: number,
  asked = through,
): Revocation {
  const key = watermarkKey(kind, ...([ISSUER, ...ids] as const));
  const [refusedThroughAt, askedThroughAt] = [START + through, START + asked];
  return { kind, key, refusedThroughAt, askedThroughAt, keepUntilAt: START + HOUR + asked };
}

const marks: readonly (readonly [Mark, readonly string[], JsonObject])[] = [
  ['session', ['sid'], { sid: 'sid' }],
  ['subject', ['user'], { sub: 'user' }],
  ['client', ['client'], { client_id: 'client' }],
  ['client', ['client', 'user'], { client_id: 'client', sub: 'user' }],
  ['issuer', [], {}],
];

describe('a tombstone', () => {
  it.each([
    ['with its expiry', tombstone],
    ['without an expiry', loose],
  ])('%s denies its token at once, and no other', (_, fact) => {
    const { index } = scene();
    expect(index.check(token(), lenient)).toEqual({ is: 'accepted' });
    expect(index.apply([fact(token())])).toHaveLength(1);
    expect(index.check(token(), lenient)).toEqual({ is: 'denied', by: 'token' });
    expect(index.hasTombstone(token().id, token().expiresAt)).toBe(true);
    expect(index.check(token('another'), lenient)).toEqual({ is: 'accepted' });
    expect(index.hasTombstone(token('another').id, token().expiresAt)).toBe(false);
  });

  it('beyond the horizon denies its token', () => {
    const { index } = scene();
    const long = token('long', { exp: seconds(100 * HOUR) });
    index.apply([tombstone(long)]);
    expect(index.check(long, lenient)).toEqual({ is: 'denied', by: 'token' });
    expect(index.hasTombstone(long.id, long.expiresAt)).toBe(true);
  });

  it.each([
    ['without an expiry', undefined],
    ['with an expiry', START + HOUR / 2],
  ])('of a jti %s denies the token that names it, at its issuer alone', (_, expiresAt) => {
    const { index } = scene();
    const key = jtiKey(ISSUER, 'jti');
    const keepUntilAt = START + HOUR;
    index.apply([{ kind: 'jti', key, keepUntilAt, ...(expiresAt && { expiresAt }) }]);
    expect(index.check(token('one', { jti: 'jti' }), lenient)).toEqual({ is: 'denied', by: 'jti' });
    expect(index.check(token('two', { jti: 'other' }), lenient).is).toBe('accepted');
    expect(index.check(token('three'), lenient).is).toBe('accepted');
    const elsewhere = token('four', { jti: 'jti', iss: OTHER_ISSUER });
    expect(index.check(elsewhere, lenient).is).toBe('accepted');
  });

  it('of a message refuses nothing: it is known until it cannot be told again, and then dropped', () => {
    const { clock, index } = scene();
    const fact = {
      kind: 'message',
      key: messageKey(ISSUER, 'jti'),
      keepUntilAt: START + HOUR,
    } as const;
    expect(index.apply([fact])).toEqual([fact]);
    expect(index.apply([fact])).toEqual([]);
    expect(index.holds(fact)).toBe(true);
    expect([...index.held()]).toEqual([fact]);
    expect(index.check(token('one', { jti: 'jti' }), lenient).is).toBe('accepted');
    clock.advance(2 * HOUR);
    index.apply([]);
    expect(index.holds(fact)).toBe(false);
    expect(index.size).toBe(0);
  });

  it('by a forged text names only itself: the same jti and subject stay accepted', () => {
    const { index } = scene();
    const good = token('header.payload', { jti: 'jti', sub: 'user' });
    index.apply([tombstone(token('header.forged', { jti: 'jti', sub: 'user' }))]);
    expect(index.check(good, lenient)).toEqual({ is: 'accepted' });
  });

  it.each(['catching-up', 'live', 'stale', 'stopped'] as const)('is final while %s', (state) => {
    const { index } = scene();
    index.apply([tombstone(token())]);
    const standing = { ...lenient, freshness: live({ state }) };
    expect(index.check(token(), standing)).toEqual({ is: 'denied', by: 'token' });
  });

  it.each([
    ['with its expiry', HOUR / 2, tombstone],
    ['without an expiry', HOUR, loose],
  ])('%s stays until the tolerance and five minutes more have passed', (_, end, fact) => {
    const { clock, index } = scene();
    index.apply([fact(token())]);
    clock.advance(end + OUTLIVE - 1);
    index.apply([]);
    expect(index.check(token(), lenient)).toEqual({ is: 'denied', by: 'token' });
    clock.advance(3 * MINUTE);
    index.apply([]);
    expect(index.size).toBe(0);
    expect(index.check(token(), lenient)).toEqual({ is: 'denied', by: 'expired' });
  });

  it('without an expiry is kept as long as the fact that asks for most', () => {
    for (const facts of [[loose(token(), START + MINUTE), loose(token(), START + HOUR)], []]) {
      const { clock, index } = scene();
      index.apply(facts.length > 0 ? facts : [loose(token(), START + HOUR)]);
      clock.advance(HOUR - MINUTE);
      index.apply([]);
      expect(index.check(token(), lenient)).toEqual({ is: 'denied', by: 'token' });
    }
  });

  it.each([
    ['without an expiry first', [loose(token(), START + MINUTE), tombstone(token())]],
    ['with its expiry first', [tombstone(token()), loose(token(), START + MINUTE)]],
  ])('reported both ways, %s, is kept for the longer of the two', (_, facts) => {
    const { clock, index } = scene();
    index.apply(facts);
    clock.advance(HOUR / 2);
    index.apply([]);
    expect(index.check(token(), lenient)).toEqual({ is: 'denied', by: 'token' });
  });

  it('of a token that is long dead is not taken in', () => {
    const { clock, index } = scene();
    clock.advance(HOUR / 2 + OUTLIVE);
    expect(index.apply([tombstone(token())])).toEqual([]);
    expect(index.size).toBe(0);
    expect(index.full).toBe(false);
  });

  it('outlasts a clock that is set forward and back', () => {
    const { clock, index } = scene();
    index.apply([tombstone(token())]);
    clock.jump(48 * HOUR);
    index.apply([]);
    expect(index.size).toBe(0);
    clock.jump(-48 * HOUR);
    expect(index.check(token(), lenient).is).toBe('denied');
    index.apply([]);
    expect(index.check(token(), lenient).is).toBe('denied');
    expect(index.hasTombstone(token().id, token().expiresAt)).toBe(false);
  });

  it('outlasts a clock that is set back while it is kept', () => {
    const { clock, index } = scene();
    index.apply([tombstone(token())]);
    clock.jump(-24 * HOUR);
    index.apply([tombstone(token('another'))]);
    clock.advance(HOUR);
    index.apply([]);
    expect(index.check(token(), lenient)).toEqual({ is: 'denied', by: 'token' });
  });
});

describe.each(marks)('a watermark of the %s %j', (kind, ids, claims) => {
  const issued = (afterStart: number | undefined) =>
    token(`issued ${afterStart}`, {
      ...claims,
      iat: afterStart === undefined ? undefined : seconds(afterStart),
    });

  it('denies what was issued at or before it, and nothing after', () => {
    const { index } = scene();
    index.apply([watermark(kind, ids, 0)]);
    expect(index.check(issued(-HOUR), lenient)).toEqual({ is: 'denied', by: kind });
    expect(index.check(issued(-1), lenient)).toEqual({ is: 'denied', by: kind });
    expect(index.check(issued(0), lenient)).toEqual({ is: 'denied', by: kind });
    expect(index.check(issued(1), unvouched)).toEqual({ is: 'accepted' });
    expect(index.check(issued(HOUR), unvouched)).toEqual({ is: 'accepted' });
  });

  it('denies what does not say when it was issued, though GenAuth vouches for it', () => {
    const { index } = scene();
    index.apply([watermark(kind, ids, 0)]);
    expect(index.check(issued(undefined), lenient)).toEqual({ is: 'denied', by: kind });
  });

  it('leaves the stretch after it to GenAuth, asked since it was taken in', () => {
    const { clock, index } = scene();
    index.apply([watermark(kind, ids, 0, 2_000)]);
    clock.advance(MINUTE);
    const doubt: Verdict = { is: 'unknown', why: 'boundary', askedSince: START };
    for (const afterStart of [1, 1_000, 2_000]) {
      expect(index.check(issued(afterStart), unvouched)).toEqual(doubt);
      expect(index.check(issued(afterStart), { ...unvouched, vouchedAt: START - 1 })).toEqual(
        doubt,
      );
      const accepted = index.check(issued(afterStart), { ...unvouched, vouchedAt: START });
      expect(accepted).toEqual({ is: 'accepted' });
    }
    expect(index.check(issued(0), { ...unvouched, vouchedAt: START })).toEqual({
      is: 'denied',
      by: kind,
    });
    expect(index.check(issued(2_001), unvouched)).toEqual({ is: 'accepted' });
  });

  it('does not concern anybody else', () => {
    const { index } = scene();
    const others = { sid: 'x', sub: 'x', client_id: 'x' };
    index.apply([watermark(kind, ids, 0)]);
    const same = { iss: OTHER_ISSUER, ...claims };
    expect(index.check(token('elsewhere', same), lenient)).toEqual({ is: 'accepted' });
    if (kind === 'issuer') return;
    expect(index.check(token('others', others), lenient)).toEqual({ is: 'accepted' });
    expect(index.check(token('nobody'), lenient)).toEqual({ is: 'accepted' });
  });

  it('is only ever raised', () => {
    const { index } = scene();
    expect(index.apply([watermark(kind, ids, 0)])).toHaveLength(1);
    expect(index.apply([watermark(kind, ids, -MINUTE)])).toEqual([]);
    expect(index.check(issued(0), lenient).is).toBe('denied');
    expect(index.apply([watermark(kind, ids, MINUTE)])).toHaveLength(1);
    expect(index.check(issued(MINUTE), lenient).is).toBe('denied');
    expect(index.size).toBe(1);
  });

  it('holds until nothing it covers can be alive, and then has left nothing alive', () => {
    const { clock, index } = scene();
    const last = token('last', { ...claims, iat: seconds(0), exp: seconds(HOUR) });
    index.apply([watermark(kind, ids, 0)]);
    clock.advance(HOUR + OUTLIVE - 1);
    index.apply([]);
    expect(index.check(last, lenient)).toEqual({ is: 'denied', by: kind });
    clock.advance(2 * MINUTE);
    index.apply([]);
    expect(index.size).toBe(0);
    expect(index.check(last, lenient)).toEqual({ is: 'denied', by: 'expired' });
    clock.jump(-100 * HOUR);
    expect(index.check(last, lenient)).toEqual({ is: 'denied', by: 'expired' });
  });

  it.each([0, 1])('is kept as long as either of two reports asks for: order %d', (order) => {
    const { clock, index } = scene();
    const older = { ...watermark(kind, ids, -MINUTE), keepUntilAt: START + 3 * HOUR };
    const facts = [older, watermark(kind, ids, 0)];
    index.apply(order === 0 ? facts : facts.reverse());
    clock.advance(2 * HOUR);
    index.apply([]);
    expect(index.check(issued(0), lenient)).toEqual({ is: 'denied', by: kind });
  });

  it.each([0, 1])('refuses and asks as far as either of two reports: order %d', (order) => {
    const { index } = scene();
    const facts = [watermark(kind, ids, 0, 5_000), watermark(kind, ids, 1_000, 2_000)];
    index.apply(order === 0 ? facts : facts.reverse());
    expect(index.check(issued(1_000), unvouched)).toEqual({ is: 'denied', by: kind });
    expect(index.check(issued(5_000), unvouched)).toMatchObject({ why: 'boundary' });
    expect(index.check(issued(5_001), unvouched)).toEqual({ is: 'accepted' });
  });

  it('reaches for listeners whatever it denies or leaves open', () => {
    const { index } = scene();
    const fact = watermark(kind, ids, 0, 2_000);
    index.apply([fact]);
    for (const afterStart of [-HOUR, 0, 1, 2_000, 2_001, HOUR, undefined]) {
      const accepted = index.check(issued(afterStart), unvouched).is === 'accepted';
      expect(reaches(fact, issued(afterStart))).toBe(!accepted);
    }
  });
});

describe('several watermarks', () => {
  it('reach a token by the last of as many names as one can have', () => {
    const audience = Array.from({ length: 64 }, (_, place) => `client ${place}`);
    const named = token('named', { sub: 'user', azp: 'party', aud: audience });
    const last = audience.at(-1) as string;
    const cuts = [
      ['client', last],
      ['client', last, 'user'],
      ['client', 'party'],
      ['subject', 'user'],
    ];
    for (const [kind, ...ids] of [...cuts, ['issuer']] as [Mark, ...string[]][]) {
      const { index } = scene();
      index.apply([watermark(kind, ids, 0)]);
      expect(index.check(named, lenient)).toEqual({ is: 'denied', by: kind });
    }
  });

  const claims = { sid: 'sid', sub: 'user', client_id: 'client', iat: seconds(0) };
  const pairs = marks.flatMap((one) => marks.filter((two) => two !== one).map((two) => [one, two]));

  it.each(pairs)('deny if any matches: old %j, new %j', (old, recent) => {
    const { index } = scene();
    const [[oldKind, oldIds], [kind, ids]] = [old, recent] as [
      (typeof marks)[number],
      (typeof marks)[number],
    ];
    index.apply([watermark(oldKind, oldIds, -HOUR), watermark(kind, ids, 0)]);
    expect(index.check(token('token', claims), lenient)).toEqual({ is: 'denied', by: kind });
  });

  it.each(pairs)('leave open what none denies: old %j, new %j', (old, recent) => {
    const { clock, index } = scene();
    const [[oldKind, oldIds], [kind, ids]] = [old, recent] as [
      (typeof marks)[number],
      (typeof marks)[number],
    ];
    index.apply([watermark(kind, ids, -HOUR, 0)]);
    clock.advance(MINUTE);
    index.apply([watermark(oldKind, oldIds, -HOUR, 0)]);
    const doubt = { is: 'unknown', why: 'boundary', askedSince: START + MINUTE };
    const token1 = token('token', claims);
    expect(index.check(token1, { ...unvouched, vouchedAt: START })).toEqual(doubt);
    expect(index.check(token1, { ...unvouched, vouchedAt: START + MINUTE }).is).toBe('accepted');
  });

  it('on any one of several audiences deny the token', () => {
    const { index } = scene();
    index.apply([watermark('client', ['b'], 0)]);
    expect(index.check(token('one', { aud: ['a', 'b', 'c'] }), lenient).is).toBe('denied');
    expect(index.check(token('two', { aud: ['a', 'c'] }), lenient).is).toBe('accepted');
  });

  it('of a client and a subject together deny neither alone', () => {
    const { index } = scene();
    index.apply([watermark('client', ['client', 'user'], 0)]);
    const check = (claims: JsonObject) => index.check(token('token', claims), lenient).is;
    expect(check({ client_id: 'client', sub: 'user' })).toBe('denied');
    expect(check({ client_id: 'client', sub: 'other' })).toBe('accepted');
    expect(check({ client_id: 'other', sub: 'user' })).toBe('accepted');
    expect(check({ client_id: 'client' })).toBe('accepted');
    expect(check({ client_id: 'client,user' })).toBe('accepted');
  });
});

describe('a watermark that GenAuth is yet to be told of', () => {
  const cut = (through: number, settled: number, asked: number): Revocation => ({
    ...watermark('subject', ['user'], through, asked),
    settledThroughAt: START + settled,
  });
  const pending = cut(0, 0, 2_000);
  const told = cut(0, 2_000, 2_000);
  const issued = (afterStart: number) =>
    token(`issued ${afterStart}`, { sub: 'user', iat: seconds(afterStart) });
  const open = issued(1_000);
  const vouched = { ...unvouched, vouchedAt: START + HOUR };
  const deaf = { is: 'unknown', why: 'boundary', askedSince: Infinity };

  it('lets no word of GenAuth count until it is settled, and then none that is older', () => {
    const { clock, index } = scene();
    index.apply([pending]);
    for (const vouchedAt of [undefined, START, START + HOUR, Infinity]) {
      expect(index.check(open, { ...unvouched, vouchedAt })).toEqual(deaf);
    }
    expect(index.check(open, { ...vouched, vouchedVersion: 1_000 })).toEqual(deaf);
    clock.advance(MINUTE);
    expect(index.apply([told])).toEqual([told]);
    const since = { is: 'unknown', why: 'boundary', askedSince: START + MINUTE };
    expect(index.check(open, { ...unvouched, vouchedAt: START + MINUTE - 1 })).toEqual(since);
    expect(index.check(open, { ...unvouched, vouchedAt: START + MINUTE }).is).toBe('accepted');
  });

  it('denies, asks, waits or lets pass, each up to its own instant', () => {
    const { index } = scene();
    index.apply([cut(0, 2_000, 4_000)]);
    const verdicts = [0, 1, 2_000, 2_001, 4_000, 4_001].map((afterStart) => {
      const verdict = index.check(issued(afterStart), unvouched);
      return verdict.is === 'unknown' ? verdict.askedSince : verdict.is;
    });
    expect(verdicts).toEqual(['denied', START, START, Infinity, Infinity, 'accepted']);
    const { issuedAt: _, ...undated } = open;
    expect(index.check(undated, vouched).is).toBe('denied');
  });

  it('is settled as far as it is asked about where the fact does not say', () => {
    const { index } = scene();
    index.apply([watermark('subject', ['user'], 0, 2_000)]);
    expect(index.check(issued(2_000), vouched).is).toBe('accepted');
  });

  it('knows a word of this process by its version, whatever the clock says', () => {
    const { clock, index } = scene();
    index.apply([pending]);
    clock.jump(-10 * MINUTE);
    index.apply([told]);
    const { version } = index;
    const said = { ...unvouched, vouchedAt: START + HOUR };
    expect(index.check(open, { ...said, vouchedVersion: version - 1 }).is).toBe('unknown');
    expect(index.check(open, { ...said, vouchedVersion: version }).is).toBe('accepted');
  });

  it('does not take an earlier word for a later one after the clock was set back', () => {
    const { clock, index } = scene();
    clock.advance(MINUTE);
    index.apply([]);
    clock.jump(-10 * MINUTE);
    index.apply([pending, told]);
    expect(index.check(open, { ...unvouched, vouchedAt: START }).is).toBe('unknown');
    expect(index.check(open, { ...unvouched, vouchedAt: START + MINUTE }).is).toBe('accepted');
  });

  it.each([0, 1])('opens again what was settled before a newer cut: order %d', (order) => {
    const { clock, index } = scene();
    const facts = [cut(0, 1_500, 1_500), pending];
    for (const fact of order === 0 ? facts : facts.reverse()) {
      clock.advance(MINUTE);
      index.apply([fact]);
    }
    expect(index.check(open, vouched)).toEqual(deaf);
    expect(index.check(issued(2_000), vouched)).toEqual(deaf);
    index.apply([told]);
    expect(index.check(open, vouched).is).toBe('accepted');
  });

  it('does not open again for a cut that asks less far', () => {
    const { index } = scene();
    index.apply([told, cut(0, 0, 1_999)]);
    expect(index.check(open, vouched).is).toBe('accepted');
  });

  it('is no news when it is reported again, and takes nothing back', () => {
    const { index } = scene();
    index.apply([told]);
    const { version } = index;
    expect(index.apply([pending, told, pending])).toEqual([]);
    expect(index.version).toBe(version);
    expect(index.check(open, vouched).is).toBe('accepted');
  });

  it.each([
    ['settled before what is refused', cut(2_000, 0, 4_000), ['denied', 'unknown']],
    ['settled beyond what is asked', cut(0, 9_000, 2_000), ['accepted', 'accepted']],
    ['asked before what is refused', cut(4_000, 4_000, 0), ['denied', 'denied']],
  ])('is put in order where it is %s', (_, fact, verdicts) => {
    const { index } = scene();
    index.apply([fact]);
    expect([2_000, 4_000].map((at) => index.check(issued(at), vouched).is)).toEqual(verdicts);
    // What the fact that was out of order claimed does not settle what comes after it.
    index.apply([cut(-HOUR, -HOUR, 8_000)]);
    expect(index.check(issued(8_000), vouched)).toEqual(deaf);
  });

  it('is not undone by instants that are no numbers', () => {
    const { index } = scene();
    index.apply([pending, cut(NaN, NaN, NaN)]);
    expect(index.check(issued(0), vouched).is).toBe('denied');
    expect(index.check(open, vouched)).toEqual(deaf);
  });

  it('does not change what is denied, nor what is newer', () => {
    const { index } = scene();
    index.apply([pending]);
    expect(index.check(issued(0), vouched).is).toBe('denied');
    expect(index.check(issued(2_001), unvouched).is).toBe('accepted');
  });

  it.each([pending, told])('denies what was presented before it', (fact) => {
    const { index } = scene();
    index.apply([fact]);
    const { version: presentedVersion } = index;
    index.dateNow([fact, watermark('session', ['nobody'], 0)]);
    const asked = { ...vouched, vouchedVersion: index.version };
    const denied = { is: 'denied', by: 'presented' };
    expect(index.check(open, { ...asked, presentedVersion })).toEqual(denied);
    const { is } = index.check(open, { ...asked, presentedVersion: index.version });
    expect(is).toBe(fact === pending ? 'unknown' : 'accepted');
  });

  it('made once more at the same time is another cut, for what was presented or asked between', () => {
    const { index } = scene();
    index.apply([told]);
    index.dateNow([told]);
    const between = index.version;
    expect(index.apply([told])).toEqual([]);
    index.dateNow([told]);
    const asked = { ...vouched, vouchedVersion: between };
    expect(index.check(open, asked).is).toBe('unknown');
    const again = { ...vouched, vouchedVersion: index.version, presentedVersion: between };
    expect(index.check(open, again)).toEqual({ is: 'denied', by: 'presented' });
  });
});

describe('the lease', () => {
  const states = ['catching-up', 'stale'] as const;

  it.each(states)('accepts nothing on its own word while %s', (state) => {
    const { index } = scene();
    const standing = { ...unvouched, freshness: live({ state }) };
    const askedSince = START - 10 * SECOND;
    expect(index.check(token(), standing)).toEqual({ is: 'unknown', why: state, askedSince });
  });

  it.each(states)('accepts what GenAuth vouched for lately while %s', (state) => {
    const { clock, index } = scene();
    const standing = { ...unvouched, freshness: live({ state }), vouchedAt: START };
    expect(index.check(token(), standing)).toEqual({ is: 'accepted' });
    clock.advance(10 * SECOND);
    expect(index.check(token(), standing)).toEqual({ is: 'accepted' });
    clock.advance(1);
    expect(index.check(token(), standing)).toEqual({
      is: 'unknown',
      why: state,
      askedSince: START + 1,
    });
  });

  it.each(states)('takes no word that seems to come from the future while %s', (state) => {
    const { clock, index } = scene();
    const standing = { ...unvouched, freshness: live({ state }), vouchedAt: START };
    clock.jump(-HOUR);
    expect(index.check(token(), standing)).toMatchObject({ is: 'unknown', why: state });
  });

  it('accepts nothing once it is stopped, and asks for nothing', () => {
    const { index } = scene();
    const standing = { ...lenient, freshness: live({ state: 'stopped' }) };
    const verdict = { is: 'unknown', why: 'stopped', askedSince: Infinity };
    expect(index.check(token(), { ...standing, vouchedAt: START })).toEqual(verdict);
  });

  it.each([...states, 'stopped'] as const)('takes in denials while %s', (state) => {
    const { index } = scene();
    const standing = { ...lenient, freshness: live({ state }) };
    index.apply([watermark('issuer', [], 0)]);
    expect(index.check(token(), standing)).toEqual({ is: 'denied', by: 'issuer' });
  });
});

describe('coverage', () => {
  const since = (coveredSince: number, over: Partial<Standing> = {}): Standing => ({
    ...unvouched,
    freshness: live({ coveredSince }),
    ...over,
  });

  it('leaves to GenAuth what was issued before the log began, and what does not say', () => {
    const { index } = scene();
    const doubt = { is: 'unknown', why: 'not-covered', askedSince: START + SECOND };
    expect(index.check(token(), since(START + SECOND))).toEqual(doubt);
    expect(index.check(token('x', { iat: undefined }), since(START + SECOND))).toEqual(doubt);
    expect(index.check(token(), since(START - 1))).toEqual({ is: 'accepted' });
  });

  it('counts GenAuth’s word from when the log began', () => {
    const { index } = scene();
    const vouched = (vouchedAt: number) =>
      index.check(token('x', { iat: undefined }), since(START, { vouchedAt })).is;
    expect(vouched(START - 1)).toBe('unknown');
    expect(vouched(START)).toBe('accepted');
  });

  it('asks about what may be older because GenAuth’s clock may be ahead', () => {
    const { index } = scene();
    const ahead = (clockAheadMs: number) =>
      index.check(token(), since(START - SECOND, { clockAheadMs })).is;
    expect(ahead(0)).toBe('accepted');
    expect(ahead(SECOND - 1)).toBe('accepted');
    expect(ahead(SECOND)).toBe('unknown');
    expect(ahead(5 * SECOND)).toBe('unknown');
  });

  it('ends for tokens that are older than watermarks are kept', () => {
    const { clock, index } = scene();
    const old = token('old', { exp: seconds(100 * HOUR) });
    clock.advance(HOUR - 1);
    expect(index.check(old, unvouched)).toEqual({ is: 'accepted' });
    clock.advance(1);
    const doubt = { is: 'unknown', why: 'not-covered', askedSince: START };
    expect(index.check(old, unvouched)).toEqual(doubt);
    expect(index.check(old, { ...unvouched, vouchedAt: START }).is).toBe('accepted');
  });

  it('does not come back when the clock is set back', () => {
    const { clock, index } = scene();
    const old = token('old', { exp: seconds(100 * HOUR) });
    clock.advance(HOUR);
    expect(index.check(old, unvouched).is).toBe('unknown');
    clock.jump(-HOUR / 2);
    expect(index.check(old, unvouched).is).toBe('unknown');
  });
});

describe('a full index', () => {
  const filled = () => {
    const made = scene({ maxEntries: 3 });
    made.index.apply([
      tombstone(token('one')),
      loose(token('two')),
      watermark('session', ['sid'], 0),
    ]);
    return made;
  };

  it('is not full while everything fitted', () => {
    const { index } = filled();
    expect(index.size).toBe(3);
    expect(index.full).toBe(false);
    expect(index.check(token('four'), unvouched)).toEqual({ is: 'accepted' });
  });

  it.each([
    ['a tombstone', tombstone(token('four'))],
    ['a tombstone without expiry', loose(token('four'))],
    ['a jti', { kind: 'jti', key: jtiKey(ISSUER, 'j'), keepUntilAt: START + HOUR } as const],
    ['a watermark', watermark('subject', ['user'], 0)],
  ])('turns away %s, says so, and accepts nothing on its own word', (_, fact) => {
    const { index } = filled();
    expect(index.apply([fact])).toEqual([]);
    expect(index.size).toBe(3);
    expect(index.full).toBe(true);
    const doubt = { is: 'unknown', why: 'stale', askedSince: START - 10 * SECOND };
    expect(index.check(token('five'), unvouched)).toEqual(doubt);
    expect(index.check(token('five'), { ...unvouched, vouchedAt: START }).is).toBe('accepted');
  });

  it('drops nothing, and still denies what it holds', () => {
    const { index } = filled();
    for (let more = 0; more < 100; more += 1) index.apply([tombstone(token(`more ${more}`))]);
    expect(index.check(token('one'), lenient)).toEqual({ is: 'denied', by: 'token' });
    expect(index.check(token('two'), lenient)).toEqual({ is: 'denied', by: 'token' });
    expect(index.check(token('x', { sid: 'sid' }), lenient)).toEqual({
      is: 'denied',
      by: 'session',
    });
  });

  it('still takes in again, and raises, what it holds', () => {
    const { index } = filled();
    const again = [tombstone(token('one')), loose(token('two')), tombstone(token('two'))];
    expect(index.apply(again)).toEqual([]);
    expect(index.size).toBe(3);
    expect(index.apply([watermark('session', ['sid'], MINUTE)])).toHaveLength(1);
    expect(index.full).toBe(false);
    const raised = token('x', { sid: 'sid', iat: seconds(MINUTE) });
    expect(index.check(raised, lenient).is).toBe('denied');
  });

  it('stays full until the last of those turned away can be dead, and then has room', () => {
    const { clock, index } = filled();
    index.apply([loose(token('four'), START + 10 * HOUR), tombstone(token('five'))]);
    clock.advance(10 * HOUR + OUTLIVE - 1);
    index.apply([]);
    expect(index.full).toBe(true);
    clock.advance(1);
    index.apply([]);
    expect(index.full).toBe(false);
    expect(index.size).toBe(0);
  });

  it('drops the dead as soon as their room is needed', () => {
    const { clock, index } = scene({ maxEntries: 1 });
    index.apply([loose(token('one'), START)]);
    clock.advance(OUTLIVE - 10 * SECOND);
    index.apply([]);
    clock.advance(10 * SECOND);
    expect(index.apply([tombstone(token('two'))])).toHaveLength(1);
    expect(index.full).toBe(false);
    expect(index.size).toBe(1);
  });

  it('keeps the state of a log that is worse than stale', () => {
    const { index } = filled();
    index.apply([tombstone(token('four'))]);
    for (const state of ['catching-up', 'stopped'] as const) {
      const verdict = index.check(token('five'), { ...unvouched, freshness: live({ state }) });
      expect(verdict).toMatchObject({ is: 'unknown', why: state });
    }
  });

  it('never holds more than the limit, and never turns away in silence', () => {
    fc.assert(
      fc.property(batches, fc.integer({ min: 1, max: 12 }), (given, maxEntries) => {
        const { index } = scene({ maxEntries });
        for (const facts of given) index.apply(facts);
        expect(index.size).toBeLessThanOrEqual(maxEntries);
        if (index.full) return;
        const denied = given.flat();
        for (const principal of population) {
          const verdict = index.check(principal, lenient);
          if (verdict.is !== 'denied') expect(deniedBy(denied, principal)).toBe(false);
        }
      }),
    );
  });
});

describe('the size', () => {
  it.each([
    ['tombstones', (n: number, now: number) => tombstone(dated(n, now))],
    ['tombstones without expiry', (n: number, now: number) => loose(dated(n, now), now + HOUR)],
    [
      'watermarks',
      (n: number, now: number) => ({
        ...watermark('subject', [`user ${n}`], now - START),
        keepUntilAt: now + HOUR,
      }),
    ],
  ])('of %s is bounded by their rate, the longest life and ten minutes', (_, fact) => {
    const { clock, index } = scene({ maxEntries: 1_000_000 });
    const everyMs = 10 * SECOND;
    for (let n = 0; n < 2_000; n += 1) {
      clock.advance(everyMs);
      index.apply([fact(n, clock.wall())]);
      expect(index.size).toBeLessThanOrEqual((HOUR + 10 * MINUTE) / everyMs);
    }
    expect(index.size).toBeGreaterThan(HOUR / everyMs);
    expect(index.full).toBe(false);
  });

  it('and the version do not grow with repetition', () => {
    const { index } = scene();
    const facts = [tombstone(token('a')), loose(token('b')), watermark('issuer', [], 0)];
    expect(index.apply([...facts, ...facts])).toEqual(facts);
    const { size, version } = index;
    expect(size).toBe(3);
    expect(index.apply(facts)).toEqual([]);
    expect([index.size, index.version]).toEqual([size, version]);
  });

  it('takes with each piece of news a step of the version', () => {
    const { index } = scene();
    const { version } = index;
    index.apply([tombstone(token('a')), tombstone(token('a')), watermark('issuer', [], 0)]);
    expect(index.version).toBe(version + 2);
    index.apply([watermark('issuer', [], 0, 1)]);
    expect(index.version).toBe(version + 3);
  });
});

// A small world in which facts often meet: 24 tokens of two issuers, users, clients and sessions.
const population = Array.from({ length: 24 }, (_, n) => {
  const issuedAt = ((n * 7) % 12) * SECOND;
  const lifetime = n % 3 === 0 ? HOUR : 10 * MINUTE;
  return token(`citizen ${n}`, {
    iss: n % 4 === 0 ? OTHER_ISSUER : ISSUER,
    iat: n % 6 === 5 ? undefined : seconds(issuedAt),
    exp: seconds(issuedAt + lifetime),
    sub: n % 5 === 4 ? undefined : `user ${n % 2}`,
    aud: n % 8 === 1 ? ['client 0', 'client 1'] : `client ${n % 2}`,
    sid: n % 2 ? undefined : `sid ${n % 3}`,
    jti: n % 2 ? `jti ${n % 4}` : undefined,
  });
});
const world = START + 12 * SECOND + HOUR;

const KINDS = ['token', 'jti', 'session', 'subject', 'client', 'issuer'] as const;

const aTombstone = fc
  .tuple(fc.constantFrom(...population), fc.boolean())
  .map(([principal, known]) => (known ? tombstone(principal) : loose(principal, world)));
const aJti = fc
  .constantFrom(...population.flatMap((one) => targetKeys(one, 'jti')))
  .map((key): Revocation => ({ kind: 'jti', key, keepUntilAt: world }));
const aWatermark = fc
  .record({
    kind: fc.constantFrom(...(['session', 'subject', 'client', 'issuer'] as const)),
    of: fc.constantFrom(...population),
    which: fc.nat(3),
    through: fc.integer({ min: -1, max: 13 }),
    asked: fc.nat(4),
    settled: fc.option(fc.nat(4), { nil: undefined }),
    longer: fc.nat(HOUR),
  })
  .filter(({ kind, of }) => targetKeys(of, kind).length > 0)
  .map(({ kind, of, which, through, asked, settled, longer }): Revocation => {
    const keys = targetKeys(of, kind);
    const key = keys[which % Math.max(keys.length, 1)] ?? '';
    const refusedThroughAt = START + through * SECOND;
    const askedThroughAt = refusedThroughAt + asked * SECOND;
    const keepUntilAt = Math.max(world, askedThroughAt + HOUR) + longer;
    const cut = { kind, key, refusedThroughAt, askedThroughAt, keepUntilAt };
    if (settled === undefined) return cut;
    return { ...cut, settledThroughAt: refusedThroughAt + settled * SECOND };
  });
const aFact = fc.oneof(aTombstone, aJti, { weight: 3, arbitrary: aWatermark });
const batches = fc.array(fc.array(aFact, { maxLength: 5 }), { maxLength: 8 });

/** The rules once more, as plainly as they can be said; `unknown` where not even a newest word counts. */
function ruledBy(facts: readonly Revocation[], principal: Principal): Verdict['is'] {
  const { issuedAt = -Infinity } = principal;
  const keys = KINDS.flatMap((kind) => targetKeys(principal, kind));
  const marks = keys.map((key) => {
    const mark = { refused: -Infinity, settled: -Infinity, asked: -Infinity };
    for (const fact of facts.filter((one) => one.key === key)) {
      const { refusedThroughAt: refused = Infinity, askedThroughAt: asked = refused } = fact;
      const settled = Math.min(Math.max(fact.settledThroughAt ?? asked, refused), asked);
      if (asked > mark.asked) mark.settled = settled;
      if (asked === mark.asked) mark.settled = Math.max(mark.settled, settled);
      mark.refused = Math.max(mark.refused, refused);
      mark.asked = Math.max(mark.asked, asked);
    }
    return mark;
  });
  const known = marks.filter(({ refused }) => refused > -Infinity);
  if (known.some(({ refused }) => issuedAt <= refused)) return 'denied';
  const waits = known.some(({ settled, asked }) => settled < issuedAt && issuedAt <= asked);
  return waits ? 'unknown' : 'accepted';
}

function deniedBy(facts: readonly Revocation[], principal: Principal): boolean {
  return ruledBy(facts, principal) === 'denied';
}

describe('any facts', () => {
  it('give the same verdicts in any order, number and grouping', () => {
    const rearranged = batches.chain((given) => {
      const facts = given.flat();
      const again = fc.subarray(facts).chain((more) => {
        const all = [...facts, ...more];
        return fc.shuffledSubarray(all, { minLength: all.length });
      });
      return fc.tuple(fc.constant(facts), again, fc.integer({ min: 1, max: 6 }));
    });
    const ages = [0, 11 * MINUTE, HOUR, HOUR + 4 * MINUTE, 90 * MINUTE, 4 * HOUR];
    fc.assert(
      fc.property(rearranged, ([facts, shuffled, size]) => {
        const [one, two] = [scene(), scene()];
        one.index.apply(facts);
        for (let at = 0; at < shuffled.length; at += size) {
          two.index.apply(shuffled.slice(at, at + size));
        }
        for (const [step, age] of ages.entries()) {
          for (const { clock, index } of [one, two]) {
            clock.advance(age - (ages[step - 1] ?? 0));
            index.apply([]);
          }
          const alive = population.filter(({ expiresAt }) => expiresAt > one.clock.wall());
          for (const standing of [lenient, unvouched, { ...unvouched, vouchedAt: START }]) {
            expect(alive.map((principal) => two.index.check(principal, standing))).toEqual(
              alive.map((principal) => one.index.check(principal, standing)),
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are held to exactly what the rules say, and once denied a token stays denied, whatever the clocks do', () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ apply: fc.array(aFact, { maxLength: 4 }) }) },
      { weight: 2, arbitrary: fc.record({ advance: fc.nat(30 * MINUTE) }) },
      { weight: 2, arbitrary: fc.record({ jump: fc.integer({ min: -3 * HOUR, max: 3 * HOUR }) }) },
      { weight: 1, arbitrary: fc.record({ jump: fc.integer({ min: -8 * HOUR, max: 0 }) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
        const { clock, index } = scene();
        const applied: Revocation[] = [];
        const denied = new Set<Principal>();
        let highest = clock.wall();
        for (const one of steps) {
          if ('advance' in one) clock.advance(one.advance);
          if ('jump' in one) clock.jump(one.jump);
          highest = Math.max(highest, clock.wall());
          const facts = 'apply' in one ? one.apply : [];
          index.apply(facts);
          applied.push(...facts.filter(({ keepUntilAt }) => keepUntilAt + OUTLIVE > highest));
          const wrong = population.filter((principal) => {
            const { is } = index.check(principal, lenient);
            const rule = denied.has(principal) ? 'denied' : ruledBy(applied, principal);
            const expired = principal.expiresAt + OUTLIVE <= highest;
            if (is === 'denied') denied.add(principal);
            return rule === 'denied' ? is !== 'denied' : is !== rule && !expired;
          });
          if (wrong.length > 0) throw new Error(`wrong after ${JSON.stringify(one)}`);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('what is held', () => {
  it('gives another index the same verdicts', () => {
    fc.assert(
      fc.property(batches, fc.nat(50 * MINUTE), (given, age) => {
        const { clock, index } = scene();
        for (const facts of given) index.apply(facts);
        clock.advance(age);
        const other = new RevocationIndex(clock, HOUR, TOLERANCE, 1_000);
        const held = [...index.held()];
        other.apply(held);
        const alive = population.filter(({ expiresAt }) => expiresAt > clock.wall());
        for (const standing of [lenient, unvouched]) {
          const verdicts = (of: RevocationIndex) =>
            alive.map((principal) => {
              const verdict = of.check(principal, standing);
              // When the fact was taken in is each index's own affair.
              const { askedSince = 0 } = verdict as { askedSince?: number };
              return { ...verdict, askedSince: askedSince === Infinity };
            });
          expect(verdicts(other)).toEqual(verdicts(index));
        }
        expect([...other.held()]).toHaveLength(held.length);
        expect(index.apply(held)).toEqual([]);
        expect(held.filter((fact) => !index.holds(fact))).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('names of an expiry the last millisecond of its minute, and everything else as it was', () => {
    const { index } = scene();
    const facts = [
      loose(token('loose')),
      { kind: 'jti', key: jtiKey(ISSUER, 'jti'), keepUntilAt: START + HOUR } as const,
      { ...watermark('session', ['sid'], 0, 2_000), settledThroughAt: START + 1_000 },
      { ...watermark('subject', ['user'], 0, 2_000), settledThroughAt: START },
      { ...watermark('issuer', [], 0), settledThroughAt: START },
    ];
    index.apply([tombstone(token()), ...facts]);
    const end = Math.floor(token().expiresAt / MINUTE) * MINUTE + 59_999;
    const dated = { kind: 'token', key: token().id, expiresAt: end, keepUntilAt: end };
    expect([...index.held()]).toEqual([dated, ...facts]);
  });

  it('leaves out what was only to be denied for the moment, and what is dead', () => {
    const { clock, index } = scene();
    index.apply([loose(token('provisional'), START)]);
    expect(index.size).toBe(1);
    expect([...index.held()]).toEqual([]);
    index.apply([tombstone(token()), watermark('issuer', [], 0)]);
    expect([...index.held()]).toHaveLength(2);
    clock.advance(HOUR / 2 + OUTLIVE + MINUTE);
    expect([...index.held()]).toHaveLength(1);
    clock.advance(HOUR);
    expect([...index.held()]).toEqual([]);
  });

  it('can be read while facts come and go', () => {
    const { clock, index } = scene({ maxEntries: 100_000 });
    const facts = Array.from({ length: 40 }, (_, n) => [
      tombstone(token(`dated ${n}`, { exp: seconds(HOUR / 2 + n * SECOND) })),
      loose(token(`loose ${n}`)),
      watermark('subject', [`user ${n}`], 0),
    ]).flat();
    index.apply(facts);
    const seen = new Set<string>();
    let step = 0;
    for (const { key } of index.held()) {
      seen.add(key);
      step += 1;
      index.apply([tombstone(token(`more ${step}`)), watermark('session', [`${step}`], 0)]);
    }
    expect(facts.filter(({ key }) => !seen.has(key))).toEqual([]);
    for (const _ of index.held()) {
      clock.advance(3 * HOUR);
      index.apply([]);
    }
    expect(index.size).toBe(0);
  });
});

describe('what grows with revocations', () => {
  it('is no Map and no Set: at most one entry a minute of expiry', () => {
    const { index } = scene({ maxEntries: Infinity });
    const added = [jest.spyOn(Map.prototype, 'set'), jest.spyOn(Set.prototype, 'add')];
    try {
      for (let n = 0; n < 5_000; n += 1) {
        const one = token(`citizen ${n}`);
        const jti = jtiKey(ISSUER, `${n}`);
        index.apply([
          { ...tombstone(one), expiresAt: START + (n % 60) * MINUTE, keepUntilAt: START + HOUR },
          loose(token(`opaque ${n}`)),
          { kind: 'jti', key: jti, keepUntilAt: START + HOUR },
          watermark('subject', [`user ${n}`], 0),
        ]);
      }
      const calls = added.flatMap(({ mock }) => mock.calls.length);
      expect(index.size).toBe(20_000);
      expect(Math.max(...calls)).toBeLessThanOrEqual(60);
    } finally {
      jest.restoreAllMocks();
    }
  });
});

describe('a million tombstones', () => {
  const MILLION = 1_000_000;

  /** Digests as even as real ones, made faster. */
  function* tombstones(spreadMs: number): Generator<Revocation[]> {
    for (let from = 0; from < MILLION; from += 10_000) {
      const random = randomBytes(160_000);
      yield Array.from({ length: 10_000 }, (_, n) => {
        const key = random.toString('base64url', n * 16, n * 16 + 16);
        const expiresAt = START + Math.floor(((from + n) / MILLION) * spreadMs);
        return { kind: 'token', key, expiresAt, keepUntilAt: expiresAt };
      });
    }
  }

  it.each([
    ['over the minutes of an hour', HOUR],
    ['in a single minute', SECOND],
  ])('%s take 40 bytes each at most, and none is missing', (_, spreadMs) => {
    const { index } = scene({ maxEntries: Infinity });
    let sample: readonly Revocation[] = [];
    let most = 0;
    for (const facts of tombstones(spreadMs)) {
      expect(index.apply(facts)).toHaveLength(facts.length);
      most = Math.max(most, index.bytes / index.size);
      sample = [...sample.slice(-9_000), ...facts.slice(0, 100)];
    }
    expect(index.size).toBe(MILLION);
    expect(index.bytes / index.size).toBeLessThanOrEqual(40);
    expect(index.bytes / index.size).toBeGreaterThan(16);
    expect(most).toBeLessThanOrEqual(40);
    expect(sample.filter((fact) => !index.holds(fact))).toEqual([]);
    expect(index.hasTombstone(opaqueKey('another'), START)).toBe(false);
  });
});

/** A token issued just now that lives as long as any. */
function dated(n: number, now: number): Principal {
  return token(`dated ${n}`, { iat: now / 1_000, exp: (now + HOUR) / 1_000 });
}
