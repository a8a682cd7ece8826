import { isUtf8 } from 'node:buffer';

import { TokenError } from '../core/errors.js';
import { type JsonObject, readJsonObject } from '../core/json.js';
import { type Digest, opaqueKey, signedKey } from '../core/revocation.js';

/** Longest token that is looked at, in characters. */
export const LONGEST_TOKEN = 16 * 1024;

/** A signed JWT in its one accepted spelling. Nothing in it has been believed yet. */
export interface JwsToken {
  readonly form: 'jws';
  readonly text: string;
  /** Identity for revocation: a digest of the signed characters. */
  readonly id: Digest;
  readonly header: JsonObject;
  readonly claims: JsonObject;
  /** What the signature is over (RFC 7515 §5.2). */
  readonly signingInput: string;
  readonly signature: Buffer;
}

/** A token only its issuer can read. */
export interface OpaqueToken {
  readonly form: 'opaque';
  readonly text: string;
  readonly id: Digest;
}

export type Token = JwsToken | OpaqueToken;

/**
 * Reads a token: a strict compact JWS (RFC 7515 §7.1), or opaque when it has nothing of a JOSE object.
 *
 * @throws {TokenError} not a `b64token` (RFC 6750 §2.1), too long, or a JOSE object in any but the one
 *   accepted spelling
 */
export function readToken(text: string): Token {
  refuseUnhashable(text);
  try {
    return read(text);
  } catch (error) {
    refuseForeignCharacters(text);
    throw error;
  }
}

/** As `readToken`; undefined for what is no token. */
export function readIfToken(text: string): Token | undefined {
  try {
    return readToken(text);
  } catch (error) {
    if (error instanceof TokenError) return undefined;
    throw error;
  }
}

function refuseForeignCharacters(text: string): void {
  if (isBearerText(text)) return;
  throw new TokenError('malformed', 'characters that RFC 6750 §2.1 does not allow');
}

function read(text: string): Token {
  if (isOpaque(text)) {
    // What is canonical base64url has no other characters anyway.
    refuseForeignCharacters(text);
    return { form: 'opaque', text, id: opaqueKey(text) };
  }
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (second < 0) throw new TokenError('malformed', 'a compact JWS has three segments');
  if (text.includes('.', second + 1)) {
    throw new TokenError('encrypted', 'more than three segments: a JWE, or no token at all');
  }
  const signingInput = text.slice(0, second);
  return {
    form: 'jws',
    text,
    id: signedKey(signingInput),
    header: readHeader(text.slice(0, first)),
    claims: readSegment(text.slice(first + 1, second), 'payload'),
    signingInput,
    signature: decode(text.slice(second + 1), 'signature'),
  };
}

/**
 * The text in its one accepted spelling, as far as its signature goes: whoever revokes a re-spelled copy
 * revokes the token.
 */
export function respelled(text: string): string {
  const [header, payload, signature, ...more] = text.split('.', 4);
  if (header === undefined || payload === undefined || !signature || more.length > 0) return text;
  return `${header}.${payload}.${Buffer.from(signature, 'base64url').toString('base64url')}`;
}

/** Whether the text is a `b64token` (RFC 6750 §2.1). */
export function isBearerText(text: unknown): text is string {
  return typeof text === 'string' && /^[A-Za-z0-9\-._~+/]+=*$/.test(text);
}

/** @throws {TokenError} nothing that could be a token, or longer than anything that is looked at */
export function refuseUnhashable(text: string): void {
  if (typeof text !== 'string' || text === '') {
    throw new TokenError('malformed', 'a token is a string that is not empty');
  }
  if (text.length > LONGEST_TOKEN) {
    throw new TokenError('oversized', `longer than ${LONGEST_TOKEN} characters`);
  }
}

/** Whether it has nothing of a JOSE object. */
export function isOpaque(text: string): boolean {
  const first = text.indexOf('.');
  if (first < 0) return true;
  // How base64url writes the beginning of a JSON object. Without a dot it is chance.
  return !text.includes('.', first + 1) && !/^(?:eyJ|e30)/.test(text);
}

/** The last header that was read: an issuer writes the same one each time. */
let last: { readonly segment: string; readonly header: JsonObject } | undefined;

function readHeader(segment: string): JsonObject {
  if (segment === last?.segment) return last.header;
  const header = readSegment(segment, 'header');
  // A slice of a string holds on to the whole of it, and no token is kept in memory.
  last = { segment: Buffer.from(segment, 'latin1').toString('latin1'), header };
  return header;
}

function readSegment(segment: string, name: string): JsonObject {
  const bytes = decode(segment, name);
  if (!isUtf8(bytes)) throw new TokenError('not_json', `the ${name} is not UTF-8`);
  const value = readJsonObject(bytes.toString());
  if (value === undefined) throw new TokenError('not_json', `the ${name} is not a JSON object`);
  if (value === 'duplicate') {
    throw new TokenError('duplicate_member', `the ${name} names a member twice`);
  }
  return value;
}

/** Canonical base64url only (RFC 4648 §3.5): no padding, and the bits to spare are zero. */
function decode(segment: string, name: string): Buffer {
  const bytes = Buffer.from(segment, 'base64url');
  if (segment === '' || bytes.toString('base64url') !== segment) {
    throw new TokenError('not_canonical', `the ${name} is not canonical base64url`);
  }
  return bytes;
}
