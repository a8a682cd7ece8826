import {
  constants,
  createPrivateKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';

import { describe, it, expect } from '@jest/globals';
import fc from 'fast-check';

import { SigningKey } from './signing-key.js';

const EVERY = [
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

type Jwk = Record<string, unknown>;

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' });
const k256 = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const ed25519 = generateKeyPairSync('ed25519');
const ed448 = generateKeyPairSync('ed448');
const x25519 = generateKeyPairSync('x25519');

function jwkOf(key: KeyObject, members: Jwk = {}): Jwk {
  return { ...key.export({ format: 'jwk' }), ...members };
}

const RSA = jwkOf(rsa.publicKey);
const EC = jwkOf(p256.publicKey);
const OKP = jwkOf(ed25519.publicKey);

async function imported(jwk: unknown, algorithms = EVERY): Promise<SigningKey> {
  const key = await SigningKey.import(jwk, algorithms);
  if (!key) throw new Error('the key was not imported');
  return key;
}

function suited(key: SigningKey): string[] {
  return EVERY.filter((alg) => key.suits(alg));
}

/** A public RSA key of any shape: nobody knows its factors. */
function rsaJwk(bits: number, exponent: string): Jwk {
  const modulus = randomBytes(Math.ceil(bits / 8));
  const top = (bits - 1) % 8;
  modulus[0] = ((modulus[0] as number) & (2 ** top - 1)) | (2 ** top);
  modulus[modulus.length - 1] = (modulus.at(-1) as number) | 1;
  const e = Buffer.from(exponent, 'hex').toString('base64url');
  return { kty: 'RSA', n: modulus.toString('base64url'), e };
}

describe('SigningKey.import', () => {
  it.each<[string, Jwk, string[]]>([
    ['RSA', RSA, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['P-256', EC, ['ES256']],
    ['P-384', jwkOf(p384.publicKey), ['ES384']],
    ['P-521', jwkOf(p521.publicKey), ['ES512']],
    ['Ed25519', OKP, ['EdDSA', 'Ed25519']],
    ['RSA with its alg', { ...RSA, alg: 'PS384' }, ['PS384']],
    ['P-256 with its alg', { ...EC, alg: 'ES256' }, ['ES256']],
    ['Ed25519 with the older name', { ...OKP, alg: 'EdDSA' }, ['EdDSA']],
    ['Ed25519 with its own name', { ...OKP, alg: 'Ed25519' }, ['Ed25519']],
  ])('binds a key to its kty, crv and alg: %s', async (_, jwk, expected) => {
    expect(suited(await imported(jwk))).toEqual(expected);
  });

  it.each<[string, Jwk]>([
    ['nothing about its use', RSA],
    ['use sig', { ...RSA, use: 'sig' }],
    ['key_ops verify', { ...RSA, key_ops: ['verify'] }],
    ['members nobody knows', { ...RSA, x5t: 'abc', nbf: 'tomorrow', constructor: 1 }],
  ])('takes a key that says %s', async (_, jwk) => {
    expect(await SigningKey.import(jwk, EVERY)).toBeDefined();
  });

  it.each<[string, Jwk]>([
    ['for encryption', { ...RSA, use: 'enc' }],
    ['with a use of another spelling', { ...RSA, use: 'SIG' }],
    ['with a use of the wrong type', { ...RSA, use: ['sig'] }],
    ['with a use of null', { ...RSA, use: null }],
    ['for signing alone', { ...RSA, key_ops: ['sign'] }],
    ['for nothing', { ...RSA, key_ops: [] }],
    ['with key_ops of the wrong type', { ...RSA, key_ops: 'verify' }],
    ['for encryption, by its alg', { ...RSA, alg: 'RSA-OAEP' }],
    ['of an alg of the wrong kty', { ...RSA, alg: 'ES256' }],
    ['of an alg of another curve', { ...EC, alg: 'ES384' }],
    ['of an alg of the wrong type', { ...RSA, alg: 256 }],
    ['of alg none', { ...RSA, alg: 'none' }],
    ['of an HMAC alg', { ...RSA, alg: 'HS256' }],
    ['with a kid of the wrong type', { ...RSA, kid: 1 }],
    ['with an empty kid', { ...RSA, kid: '' }],
    ['of another kty', { ...RSA, kty: 'EC' }],
    ['of a kty in another spelling', { ...RSA, kty: 'rsa' }],
    ['of a kty of the wrong type', { ...RSA, kty: ['RSA'] }],
    ['without kty', { ...RSA, kty: undefined }],
    ['of another crv than its point', { ...EC, crv: 'P-384' }],
    ['of a crv in another spelling', { ...EC, crv: 'p-256' }],
    ['off its curve', { ...EC, y: Buffer.alloc(32, 7).toString('base64url') }],
    ['on a curve not ours', jwkOf(k256.publicKey)],
    ['for key agreement', jwkOf(x25519.publicKey)],
    ['on Ed448', jwkOf(ed448.publicKey, { alg: 'EdDSA' })],
    ['without its modulus', { ...RSA, n: undefined }],
    ['with a modulus of the wrong type', { ...RSA, n: 12 }],
    ['that is private, RSA', jwkOf(rsa.privateKey)],
    ['that is private, EC', jwkOf(p256.privateKey)],
    ['that is private, Ed25519', jwkOf(ed25519.privateKey)],
    ['that is symmetric', { kty: 'oct', k: 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0' }],
    ['that is symmetric and says RS256', { kty: 'oct', k: 'c2VjcmV0', alg: 'RS256' }],
  ])('passes over a key %s', async (_, jwk) => {
    expect(await SigningKey.import(jwk, EVERY)).toBeUndefined();
    expect(
      await SigningKey.import(jwk, [...EVERY, 'HS256', 'none', 'constructor']),
    ).toBeUndefined();
  });

  it.each<[string, Jwk]>([
    ['512 bits', rsaJwk(512, '010001')],
    ['1024 bits', rsaJwk(1024, '010001')],
    ['2047 bits', rsaJwk(2047, '010001')],
    ['8208 bits', rsaJwk(8208, '010001')],
    ['exponent 0', rsaJwk(2048, '00')],
    ['exponent 1', rsaJwk(2048, '01')],
    ['exponent 3', rsaJwk(2048, '03')],
    ['exponent 17', rsaJwk(2048, '11')],
    ['an even exponent', rsaJwk(2048, '010002')],
    ['a huge exponent', rsaJwk(2048, '01'.repeat(40))],
    ['an empty exponent', rsaJwk(2048, '')],
  ])('passes over an RSA key of %s', async (_, jwk) => {
    expect(await SigningKey.import(jwk, EVERY)).toBeUndefined();
  });

  it('takes RSA keys of 2048 and 4096 bits', async () => {
    expect(await SigningKey.import(rsaJwk(2048, '010001'), EVERY)).toBeDefined();
    expect(await SigningKey.import(rsaJwk(4096, '010001'), EVERY)).toBeDefined();
  });

  it('takes only keys for the configured algorithms', async () => {
    expect(await SigningKey.import(RSA, ['ES256'])).toBeUndefined();
    expect(await SigningKey.import({ ...RSA, alg: 'PS256' }, ['RS256'])).toBeUndefined();
    expect(await SigningKey.import(RSA, ['ES256', 'RS256'])).toBeDefined();
    expect(await SigningKey.import(RSA, [])).toBeUndefined();
  });

  it('tells keys apart by kid and by material, and names the same one the same', async () => {
    const other = jwkOf(generateKeyPairSync('ed25519').publicKey);
    const jwks = [OKP, { ...OKP, kid: 'a' }, { ...OKP, kid: 'b' }, { ...other, kid: 'a' }];
    const ids = await Promise.all(jwks.map(async (jwk) => (await imported(jwk)).id));
    expect(new Set(ids).size).toBe(4);
    expect((await imported({ use: 'sig', kid: 'a', ...OKP })).id).toBe(ids[1]);
  });

  it('never throws, whatever is published', async () => {
    const member = fc.oneof(fc.constantFrom('RSA', 'EC', 'OKP', 'AQAB', 'P-256'), fc.anything());
    const shaped = fc.record(
      { kty: member, n: member, e: member, crv: member, x: member, y: member, alg: member },
      { requiredKeys: ['kty'] },
    );
    const spoilt = fc
      .tuple(fc.constantFrom(RSA, EC, OKP), fc.constantFrom('n', 'e', 'x', 'y', 'kid'), member)
      .map(([jwk, name, value]) => ({ ...jwk, [name]: value }));
    const nulls = fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true });
    await fc.assert(
      fc.asyncProperty(fc.oneof(nulls, shaped, spoilt), async (jwk) => {
        const key = await SigningKey.import(jwk, EVERY);
        expect(key === undefined || key instanceof SigningKey).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('SigningKey.verifies', () => {
  const INPUT = 'eyJh.eyJi';

  function signed(alg: string, key: KeyObject, saltLength?: number): Buffer {
    const digest = alg.startsWith('Ed') ? null : `sha${alg.slice(2)}`;
    const isPss = alg.startsWith('PS');
    return sign(digest, Buffer.from(INPUT), {
      key,
      dsaEncoding: 'ieee-p1363',
      ...(isPss && {
        padding: constants.RSA_PKCS1_PSS_PADDING,
        saltLength: saltLength ?? constants.RSA_PSS_SALTLEN_DIGEST,
      }),
    });
  }

  const PAIRS = { RS: rsa, PS: rsa, Ed: ed25519 } as Record<string, typeof rsa>;
  const CURVES = { ES256: p256, ES384: p384, ES512: p521 } as Record<string, typeof rsa>;
  const pairFor = (alg: string) => CURVES[alg] ?? (PAIRS[alg.slice(0, 2)] as typeof rsa);

  it.each(EVERY)('accepts a signature of %s, and none with anything changed', async (alg) => {
    const { publicKey, privateKey } = pairFor(alg);
    const key = await imported(jwkOf(publicKey));
    const signature = signed(alg, privateKey);
    expect(key.verifies(alg, INPUT, signature)).toBe(true);
    expect(key.verifies(alg, `${INPUT}x`, signature)).toBe(false);
    expect(key.verifies(alg, '', signature)).toBe(false);
    for (const at of [0, 1, signature.length >> 1, signature.length - 1]) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] as number) ^ 1;
      expect(key.verifies(alg, INPUT, changed)).toBe(false);
    }
    for (const other of EVERY.filter((one) => !one.startsWith('Ed') || !alg.startsWith('Ed'))) {
      if (other !== alg) expect(key.verifies(other, INPUT, signature)).toBe(false);
    }
  });

  it.each(EVERY)(
    'refuses a signature of %s that is longer or shorter than it must be',
    async (alg) => {
      const { publicKey, privateKey } = pairFor(alg);
      const key = await imported(jwkOf(publicKey));
      const signature = signed(alg, privateKey);
      const lengths = [
        signature.subarray(1),
        signature.subarray(0, -1),
        Buffer.concat([signature, Buffer.alloc(1)]),
        Buffer.concat([Buffer.alloc(1), signature]),
        Buffer.concat([signature, signature]),
        Buffer.alloc(0),
      ];
      for (const one of lengths) expect(key.verifies(alg, INPUT, one)).toBe(false);
    },
  );

  it.each(['ES256', 'ES384', 'ES512'])('refuses a DER signature of %s', async (alg) => {
    const { publicKey, privateKey } = pairFor(alg);
    const key = await imported(jwkOf(publicKey));
    const der = sign(`sha${alg.slice(2)}`, Buffer.from(INPUT), privateKey);
    expect(der[0]).toBe(0x30);
    expect(key.verifies(alg, INPUT, der)).toBe(false);
  });

  it.each(['ES256', 'ES384', 'ES512'])('refuses r and s of zero for %s', async (alg) => {
    const key = await imported(jwkOf(pairFor(alg).publicKey));
    const { length } = signed(alg, pairFor(alg).privateKey);
    expect(key.verifies(alg, INPUT, Buffer.alloc(length))).toBe(false);
    expect(key.verifies(alg, INPUT, Buffer.alloc(length, 0xff))).toBe(false);
  });

  it.each([
    ['PS256', 32],
    ['PS384', 48],
    ['PS512', 64],
  ])('accepts %s with a salt as long as the digest and no other', async (alg, saltLength) => {
    const key = await imported(RSA);
    for (const length of [0, 1, saltLength - 1, saltLength, saltLength + 1, 32, 48, 64]) {
      const signature = signed(alg, rsa.privateKey, length);
      expect(key.verifies(alg, INPUT, signature)).toBe(length === saltLength);
    }
  });

  it('refuses PKCS #1 where PSS is meant, and PSS where PKCS #1 is', async () => {
    const key = await imported(RSA);
    expect(key.verifies('PS256', INPUT, signed('RS256', rsa.privateKey))).toBe(false);
    expect(key.verifies('RS256', INPUT, signed('PS256', rsa.privateKey))).toBe(false);
  });

  it('refuses what another key of the same kind signed', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = await imported(EC);
    expect(key.verifies('ES256', INPUT, signed('ES256', other.privateKey))).toBe(false);
  });

  it('holds a key to its own alg even for a good signature', async () => {
    const key = await imported({ ...RSA, alg: 'RS256' });
    expect(key.verifies('RS256', INPUT, signed('RS256', rsa.privateKey))).toBe(true);
    expect(key.verifies('RS512', INPUT, signed('RS512', rsa.privateKey))).toBe(false);
    expect(key.verifies('PS256', INPUT, signed('PS256', rsa.privateKey))).toBe(false);
  });

  it('refuses a signature with the algorithm of a private key that it does not have', async () => {
    const small = createPrivateKey({
      key: p256.privateKey.export({ format: 'jwk' }),
      format: 'jwk',
    });
    const key = await imported(jwkOf(p384.publicKey));
    expect(key.verifies('ES384', INPUT, signed('ES256', small))).toBe(false);
    expect(key.verifies('ES256', INPUT, signed('ES256', small))).toBe(false);
  });

  it('never throws, whatever algorithm, text and signature', async () => {
    const keys = await Promise.all([RSA, EC, OKP].map((jwk) => imported(jwk)));
    const names = fc.constantFrom(
      ...EVERY,
      'none',
      'HS256',
      '__proto__',
      'constructor',
      'toString',
    );
    const lengths = fc.constantFrom(0, 1, 64, 256);
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.string(),
        lengths,
        fc.uint8Array(),
        async (alg, text, size, bytes) => {
          const signature = Buffer.alloc(size);
          signature.set(bytes.subarray(0, size));
          for (const key of keys) expect(key.verifies(alg, text, signature)).toBe(false);
        },
      ),
      { numRuns: 500 },
    );
  });
});
