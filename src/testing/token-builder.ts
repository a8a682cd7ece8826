import { randomBytes, type KeyObject } from 'node:crypto';
import type { FakeApplication } from './application.js';
import { segment, signatureOf, type TokenAlgorithm } from './compact-token.js';
import { newSigningKey, type SigningAlgorithm, type SigningKey } from './signing-keys.js';

/** How a built token departs from a good one; everything left out is as GenAuth does it. */
export interface TokenOptions {
  /** Header members to add or replace; one set to `undefined` is left out. */
  header?: Record<string, unknown>;
  /** @default the algorithm of the application's current key */
  alg?: TokenAlgorithm;
  /** Signs instead of the application's own key; a string or bytes are the secret of HS256. */
  key?: KeyObject | string | Buffer;
  /** Written into the header; `null` leaves it out. @default the id of the application's key */
  kid?: string | null;
  /** `false` leaves the signature empty. */
  sign?: boolean;
  /** Whose token it is. @default the first application */
  appId?: string;
  /** Whether the server remembers it, so that it can be introspected and revoked. @default false */
  register?: boolean;
  /** The header's text in place of everything above. */
  rawHeader?: string;
  /** The payload's text in place of the claims. */
  rawPayload?: string;
}

const foreignKeys = new Map<SigningAlgorithm, SigningKey>();

/** A private key that no stand-in publishes; the same one each time. */
export function foreignKey(alg: SigningAlgorithm = 'RS256'): KeyObject {
  const key = foreignKeys.get(alg) ?? newSigningKey(alg);
  foreignKeys.set(alg, key);
  return key.privateKey;
}

/** Signs the claims as the application would, or as the options want it. */
export function buildToken(
  application: FakeApplication,
  claims: Record<string, unknown>,
  options: TokenOptions = {},
): { token: string; key: SigningKey | undefined } {
  const alg = options.alg ?? application.keys.current.alg;
  const own = ownKey(application, alg);
  const header = options.rawHeader ?? headerText(alg, own ?? application.keys.current, options);
  const payload = options.rawPayload ?? JSON.stringify(claims);
  const content = `${segment(header)}.${segment(payload)}`;
  if (options.sign === false) return { token: `${content}.`, key: undefined };
  const key = options.key ?? keyFor(alg, own, application);
  const token = `${content}.${signatureOf(alg, key, content)}`;
  return { token, key: options.key === undefined ? own : undefined };
}

/** The claims of an access token as GenAuth orders them; those given replace, add, or (undefined) leave out. */
export function accessClaims(standard: {
  sub: string | undefined;
  now: number;
  lifetime: number;
  scope: string;
  iss: string;
  aud: string;
  azp?: string;
  claims: Readonly<Record<string, unknown>>;
}): Record<string, unknown> {
  const { sub, now, lifetime, scope, iss, aud, azp, claims } = standard;
  const iat = Math.floor(now / 1000);
  const all = { jti: urlSafe(21), sub, iat, exp: iat + lifetime, scope, iss, aud, azp, ...claims };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Random characters of the base64url alphabet. */
export function urlSafe(length: number): string {
  return randomBytes(length).toString('base64url').slice(0, length);
}

function headerText(alg: TokenAlgorithm, key: SigningKey, options: TokenOptions): string {
  const kid = options.kid === undefined ? key.kid : options.kid;
  return JSON.stringify({ alg, typ: 'JWT', ...(kid !== null && { kid }), ...options.header });
}

function ownKey(application: FakeApplication, alg: TokenAlgorithm): SigningKey | undefined {
  const { all, current } = application.keys;
  if (current.alg === alg) return current;
  const newestFirst = [...all].reverse();
  const type = keyTypeOf(alg);
  const fits = (key: SigningKey) => key.privateKey.asymmetricKeyType === type;
  return newestFirst.find((key) => key.alg === alg) ?? newestFirst.find(fits);
}

function keyFor(
  alg: TokenAlgorithm,
  own: SigningKey | undefined,
  application: FakeApplication,
): KeyObject | string {
  if (alg === 'HS256') return application.appSecret;
  if (alg === 'none') return '';
  return own?.privateKey ?? foreignKey(alg);
}

function keyTypeOf(alg: TokenAlgorithm): string | undefined {
  if (alg === 'HS256' || alg === 'none') return undefined;
  return { RS256: 'rsa', PS256: 'rsa', ES256: 'ec', EdDSA: 'ed25519' }[alg];
}
