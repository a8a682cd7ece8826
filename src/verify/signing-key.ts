import { constants, hash, KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto';

import { importJWK } from 'jose';

import { isJsonObject, type JsonObject } from '../core/json.js';
import type { SignatureAlgorithm } from '../genauth.options.js';

interface Rule {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  /** Node's digest name; null where the algorithm has its own. */
  readonly digest: string | null;
  readonly crv?: string;
  readonly pss?: true;
  /** Length of a signature in bytes; RSA signatures are as long as the modulus. */
  readonly length?: number;
}

const RULES: Readonly<Record<SignatureAlgorithm, Rule>> = {
  RS256: { kty: 'RSA', digest: 'sha256' },
  RS384: { kty: 'RSA', digest: 'sha384' },
  RS512: { kty: 'RSA', digest: 'sha512' },
  PS256: { kty: 'RSA', digest: 'sha256', pss: true },
  PS384: { kty: 'RSA', digest: 'sha384', pss: true },
  PS512: { kty: 'RSA', digest: 'sha512', pss: true },
  ES256: { kty: 'EC', digest: 'sha256', crv: 'P-256', length: 64 },
  ES384: { kty: 'EC', digest: 'sha384', crv: 'P-384', length: 96 },
  ES512: { kty: 'EC', digest: 'sha512', crv: 'P-521', length: 132 },
  EdDSA: { kty: 'OKP', digest: null, crv: 'Ed25519', length: 64 },
  Ed25519: { kty: 'OKP', digest: null, crv: 'Ed25519', length: 64 },
};

/** Undefined for any other name, those of Object.prototype among them. */
function ruleOf(alg: string): Rule | undefined {
  return Object.hasOwn(RULES, alg) ? RULES[alg as SignatureAlgorithm] : undefined;
}

const PUBLIC_MEMBERS = { RSA: ['n', 'e'], EC: ['crv', 'x', 'y'], OKP: ['crv', 'x'] } as const;

/** One public key of a key set, bound to what its publisher says it is for. */
export class SigningKey {
  /** What RSA signatures are as long as. */
  readonly #modulusBytes: number;
  /** What `verify` is given: with the padding of RSASSA-PSS, and without. */
  readonly #plain: VerifyKeyObjectInput;
  readonly #pss: VerifyKeyObjectInput;

  private constructor(
    /** Names the key material together with its `kid`, so that a replaced key is another key. */
    readonly id: string,
    readonly kid: string | undefined,
    private readonly alg: string | undefined,
    private readonly kty: string,
    private readonly crv: string | undefined,
    key: KeyObject,
  ) {
    this.#modulusBytes = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
    this.#plain = { key, dsaEncoding: 'ieee-p1363' };
    this.#pss = {
      ...this.#plain,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    };
  }

  /**
   * A usable key, or undefined for what cannot or must not verify signatures here: symmetric and private
   * keys, keys for encryption, weak or malformed ones (RFC 7517 §4, RFC 8725 §3.5).
   */
  static async import(
    jwk: unknown,
    algorithms: readonly string[],
  ): Promise<SigningKey | undefined> {
    if (!isJsonObject(jwk) || !isForVerifying(jwk)) return undefined;
    const { kid, alg, kty, crv } = jwk as Readonly<Record<string, string | undefined>>;
    const importable = algorithms.find(
      (name) => fits(ruleOf(name), kty, crv) && (alg ?? name) === name,
    );
    if (importable === undefined || kty === undefined) return undefined;
    try {
      const names = PUBLIC_MEMBERS[kty as keyof typeof PUBLIC_MEMBERS];
      const members = Object.fromEntries(names.map((name) => [name, jwk[name] as string]));
      const key = KeyObject.from((await importJWK({ kty, ...members }, importable)) as CryptoKey);
      if (!isStrong(key)) return undefined;
      const id = hash('sha256', JSON.stringify([kid, alg, kty, members]), 'base64url');
      return new SigningKey(id, kid, alg, kty, crv, key);
    } catch {
      return undefined;
    }
  }

  /** Whether the key may verify signatures of this algorithm. */
  suits(alg: string): boolean {
    return (this.alg ?? alg) === alg && fits(ruleOf(alg), this.kty, this.crv);
  }

  /** Whether the signature is good. False for whatever is not one; never throws. */
  verifies(alg: string, signingInput: string, signature: Buffer): boolean {
    const rule = ruleOf(alg);
    if (!rule || !this.suits(alg) || signature.length !== (rule.length ?? this.#modulusBytes))
      return false;
    const input = Buffer.from(signingInput, 'latin1');
    return verify(rule.digest, input, rule.pss ? this.#pss : this.#plain, signature);
  }
}

function fits(rule: Rule | undefined, kty: unknown, crv: string | undefined): boolean {
  return rule !== undefined && rule.kty === kty && rule.crv === (kty === 'RSA' ? undefined : crv);
}

/** A public key, not said to be for anything else, whose describing members are of the right type. */
function isForVerifying(jwk: JsonObject): boolean {
  const { use, key_ops: operations } = jwk;
  if ('d' in jwk || (use !== undefined && use !== 'sig') || jwk['kid'] === '') return false;
  const described = [jwk['kid'], jwk['alg'], jwk['crv']];
  if (!described.every((one) => one === undefined || typeof one === 'string')) return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
}

/** RSA: 2048 to 8192 bits, odd public exponent of at least 65537 (FIPS 186-5 §5.1). */
function isStrong(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return key.type === 'public';
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  const sane =
    publicExponent >= 65_537n && publicExponent % 2n === 1n && publicExponent < 2n ** 64n;
  return modulusLength >= 2_048 && modulusLength <= 8_192 && sane;
}
