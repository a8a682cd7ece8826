import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { KeyGroups } from './key-groups.js';

describe('KeyGroups', () => {
  it('knows the keys of each name, whatever was added and removed', () => {
    const change = fc.record({
      adds: fc.boolean(),
      name: fc.constantFrom('a', 'b'),
      key: fc.constantFrom('1', '2', '3'),
    });
    fc.assert(
      fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
        const groups = new KeyGroups();
        const plain = { a: new Set<string>(), b: new Set<string>() };
        for (const { adds, name, key } of changes) {
          if (adds) groups.add(name, key);
          else groups.remove(name, key);
          const keys = plain[name as 'a' | 'b'];
          if (adds) keys.add(key);
          else keys.delete(key);
        }
        for (const name of ['a', 'b'] as const) {
          expect(new Set(groups.of(name))).toEqual(plain[name]);
        }
      }),
    );
  });
});
