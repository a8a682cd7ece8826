import { afterEach, describe, expect, it } from '@jest/globals';

import {
  BearerRequestError,
  failed,
  GenAuthOptionsError,
  GenAuthUnavailableError,
  InsufficientScopeError,
  TokenError,
  withoutStack,
} from './errors.js';

const isTraced = ({ stack = '' }: Error): boolean => /^\s+at /m.test(stack);

const property = Object.getOwnPropertyDescriptor(Error, 'stackTraceLimit') as PropertyDescriptor;
afterEach(() => void Object.defineProperty(Error, 'stackTraceLimit', property));

describe('errors', () => {
  it.each([
    new TokenError('expired', 'x'),
    new InsufficientScopeError(['a']),
    new GenAuthUnavailableError('busy', 'x'),
    new BearerRequestError('x'),
  ])('$name, a verdict on a request, says what it is and writes down no stack', (error) => {
    expect(isTraced(error)).toBe(false);
    expect(error.stack).toContain(error.message);
    expect(error.name).toBe(error.constructor.name);
  });

  it('of the application’s own doing say where they come from', () => {
    expect(isTraced(new GenAuthOptionsError(['x']))).toBe(true);
    expect(isTraced(failed('stopped', 'x'))).toBe(true);
  });

  it('leave the stacks of everybody else as long as they were', () => {
    Error.stackTraceLimit = 3;
    expect(isTraced(new TokenError('expired', 'x'))).toBe(false);
    expect(() =>
      withoutStack(() => {
        throw new RangeError('made in vain');
      }),
    ).toThrow(RangeError);
    expect(Error.stackTraceLimit).toBe(3);
    expect(isTraced(new Error('another'))).toBe(true);
  });

  it('are made all the same where the application has frozen how long stacks are', () => {
    Object.defineProperty(Error, 'stackTraceLimit', { value: 5, writable: false });
    expect(new TokenError('expired', 'x').reason).toBe('expired');
    expect(withoutStack(() => new RangeError('x'))).toBeInstanceOf(RangeError);
    expect(Error.stackTraceLimit).toBe(5);
  });
});
