import type { CanActivate, ExecutionContext, Type } from '@nestjs/common';
import { Injectable } from '@nestjs/common';
import { type KeyObject, verify } from 'node:crypto';

import { type Issuer, publicKeyOf } from '../common/identity.js';
import type { Protection } from '../requests/peer-guards.js';

/** A token, cut where its signature begins. */
interface Signed {
  readonly input: Buffer;
  readonly signature: Buffer;
}

type Check = (signed: Signed) => boolean | Promise<boolean>;

function inline(key: KeyObject): Check {
  return ({ input, signature }) => verify('sha256', input, key, signature);
}

/** Everything that arrives in one turn of the event loop is verified at its end, in one go. */
function batched(key: KeyObject): Check {
  let waiting: (readonly [Signed, (isGood: boolean) => void])[] = [];
  const verifyAll = () => {
    const batch = waiting;
    waiting = [];
    for (const [{ input, signature }, resolve] of batch) {
      resolve(verify('sha256', input, key, signature));
    }
  };
  return (signed) =>
    new Promise((resolve) => {
      if (waiting.length === 0) setImmediate(verifyAll);
      waiting.push([signed, resolve]);
    });
}

/** In the thread pool. */
function callback(key: KeyObject): Check {
  return ({ input, signature }) =>
    new Promise((resolve, reject) => {
      verify('sha256', input, key, signature, (error, isGood) => {
        if (error) reject(error);
        else resolve(isGood);
      });
    });
}

/** A guard that looks at the signature alone. */
function guardWith(check: Check): Type<CanActivate> {
  @Injectable()
  class SignatureGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean | Promise<boolean> {
      const { headers } = context
        .switchToHttp()
        .getRequest<{ headers: { authorization: string } }>();
      const token = headers.authorization.slice('Bearer '.length);
      const end = token.lastIndexOf('.');
      return check({
        input: Buffer.from(token.slice(0, end), 'latin1'),
        signature: Buffer.from(token.slice(end + 1), 'base64url'),
      });
    }
  }
  return SignatureGuard;
}

/** Three ways to call `crypto.verify`. */
export const WAYS = {
  inline: (issuer: Issuer): Protection => ({
    guard: guardWith(inline(publicKeyOf(issuer, 'RS256'))),
  }),
  batched: (issuer: Issuer): Protection => ({
    guard: guardWith(batched(publicKeyOf(issuer, 'RS256'))),
  }),
  callback: (issuer: Issuer): Protection => ({
    guard: guardWith(callback(publicKeyOf(issuer, 'RS256'))),
  }),
};

export type SignatureWay = keyof typeof WAYS;
