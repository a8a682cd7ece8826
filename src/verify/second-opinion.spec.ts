import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

import { describe, it, expect } from '@jest/globals';
import fc from 'fast-check';
import { compactVerify, type JWK } from 'jose';

import { TokenError } from '../core/errors.js';
import type { JsonObject } from '../core/json.js';
import type { ResolvedApplication, SignatureAlgorithm } from '../genauth.options.js';
import { resolveOptions } from '../resolve-options.js';
import { judgeHeader } from './claims.js';
import { readToken } from './compact-jws.js';
import { SigningKey } from './signing-key.js';

const ALGORITHMS: readonly SignatureAlgorithm[] = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

const application = resolveOptions({
  appId: 'app',
  appHost: 'https://example.genauth.ai',
  appSecret: 'secret',
  algorithms: ALGORITHMS,
}).applications[0] as ResolvedApplication;

/** A key that signs, and what its owner publishes of it. */
interface Signer {
  readonly alg: SignatureAlgorithm;
  readonly jwk: JWK;
  readonly token: string;
  readonly sign: (signingInput: string) => string;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const curves = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
};
const edwards = generateKeyPairSync('ed25519');

function pairFor(alg: SignatureAlgorithm): { publicKey: KeyObject; privateKey: KeyObject } {
  if (alg === 'ES256' || alg === 'ES384' || alg === 'ES512') return curves[alg];
  return alg.startsWith('Ed') ? edwards : rsa;
}

function signWith(alg: SignatureAlgorithm, key: KeyObject, signingInput: string): string {
  const digest = alg.startsWith('Ed') ? null : `sha${alg.slice(2)}`;
  const scheme = {
    ...(alg.startsWith('ES') && { dsaEncoding: 'ieee-p1363' as const }),
    ...(alg.startsWith('PS') && {
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }),
  };
  return sign(digest, Buffer.from(signingInput), { key, ...scheme }).toString('base64url');
}

function segment(text: string | Buffer): string {
  return Buffer.from(text as string).toString('base64url');
}

const CLAIMS = { iss: 'https://example.genauth.ai/oidc', sub: 'ü', n: { a: [1, 'x', null] } };

const signers: readonly Signer[] = ALGORITHMS.map((alg) => {
  const { publicKey, privateKey } = pairFor(alg);
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: `kid-${alg}`, alg, use: 'sig' } as JWK;
  const header = { alg, kid: `kid-${alg}`, typ: 'JWT' };
  const content = `${segment(JSON.stringify(header))}.${segment(JSON.stringify(CLAIMS))}`;
  const make = (signingInput: string): string => signWith(alg, privateKey, signingInput);
  return { alg, jwk, token: `${content}.${make(content)}`, sign: make };
});

/** What we take the token to say; undefined when we refuse it. Anything else thrown is a fault. */
async function ours(text: string, jwk: JWK): Promise<JsonObject | undefined> {
  const key = await SigningKey.import(jwk, ALGORITHMS);
  if (!key) return undefined;
  try {
    const token = readToken(text);
    if (token.form !== 'jws') return undefined;
    const alg = judgeHeader(token.header, application);
    return key.verifies(alg, token.signingInput, token.signature) ? token.claims : undefined;
  } catch (error) {
    if (error instanceof TokenError) return undefined;
    throw error;
  }
}

/** The one thing that we leave out on purpose, at any depth. */
function withoutProto(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutProto);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => name !== '__proto__');
  return Object.fromEntries(members.map(([name, child]) => [name, withoutProto(child)]));
}

/** Whether we accept; and when we do, that jose accepts too and reads the same claims. */
async function agrees(text: string, jwk: JWK): Promise<boolean> {
  const claims = await ours(text, jwk);
  if (claims === undefined) return false;
  const { payload, protectedHeader } = await compactVerify(text, jwk);
  const read = new TextDecoder('utf-8', { fatal: true }).decode(payload);
  expect(claims).toEqual(withoutProto(JSON.parse(read)));
  expect(ALGORITHMS).toContain(protectedHeader.alg);
  return true;
}

const signer = fc.constantFrom(...signers);

/** Runs the property and tells how many mutated tokens were accepted. */
async function accepted<T>(
  mutation: fc.Arbitrary<T>,
  build: (input: T) => { text: string; jwk: JWK },
  numRuns: number,
): Promise<number> {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(mutation, async (input) => {
      const { text, jwk } = build(input);
      if (await agrees(text, jwk)) count += 1;
    }),
    { numRuns },
  );
  return count;
}

describe('worked examples, ours and jose', () => {
  const PAYLOAD_7515 =
    'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ';
  const RSA_7515 = {
    kty: 'RSA',
    n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
    e: 'AQAB',
  };
  const EC_7515 = {
    kty: 'EC',
    crv: 'P-256',
    x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
    y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  };
  const A2 = `eyJhbGciOiJSUzI1NiJ9.${PAYLOAD_7515}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`;
  const A3 = `eyJhbGciOiJFUzI1NiJ9.${PAYLOAD_7515}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`;

  it.each([
    ['RFC 7515 A.2, RS256', A2, RSA_7515],
    ['RFC 7515 A.3, ES256', A3, EC_7515],
  ])('accepts %s', async (_, text, jwk) => {
    expect(await ours(text, jwk)).toEqual({
      iss: 'joe',
      exp: 1_300_819_380,
      'http://example.com/is_root': true,
    });
    expect(await agrees(text, jwk)).toBe(true);
  });

  it.each([
    ['RFC 7515 A.2', A2, EC_7515],
    ['RFC 7515 A.3', A3, RSA_7515],
  ])('refuses %s with the key of the other', async (_, text, jwk) => {
    expect(await agrees(text, jwk)).toBe(false);
  });

  it('refuses RFC 7515 A.1, HS256, and A.5, none, with every key', async () => {
    const A1 = `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${PAYLOAD_7515}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`;
    const oct = {
      kty: 'oct',
      k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    };
    const A5 = `eyJhbGciOiJub25lIn0.${PAYLOAD_7515}.`;
    expect(await ours(A1, oct)).toBeUndefined();
    for (const { jwk } of signers) {
      expect(await ours(A1, jwk)).toBeUndefined();
      expect(await ours(A5, jwk)).toBeUndefined();
    }
  });

  const FRODO =
    'SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4';
  const RSA_7520 = {
    kty: 'RSA',
    kid: 'bilbo.baggins@hobbiton.example',
    use: 'sig',
    n: 'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw',
    e: 'AQAB',
  };
  const EC_7520 = {
    kty: 'EC',
    kid: 'bilbo.baggins@hobbiton.example',
    use: 'sig',
    crv: 'P-521',
    x: 'AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt',
    y: 'AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1',
  };
  const OKP_8037 = {
    kty: 'OKP',
    crv: 'Ed25519',
    x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
  };

  // What these sign is no JSON, so they are no tokens; their signatures are good all the same.
  it.each<[string, string, string, JWK, SignatureAlgorithm]>([
    [
      'RFC 7520 4.1, RS256',
      `eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${FRODO}`,
      'MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg',
      RSA_7520,
      'RS256',
    ],
    [
      'RFC 7520 4.2, PS384',
      `eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${FRODO}`,
      'cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw',
      RSA_7520,
      'PS384',
    ],
    [
      'RFC 7520 4.3, ES512',
      `eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${FRODO}`,
      'AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2',
      EC_7520,
      'ES512',
    ],
    [
      'RFC 8037 A.4, EdDSA',
      'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc',
      'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
      OKP_8037,
      'EdDSA',
    ],
  ])(
    'verifies the signature of %s, and takes it for no token',
    async (_, input, text, jwk, alg) => {
      const key = await SigningKey.import(jwk, ALGORITHMS);
      const signature = Buffer.from(text, 'base64url');
      expect(key?.verifies(alg, input, signature)).toBe(true);
      await expect(compactVerify(`${input}.${text}`, jwk)).resolves.toBeDefined();
      expect(() => readToken(`${input}.${text}`)).toThrow(TokenError);

      const otherAlgs = ALGORITHMS.filter((one) => one !== alg && !one.startsWith('Ed'));
      for (const other of otherAlgs) expect(key?.verifies(other, input, signature)).toBe(false);
      expect(key?.verifies(alg, `${input}.`, signature)).toBe(false);
    },
  );
});

describe('tokens of our own, ours and jose', () => {
  it.each(signers.map((one) => [one.alg, one] as const))('accept %s', async (_, { token, jwk }) => {
    expect(await ours(token, jwk)).toEqual(CLAIMS);
    expect(await agrees(token, jwk)).toBe(true);
  });

  it('never accept a token of one key with another', async () => {
    for (const { token, alg } of signers) {
      for (const { jwk } of signers.filter((one) => one.alg !== alg)) {
        expect(await agrees(token, jwk)).toBe(false);
      }
    }
  });
});

describe('mutated tokens: what we accept, jose accepts with the same claims', () => {
  it('a bit of a byte flipped: none is accepted', async () => {
    const mutation = fc.tuple(signer, fc.nat(2), fc.nat(), fc.nat(7));
    const count = await accepted(
      mutation,
      ([{ token, jwk }, place, at, bit]) => {
        const parts = token.split('.').map((part) => Buffer.from(part, 'base64url'));
        const bytes = parts[place] as Buffer;
        const index = at % bytes.length;
        bytes[index] = (bytes[index] as number) ^ (1 << bit);
        return { text: parts.map((part) => part.toString('base64url')).join('.'), jwk };
      },
      1_200,
    );
    expect(count).toBe(0);
  });

  it('a character replaced, put in or left out: none is accepted', async () => {
    const character = fc.constantFrom(
      ...ALPHABET.split(''),
      '.',
      '=',
      '+',
      '/',
      '~',
      ' ',
      '\n',
      '\0',
      'ä',
      '',
    );
    const mutation = fc.tuple(signer, fc.nat(), character, fc.boolean());
    const count = await accepted(
      mutation,
      ([{ token, jwk }, position, put, replaces]) => {
        const at = position % (token.length + 1);
        const text = token.slice(0, at) + put + token.slice(at + (replaces ? 1 : 0));
        return { text: text === token ? `${text}A` : text, jwk };
      },
      1_200,
    );
    expect(count).toBe(0);
  });

  it('segments of several tokens put together: whole ones at most are accepted', async () => {
    const mutation = fc.tuple(signer, signer, signer, signer, fc.integer({ min: 1, max: 5 }));
    const count = await accepted(
      mutation,
      ([a, b, c, { jwk }, length]) => {
        const [part, other, third] = [a, b, c].map(({ token }) => token.split('.'));
        const parts = [part?.[0], other?.[1], third?.[2], part?.[1], other?.[2]];
        return { text: parts.slice(0, length).join('.'), jwk };
      },
      800,
    );
    // The payload is the same in all: a header and a signature of the key itself make a whole token.
    expect(count).toBeLessThan(80);
  });

  it('a header edited and signed again: some are accepted, all by both', async () => {
    const names = ['alg', 'kid', 'typ', 'crit', 'b64', 'zip', 'enc', 'cty', 'jwk', 'jku', 'x5u'];
    const name = fc.constantFrom(...names, 'x5c', 'x5t', '__proto__', 'constructor', 'iss', 'p2c');
    const value: fc.Arbitrary<unknown> = fc.oneof(
      fc.constantFrom<unknown>(...ALGORITHMS, 'none', 'HS256', 'JWT', 'at+jwt', 'dpop+jwt', 'DEF'),
      fc.constantFrom<unknown>(['b64'], ['exp'], [], ['alg'], false, true, null, 0, '', {}),
      fc.jsonValue(),
    );
    const edits = fc.array(fc.tuple(name, value), { maxLength: 3 });
    const count = await accepted(
      fc.tuple(signer, edits),
      ([{ alg, jwk, sign: seal }, members]) => {
        const header: Record<string, unknown> = { alg };
        for (const [member, one] of members) {
          Object.defineProperty(header, member, { value: one, enumerable: true, writable: true });
        }
        const content = `${segment(JSON.stringify(header))}.${segment(JSON.stringify(CLAIMS))}`;
        return { text: `${content}.${seal(content)}`, jwk };
      },
      1_200,
    );
    expect(count).toBeGreaterThan(50);
  });

  it('a claim set written in strange ways and signed again: some are accepted, all by both', async () => {
    const piece = fc.oneof(
      fc.constantFrom('{', '}', '"a":1', '"a":2', '"\\u0061":3', ',', '[', ']', '"', '\\', ':'),
      fc.constantFrom(' ', '\n', '\uFEFF', '\u2028', '"__proto__":{"x":1}', '1e999', '-0', '1E2'),
      fc.string({ unit: 'binary', maxLength: 4 }),
    );
    const loose = fc.array(piece, { maxLength: 12 }).map((pieces) => `{${pieces.join('')}}`);
    const sound = fc.json().map((text) => `{"v":${text}}`);
    const proto = fc.constant('{"v":[{"__proto__":{"x":1},"w":2}]}');
    const listed = fc
      .array(fc.constantFrom('"a":1', '"b":"x"', '"\\u0062":2', '"c":{"a":[]}'), { maxLength: 4 })
      .map((members) => ` {${members.join(' , ')}}\r\n`);
    const spoilt = fc.tuple(fc.oneof(loose, sound, listed, proto), fc.option(fc.nat(255)));
    const count = await accepted(
      fc.tuple(signer, spoilt, fc.nat()),
      ([{ alg, jwk, sign: seal }, [payload, byte], at]) => {
        const bytes = Buffer.from(payload);
        if (byte !== null) bytes[at % bytes.length] = byte;
        const content = `${segment(JSON.stringify({ alg }))}.${segment(bytes)}`;
        return { text: `${content}.${seal(content)}`, jwk };
      },
      1_200,
    );
    expect(count).toBeGreaterThan(40);
  });

  it('a published key edited: some still fit, all for both', async () => {
    const names = ['kty', 'crv', 'use', 'key_ops', 'alg', 'kid', 'n', 'e', 'x', 'y', 'd'];
    const value: fc.Arbitrary<unknown> = fc.oneof(
      fc.constantFrom<unknown>(...ALGORITHMS, 'RSA', 'EC', 'OKP', 'oct', 'P-256', 'P-384', 'Ed448'),
      fc.constantFrom<unknown>(
        'sig',
        'enc',
        ['verify'],
        ['sign'],
        [],
        'AQAB',
        'Aw',
        'AQ',
        '',
        null,
      ),
      fc.constant(undefined),
    );
    const edits = fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 2 });
    const count = await accepted(
      fc.tuple(signer, edits),
      ([{ token, jwk }, members]) => {
        const edited = Object.fromEntries(
          Object.entries({ ...jwk, ...Object.fromEntries(members) }).filter(
            ([, one]) => one !== undefined,
          ),
        ) as unknown as JWK;
        return { text: token, jwk: edited };
      },
      800,
    );
    expect(count).toBeGreaterThan(50);
  });
});
