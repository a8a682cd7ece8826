import { describe, expect, it } from '@jest/globals';

import { InHand, type Presented } from './presented.js';

const at = { wall: 0, mono: 0 };
const presented = (key: string, version: number): Presented => ({ text: key, key, at, version });

/** Work that ends when it is told to. */
function work() {
  let end = (): void => {};
  let fail = (): void => {};
  const done = new Promise<void>((resolve, reject) => {
    end = resolve;
    fail = () => reject(new Error('refused'));
  });
  return { judge: () => done, end, fail };
}

describe('a token in hand', () => {
  it('is as old as the first of those who wait, until the last of them has an answer', async () => {
    const inHand = new InHand();
    const [first, second] = [work(), work()];
    const one = inHand.during(presented('a', 1), first.judge);
    const other = inHand.during(presented('a', 1), second.judge);
    expect([inHand.oldest('a', 5), inHand.oldest('b', 5)]).toEqual([1, 5]);
    first.end();
    await one;
    expect(inHand.oldest('a', 5)).toBe(1);
    second.fail();
    await expect(other).rejects.toThrow('refused');
    expect(inHand.oldest('a', 5)).toBe(5);
  });

  it('is never newer than it is presented', async () => {
    const inHand = new InHand();
    const { judge, end } = work();
    const one = inHand.during(presented('a', 7), judge);
    expect(inHand.oldest('a', 5)).toBe(5);
    end();
    await one;
  });
});
