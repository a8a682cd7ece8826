import { describe, expect, it } from '@jest/globals';

import { isEarlier } from './stream-id.js';

describe('ids', () => {
  it.each([
    ['9-0', '10-0', true],
    ['10-9', '10-10', true],
    ['10-0', '10-0', false],
    ['11-0', '10-5', false],
  ])('are ordered as numbers: %s is earlier than %s: %s', (id, other, expected) => {
    expect(isEarlier(id, other)).toBe(expected);
  });
});
