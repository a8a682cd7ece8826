import { type KeyObject, verify } from 'node:crypto';

import { AuthenticationClient } from 'authing-node-sdk';
import { createLocalJWKSet, jwtVerify } from 'jose';

import { type Algorithm, type Issuer, publicKeyOf } from '../common/identity.js';
import { peer } from '../common/peers.js';
import { CRYPTO_VERIFY } from './names.js';

/** Judges one token: throws or rejects when it is not good. */
export type Verify = (token: string) => unknown;

/** Somebody who verifies tokens, and what it leaves out that the others check. */
export interface Verifier {
  readonly name: string;
  readonly note?: string;
  readonly algorithms: readonly Algorithm[];
  /** Many tens of microseconds each: fewer operations do. */
  readonly slow?: boolean;
  make(issuer: Issuer, alg: Algorithm): Verify;
}

const ALL: readonly Algorithm[] = ['RS256', 'ES256', 'EdDSA'];

/** The limit for a token not seen before: its signature, and nothing else. */
export function signatureOnly(key: KeyObject, alg: Algorithm): Verify {
  const digest = alg === 'EdDSA' ? null : 'sha256';
  const scheme = { key, dsaEncoding: 'ieee-p1363' } as const;
  return (token) => {
    const end = token.lastIndexOf('.');
    const signature = Buffer.from(token.slice(end + 1), 'base64url');
    if (!verify(digest, Buffer.from(token.slice(0, end), 'latin1'), scheme, signature)) {
      throw new Error('signature');
    }
  };
}

const cryptoVerify: Verifier = {
  name: CRYPTO_VERIFY,
  note: 'the signature and nothing else',
  algorithms: ALL,
  make: (issuer, alg) => signatureOnly(publicKeyOf(issuer, alg), alg),
};

const jose: Verifier = {
  name: 'jose',
  algorithms: ALL,
  slow: true,
  make(issuer, alg) {
    const keys = createLocalJWKSet({ keys: [...issuer.jwks.keys] });
    const options = {
      issuer: issuer.issuer,
      audience: issuer.application.appId,
      algorithms: [alg],
    };
    return (token) => jwtVerify(token, keys, options);
  },
};

interface JsonWebToken {
  verify(token: string, key: KeyObject, options: object): unknown;
}

const jsonwebtoken: Verifier = {
  name: 'jsonwebtoken',
  note: 'one fixed key',
  algorithms: ['RS256', 'ES256'],
  make(issuer, alg) {
    const { verify: check } = peer<JsonWebToken>('jsonwebtoken');
    const key = publicKeyOf(issuer, alg);
    const options = {
      issuer: issuer.issuer,
      audience: issuer.application.appId,
      algorithms: [alg],
    };
    return (token) => check(token, key, options);
  },
};

interface FastJwt {
  createVerifier(options: object): Verify;
}

function fastJwt(name: string, cache: number | undefined, note: string): Verifier {
  return {
    name,
    note,
    algorithms: ALL,
    make: (issuer, alg) =>
      peer<FastJwt>('fast-jwt').createVerifier({
        key: publicKeyOf(issuer, alg).export({ type: 'spki', format: 'pem' }),
        algorithms: [alg],
        allowedIss: issuer.issuer,
        allowedAud: issuer.application.appId,
        ...(cache !== undefined && { cache, cacheTTL: 86_400_000 }),
      }),
  };
}

interface AwsJwtVerify {
  JwtVerifier: {
    create(options: object): { cacheJwks(jwks: object): void; verifySync: Verify };
  };
}

const awsJwtVerify: Verifier = {
  name: 'aws-jwt-verify',
  algorithms: ALL,
  make(issuer) {
    const verifier = peer<AwsJwtVerify>('aws-jwt-verify').JwtVerifier.create({
      issuer: issuer.issuer,
      audience: issuer.application.appId,
      jwksUri: issuer.jwksUri,
    });
    verifier.cacheJwks(issuer.jwks);
    return (token) => verifier.verifySync(token);
  },
};

type Middleware = (request: object, response: object, next: (error?: unknown) => void) => void;

const bearerMiddleware: Verifier = {
  name: 'express-oauth2-jwt-bearer',
  note: 'as its Express middleware: its verifier is not exported',
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  slow: true,
  make(issuer) {
    const { auth } = peer<{ auth(options: object): Middleware }>('express-oauth2-jwt-bearer');
    const middleware = auth({
      issuer: issuer.issuer,
      audience: issuer.application.appId,
      jwksUri: issuer.jwksUri,
    });
    const plain = { method: 'GET', protocol: 'http', originalUrl: '/me', is: () => false };
    const get = () => 'localhost';
    return (token) =>
      new Promise<void>((resolve, reject) => {
        const headers = { host: 'localhost', authorization: `Bearer ${token}` };
        middleware({ ...plain, get, headers, query: {}, body: {} }, {}, (error) => {
          if (error === undefined) resolve();
          else reject(error as Error);
        });
      });
  },
};

const authing: Verifier = {
  name: 'authing-node-sdk',
  note: 'fetches the keys each time; checks neither issuer, audience nor expiry',
  algorithms: ['RS256'],
  slow: true,
  make(issuer) {
    const client = new AuthenticationClient({ ...issuer.application, redirectUri: 'http://x' });
    return (token) => client.parseAccessToken(token);
  },
};

/** Everybody but ourselves. The note says what is not checked. */
export const VERIFIERS: readonly Verifier[] = [
  cryptoVerify,
  jose,
  jsonwebtoken,
  fastJwt('fast-jwt', undefined, 'one fixed key'),
  fastJwt(
    'fast-jwt, cached',
    100_000,
    'remembers without asking again who was revoked; one fixed key',
  ),
  awsJwtVerify,
  bearerMiddleware,
  authing,
];

export const ONLY_LIMIT: readonly Verifier[] = [cryptoVerify];

/** Where no peers are installed. */
export const LIMITS: readonly Verifier[] = [cryptoVerify, jose];
