import { describe, it, expect } from '@jest/globals';
import fc from 'fast-check';

import { TokenError, type TokenRefusal } from '../core/errors.js';
import { LONGEST_TOKEN, readToken, respelled, type JwsToken } from './compact-jws.js';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function segment(text: string | Buffer): string {
  return Buffer.from(text as string).toString('base64url');
}

function compact(header: string | Buffer, payload: string | Buffer, signature = 'c2ln'): string {
  return `${segment(header)}.${segment(payload)}.${signature}`;
}

function refusalOf(text: string): TokenRefusal | undefined {
  try {
    readToken(text);
    return undefined;
  } catch (error) {
    if (error instanceof TokenError) return error.reason;
    throw error;
  }
}

function readJws(text: string): JwsToken {
  const token = readToken(text);
  if (token.form !== 'jws') throw new Error('read as an opaque token');
  return token;
}

/** The same bytes, but for the bits of the last character that belong to no byte. */
function withSpareBits(text: string): string {
  const last = ALPHABET.indexOf(text.at(-1) ?? '');
  return text.slice(0, -1) + ALPHABET.charAt(last ^ 1);
}

// 13 and 14 bytes: each segment leaves four and two bits to spare.
const HEADER = '{"alg":"X" }'.padEnd(13);
const PAYLOAD = '{"sub":"a1" }'.padEnd(13);
const GOOD = compact(HEADER, PAYLOAD, segment('signature.....'));
const [H, P, S] = GOOD.split('.') as [string, string, string];

describe('readToken', () => {
  it('reads header, claims, signing input and signature of a compact JWS', () => {
    const token = readJws(GOOD);
    expect(token.header).toEqual({ alg: 'X' });
    expect(token.claims).toEqual({ sub: 'a1' });
    expect(token.signingInput).toBe(`${H}.${P}`);
    expect(token.signature).toEqual(Buffer.from('signature.....'));
    expect(token.text).toBe(GOOD);
  });

  it.each<[string, string, TokenRefusal]>([
    ['spare bits set in the header', `${withSpareBits(H)}.${P}.${S}`, 'not_canonical'],
    ['spare bits set in the payload', `${H}.${withSpareBits(P)}.${S}`, 'not_canonical'],
    ['spare bits set in the signature', `${H}.${P}.${withSpareBits(S)}`, 'not_canonical'],
    ['padding after the header', `${H}==.${P}.${S}`, 'malformed'],
    ['padding after the payload', `${H}.${P}==.${S}`, 'malformed'],
    ['padding after the signature', `${GOOD}=`, 'not_canonical'],
    ['full padding after the signature', `${GOOD}==`, 'not_canonical'],
    ['a line feed at the end', `${GOOD}\n`, 'malformed'],
    ['a space at the end', `${GOOD} `, 'malformed'],
    ['a space at the beginning', ` ${GOOD}`, 'malformed'],
    ['a tab inside', `${H}.${P.slice(0, 4)}\t${P.slice(4)}.${S}`, 'malformed'],
    ['a line break inside', `${H}.\r\n${P}.${S}`, 'malformed'],
    ['a NUL inside', `${H}.${P}\0.${S}`, 'malformed'],
    ['a character beyond ASCII', `${H}.${P}.${S}é`, 'malformed'],
    ['a percent escape', `${H}%2E${P}.${S}`, 'malformed'],
    ['the alphabet of base64 in the signature: +', `${H}.${P}.ab+/`, 'not_canonical'],
    ['the alphabet of base64 in the signature: /', `${H}.${P}.a//b`, 'not_canonical'],
    ['~, a b64token character but no base64url', `${H}.${P}.ab~c`, 'not_canonical'],
    ['an empty header', `.${P}.${S}`, 'not_canonical'],
    ['an empty payload', `${H}..${S}`, 'not_canonical'],
    ['an empty signature', `${H}.${P}.`, 'not_canonical'],
    ['nothing but dots', '..', 'not_canonical'],
    ['a segment of 4n+1 characters', `${H}.${P}.abcde`, 'not_canonical'],
    ['two segments', `${H}.${P}`, 'malformed'],
    ['four segments', `${GOOD}.${S}`, 'encrypted'],
    ['five segments, a JWE', `${GOOD}.${S}.${S}`, 'encrypted'],
    ['a dot at the end', `${GOOD}.`, 'encrypted'],
    ['a thousand dots', `${H}${'.'.repeat(1_000)}`, 'encrypted'],
    ['JSON serialisation', `{"payload":"${P}","protected":"${H}","signature":"${S}"}`, 'malformed'],
    ['an empty string', '', 'malformed'],
    ['nothing but padding', '==', 'malformed'],
  ])('refuses %s', (_, text, reason) => {
    expect(refusalOf(text)).toBe(reason);
  });

  it('refuses what is no string at all', () => {
    for (const text of [undefined, null, 7, ['a'], { length: 3 }] as unknown[]) {
      expect(refusalOf(text as string)).toBe('malformed');
    }
  });

  it('reads a token of exactly the longest length and refuses one character more', () => {
    const rest = LONGEST_TOKEN - H.length - P.length - 2;
    const longest = `${H}.${P}.${'A'.repeat(rest)}`;
    expect(longest).toHaveLength(16 * 1024);
    expect(refusalOf(longest)).toBeUndefined();
    expect(refusalOf(`${longest}A`)).toBe('oversized');
    expect(refusalOf('a'.repeat(LONGEST_TOKEN + 1))).toBe('oversized');
  });

  it.each<[string, string | Buffer, TokenRefusal]>([
    ['bytes that are not UTF-8', Buffer.from('7b2261223a22ff227d', 'hex'), 'not_json'],
    ['an overlong UTF-8 form', Buffer.from('7b2261223a22c0af227d', 'hex'), 'not_json'],
    ['a surrogate written in UTF-8', Buffer.from('7b2261223a22eda080227d', 'hex'), 'not_json'],
    ['a byte order mark', '\uFEFF{"a":1}', 'not_json'],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le'), 'not_json'],
    ['an array', '[1]', 'not_json'],
    ['a string', '"a"', 'not_json'],
    ['a number', '123', 'not_json'],
    ['null', 'null', 'not_json'],
    ['two values', '{"a":1}{"b":2}', 'not_json'],
    ['a trailing comma', '{"a":1,}', 'not_json'],
    ['a comment', '{"a":1/**/}', 'not_json'],
    ['NaN', '{"a":NaN}', 'not_json'],
    ['single quotes', "{'a':1}", 'not_json'],
    ['no JSON', 'hello, world', 'not_json'],
    ['a member named twice', '{"a":1,"a":1}', 'duplicate_member'],
    ['a member named twice by an escape', '{"a":1,"\\u0061":2}', 'duplicate_member'],
    ['a nested member named twice', '{"o":{"a":1,"b":[{"c":1,"c":2}]}}', 'duplicate_member'],
    ['__proto__ named twice', '{"__proto__":1,"__proto__":2}', 'duplicate_member'],
    ['a twin hidden behind quotes', '{"a\\"b":":","a\\"b":2}', 'duplicate_member'],
  ])('refuses %s, in the header and in the payload', (_, text, reason) => {
    expect(refusalOf(compact(text, '{"a":1}'))).toBe(reason);
    expect(refusalOf(compact('{"alg":"X"}', text))).toBe(reason);
  });

  it('reads names that differ, however alike they look', () => {
    const text = '{"a":1,"A":2,"a ":3,"\\"a\\"":":::","o":{"a":1},"":0}';
    expect(readJws(compact('{"alg":"X"}', text)).claims).toEqual(JSON.parse(text));
  });

  it('reads any JSON object as JSON.parse does, and freezes it all the way down', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (claims) => {
        delete claims['__proto__'];
        const text = compact('{"alg":"X"}', JSON.stringify(claims));
        if (text.length > LONGEST_TOKEN) return;
        const read = readJws(text).claims;
        expect(JSON.stringify(read)).toBe(withoutProto(JSON.stringify(claims)));
        expect(isFrozenDeeply(read)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('drops __proto__, so that copying the claims changes no prototype', () => {
    const { claims } = readJws(compact('{"alg":"X"}', '{"__proto__":{"admin":true},"a":{"b":1}}'));
    expect(Object.hasOwn(claims, '__proto__')).toBe(false);
    expect(Object.assign({}, claims)).not.toHaveProperty('admin');
    expect({}).not.toHaveProperty('admin');
  });

  it('refuses the deepest nesting that fits into a token', () => {
    const depth = 5_000;
    const text = `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    expect(refusalOf(compact('{"alg":"X"}', text))).toBe('not_json');
  });

  it('answers any string whatever with a token or a TokenError, nothing else', () => {
    const characters = fc.constantFrom(
      ...ALPHABET.split(''),
      '.',
      '.',
      '=',
      '+',
      '/',
      '~',
      ' ',
      'é',
      '\0',
    );
    const near = fc.string({ unit: characters, maxLength: 60 });
    fc.assert(
      fc.property(
        fc.oneof(
          near,
          near.map((tail) => `eyJ${tail}`),
          fc.string(),
        ),
        (text) => {
          const reason = refusalOf(text);
          expect(reason === undefined || typeof reason === 'string').toBe(true);
        },
      ),
      { numRuns: 3_000 },
    );
  });

  it('accepts no second spelling of the same three segments', () => {
    const spoil = fc.tuple(fc.nat(GOOD.length), fc.constantFrom('=', '\n', ' ', '+', '/', '%', ''));
    fc.assert(
      fc.property(spoil, fc.boolean(), ([at, junk], spare) => {
        const text = GOOD.slice(0, at) + junk + GOOD.slice(at);
        const spelt = spare ? withSpareBits(text) : text;
        if (spelt === GOOD || refusalOf(spelt) !== undefined) return;
        const bytes = (one: string): string[] =>
          one.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex'));
        expect(bytes(spelt)).not.toEqual(bytes(GOOD));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('what counts as opaque', () => {
  it.each([
    ['43 characters of base64url', 'vV4yJw1Rz0aG8Qk2n7s5XcUe3TtLhB9dMfPoIiKqWuE'],
    ['40 hexadecimal digits', '0123456789abcdef0123456789abcdef01234567'],
    ['every character of a b64token', 'AZaz09-._~+/=='],
    ['two segments that begin like no JSON object', 'abc.def'],
    ['one character', 'x'],
    ['40 hexadecimal digits that begin like a JSON object', `e30${'0'.repeat(37)}`],
  ])('reads %s as opaque', (_, text) => {
    expect(readToken(text)).toMatchObject({ form: 'opaque', text });
  });

  it.each([
    ['begins like a JSON object, with a dot', 'eyJhbGciOiJub25lIn0.'],
    ['begins like an empty JSON object', 'e30.e30'],
    ['has three segments', 'abc.def.ghi'],
    ['has five segments', 'a.b.c.d.e'],
  ])('never takes for opaque what %s', (_, text) => {
    expect(refusalOf(text)).toBeDefined();
  });

  it('tells tokens apart, of one form and across forms', () => {
    const ids = ['abc', 'abd', 'abc=', GOOD, compact(HEADER, '{"sub":"a2"}')].map(
      (text) => readToken(text).id,
    );
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^[\w-]{22}$/.test(id))).toBe(true);
  });
});

describe('the identity of a JWT', () => {
  it('is that of what was signed: another signature over it changes nothing', () => {
    expect(readToken(`${H}.${P}.AAAA`).id).toBe(readToken(GOOD).id);
    expect(readToken(`${H}.${segment('{"sub":"a2"}')}.${S}`).id).not.toBe(readToken(GOOD).id);
  });
});

describe('respelled', () => {
  it.each([
    ['spare bits', withSpareBits(GOOD)],
    ['padding', `${GOOD}=`],
    ['the other alphabet', `${H}.${P}.-_-_`, `${H}.${P}.+/+/`],
  ])('gives the accepted spelling of a signature with %s', (_, ...texts) => {
    const expected = texts.length === 2 ? texts[0] : GOOD;
    expect(respelled(texts.at(-1) as string)).toBe(expected);
  });

  it('leaves alone what is spelt right, and what is no compact JWS', () => {
    for (const text of [GOOD, 'opaque', 'a.b', `${GOOD}.x`, 'a.b.', '', `${GOOD}.x.y`]) {
      expect(respelled(text)).toBe(text);
    }
  });

  it('is done after one time', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...ALPHABET.split(''), '.', '=', '+') }),
        (text) => {
          expect(respelled(respelled(text))).toBe(respelled(text));
        },
      ),
    );
  });
});

function withoutProto(text: string): string {
  return JSON.stringify(strip(JSON.parse(text)));
}

function strip(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => name !== '__proto__');
  return Object.fromEntries(members.map(([name, child]) => [name, strip(child)]));
}

function isFrozenDeeply(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenDeeply);
}
