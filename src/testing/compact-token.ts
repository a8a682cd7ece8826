import { createHmac, type KeyObject } from 'node:crypto';
import { signWith, type SigningAlgorithm } from './signing-keys.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** What a token can say about its own signature; only the first four have key pairs. */
export type TokenAlgorithm = SigningAlgorithm | 'HS256' | 'none';

/** The text of a header or payload as one segment of a compact token. */
export function segment(json: string): string {
  return Buffer.from(json).toString('base64url');
}

/** The signature segment over the first two; empty for `none`. HS256 takes the key as its secret. */
export function signatureOf(
  alg: TokenAlgorithm,
  key: KeyObject | string | Buffer,
  content: string,
): string {
  if (alg === 'none') return '';
  if (alg === 'HS256') return createHmac('sha256', key).update(content).digest('base64url');
  if (typeof key === 'string' || Buffer.isBuffer(key)) {
    throw new Error(`A token with alg ${alg} needs a private KeyObject; a secret fits HS256 only.`);
  }
  return signWith(alg, key, content).toString('base64url');
}

/** Header and payload of a compact token, unverified; nothing when it is not one. */
export function decoded(
  token: string,
): { header: Record<string, unknown>; payload: Record<string, unknown> } | undefined {
  const [header, payload, signature, ...rest] = token.split('.');
  if (signature === undefined || rest.length > 0) return undefined;
  const values = [header, payload].map((part) => jsonObject(part ?? ''));
  return values[0] && values[1] && { header: values[0], payload: values[1] };
}

/**
 * The same token in another spelling: every byte that was signed, and every byte of the signature, is the
 * same, but the spare bits of the last character differ (RFC 4648 §3.5).
 *
 * @throws {Error} the signature fills its characters exactly, so no other spelling exists
 */
export function respelled(token: string): string {
  const signature = token.slice(token.lastIndexOf('.') + 1);
  const spareBits = { 2: 4, 3: 2 }[signature.length % 4];
  if (!spareBits) throw new Error('This token has no spare bits: it cannot be respelled.');
  const last = ALPHABET.indexOf(token.charAt(token.length - 1));
  return token.slice(0, -1) + ALPHABET.charAt(last ^ 1);
}

/**
 * The same signed characters under a second valid ES256 signature: `s` becomes `n - s`.
 *
 * @throws {Error} the signature is not 64 bytes long
 */
export function malleated(token: string): string {
  const cut = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(cut), 'base64url');
  if (signature.length !== 64) throw new Error('Only an ES256 signature can be malleated.');
  const s = BigInt(`0x${signature.toString('hex', 32)}`);
  const other = (P256_ORDER - s).toString(16).padStart(64, '0');
  const bytes = Buffer.concat([signature.subarray(0, 32), Buffer.from(other, 'hex')]);
  return token.slice(0, cut) + bytes.toString('base64url');
}

function jsonObject(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
