import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { missingScopes } from './scopes.js';

function covers(granted: string, demanded: string): boolean {
  return missingScopes([granted], [demanded]).length === 0;
}

const everything = ['*', '*:*', '*:*:*'];
const allBooks = ['book', 'book:*', 'book:*:*'];
const readBooks = ['book:read', 'book:*:read'];
const readBook1 = ['book:1:read'];
const levels = [everything, allBooks, readBooks, readBook1];

describe('missingScopes', () => {
  // A level covers itself in all its spellings, and every level below; never one above.
  const table = levels.flatMap((above, high) =>
    levels.flatMap((below, low) =>
      above.flatMap((one) => below.map((other) => [one, other, high <= low] as const)),
    ),
  );

  it.each(table.filter(([, , covered]) => covered))('lets %s cover %s', (granted, demanded) => {
    expect(covers(granted, demanded)).toBe(true);
  });

  it.each(table.filter(([, , covered]) => !covered))(
    'does not let %s cover %s',
    (granted, demanded) => {
      expect(covers(granted, demanded)).toBe(false);
    },
  );

  it.each([
    ['book', 'bookshelf'],
    ['book', 'Book'],
    ['book:read', 'book:write'],
    ['book:read', 'book:readonly'],
    ['book:read', 'pen:read'],
    ['book:1:read', 'book:2:read'],
    ['book:1:read', 'book:1:write'],
    ['book:1:read', 'book:1'],
    ['book:1', 'book:1:read'],
    ['book:1:*', 'book:2:read'],
    ['*:read', 'book:write'],
    ['*:read', 'book'],
    ['*:1:read', 'book:2:read'],
    ['b*', 'book'],
    ['**', 'book'],
    ['book:re*', 'book:read'],
    ['book', '*'],
    ['', 'book'],
    [':', 'book'],
  ])('does not let %j cover %j', (granted, demanded) => {
    expect(covers(granted, demanded)).toBe(false);
  });

  it.each([
    ['*:read', 'book:read'],
    ['*:read', 'book:1:read'],
    ['*:1:read', 'book:1:read'],
    ['book:1:*', 'book:1:read'],
    ['book:1:*', 'book:1:*'],
    ['*', 'openid'],
  ])('lets %j cover %j', (granted, demanded) => {
    expect(covers(granted, demanded)).toBe(true);
  });

  const odd = [
    'urn:a:b:c:d',
    'urn:example:scope:read',
    'https://api.example.com/read',
    'https://api.example.com:8443/read:all',
    'book:',
    'book::read',
    'book:1:',
    ':read',
    ':',
    '::',
    '',
    '*:',
    ':*',
    '*::*',
    '*:*:*:*',
  ];

  it.each(odd)('lets the odd scope %j cover itself', (scope) => {
    expect(covers(scope, scope)).toBe(true);
  });

  it.each(odd.flatMap((one) => odd.filter((two) => two !== one).map((two) => [one, two])))(
    'does not let the odd scope %j cover %j',
    (granted = '', demanded = '') => {
      expect(covers(granted, demanded)).toBe(false);
    },
  );

  it.each(odd)('grants nothing in GenAuth’s form by the odd scope %j', (scope) => {
    const form = ['book', 'book:read', 'book:1:read', 'urn', 'urn:a', 'https:read', '*', '*:*'];
    expect(missingScopes([scope], form)).toEqual(form);
  });

  it.each(odd.filter((scope) => !/^https:[^:]+(:[^:]+)?$/.test(scope)))(
    'does not let a wildcard cover the odd scope %j',
    (scope) => {
      expect(missingScopes(everything, [scope])).toEqual([scope]);
    },
  );

  it.each(['openid', 'profile', 'external_id', 'offline_access'])(
    'lets the OIDC scope %s cover itself and no other',
    (scope) => {
      expect(missingScopes([scope], [scope, 'email', 'phone'])).toEqual(['email', 'phone']);
    },
  );

  it('takes every demanded scope, and any granted one for each', () => {
    const granted = ['openid', 'book:read', 'pen'];
    expect(missingScopes(granted, ['book:7:read', 'pen:write', 'openid'])).toEqual([]);
    expect(missingScopes(granted, ['book:read', 'book:write', 'ink'])).toEqual([
      'book:write',
      'ink',
    ]);
  });

  it('does not put two grants together to make a third', () => {
    expect(covers('book:1:read', 'book:1:write')).toBe(false);
    expect(missingScopes(['book:1:read', 'pen:2:write'], ['book:2:read'])).toEqual(['book:2:read']);
  });

  it('misses nothing where nothing is demanded, and everything where nothing is granted', () => {
    expect(missingScopes([], [])).toEqual([]);
    expect(missingScopes(['book'], [])).toEqual([]);
    expect(missingScopes([], ['book', 'pen'])).toEqual(['book', 'pen']);
  });

  it.each(['__proto__', 'constructor', 'toString'])('knows no scope called %s by birth', (name) => {
    expect(covers('book', name)).toBe(false);
    expect(covers(name, 'book')).toBe(false);
  });

  it('is a partial order on scopes in GenAuth’s form: what covers, covers what that covers', () => {
    const part = fc.constantFrom('*', 'a', 'b');
    const scope = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join(':'));
    fc.assert(
      fc.property(scope, scope, scope, (one, two, three) => {
        expect(covers(one, one)).toBe(true);
        if (covers(one, two) && covers(two, three)) expect(covers(one, three)).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('never grants less when more is granted', () => {
    const part = fc.constantFrom('*', 'a', 'b', '');
    const scope = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(':'));
    const scopes = fc.array(scope, { maxLength: 4 });
    fc.assert(
      fc.property(scopes, scopes, scopes, (some, more, demanded) => {
        const missing = missingScopes(some, demanded);
        expect(missing).toEqual(
          expect.arrayContaining(missingScopes([...some, ...more], demanded)),
        );
      }),
    );
  });
});
