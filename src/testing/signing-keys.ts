import {
  constants,
  createHash,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
  type SignKeyObjectInput,
} from 'node:crypto';

/** The signature algorithms that the stand-in's keys can have. */
export type SigningAlgorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA';

/** One key pair, as the stand-in signs with it and publishes it. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: SigningAlgorithm;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The member that the key set shows for it. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

/** Signs with any private key that fits the algorithm; ES256 signatures are the 64 bytes of RFC 7518 §3.4. */
export function signWith(alg: SigningAlgorithm, key: KeyObject, content: string): Buffer {
  return sign(digestOf(alg), Buffer.from(content), schemeOf(alg, key));
}

/** Whether the signature is this key's signature of the content. */
export function isSignedBy(key: SigningKey, content: string, signature: Buffer): boolean {
  const scheme = schemeOf(key.alg, key.publicKey);
  return verify(digestOf(key.alg), Buffer.from(content), scheme, signature);
}

/** A new key pair; `kid` is the key's RFC 7638 thumbprint unless given. */
export function newSigningKey(alg: SigningAlgorithm, kid?: string): SigningKey {
  const { privateKey, publicKey } = newKeyPair(alg);
  const exported = publicKey.export({ format: 'jwk' });
  const { kty, crv, x, y, e, n } = exported;
  const shape = kty === 'RSA' ? { kty, e, n } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x };
  const named = kid ?? thumbprint(exported as Record<string, unknown>);
  const jwk = { ...shape, alg, use: 'sig', kid: named };
  return { kid: named, alg, privateKey, publicKey, jwk };
}

/**
 * The signing keys of one application: which one signs, and which ones its key set shows.
 *
 * A key can sign without being published and be published without signing, so every step of a rotation
 * can be acted out one by one.
 */
export class SigningKeys {
  /** Members shown in the key set as they are, after the keys: strange, broken or foreign ones. */
  readonly extras: unknown[] = [];
  readonly #firstAlg: SigningAlgorithm;
  readonly #unpublished = new Set<string>();
  #made: SigningKey[] | undefined;
  #currentKid: string | undefined;

  /** @param alg the first key's algorithm; the key is made when it is first needed */
  constructor(alg: SigningAlgorithm = 'RS256') {
    this.#firstAlg = alg;
  }

  /**
   * The key that signs from now on.
   *
   * @throws {Error} every key has been dropped
   */
  get current(): SigningKey {
    const key = this.#keys.find(({ kid }) => kid === this.#currentKid) ?? this.#keys.at(-1);
    if (!key) throw new Error('No signing key is left: add() one before issuing tokens.');
    return key;
  }

  /** Every key, oldest first, published or not. */
  get all(): readonly SigningKey[] {
    return [...this.#keys];
  }

  /** The ids of the published keys, oldest first. */
  get kids(): string[] {
    return this.#published().map((key) => key.kid);
  }

  /** Publishes a further key and signs with it from now on; the older ones stay published. */
  add(alg: SigningAlgorithm = 'RS256', kid?: string): SigningKey {
    const key = newSigningKey(alg, kid);
    this.#keys.push(key);
    this.#currentKid = key.kid;
    return key;
  }

  /** Drops every key and puts a new one in their place, as after a leak. */
  replace(alg: SigningAlgorithm = 'RS256', kid?: string): SigningKey {
    this.#made = [];
    this.#unpublished.clear();
    return this.add(alg, kid);
  }

  /** Forgets a key, the oldest when none is named. If it was the current one, the newest left signs. */
  drop(kid: string | undefined = this.#keys[0]?.kid): void {
    this.#made = this.#keys.filter((key) => key.kid !== kid);
  }

  /** Signs with this key from now on, published or not. */
  use(kid: string): void {
    this.#currentKid = this.#find(kid).kid;
  }

  /** Takes a key, the current one when none is named, out of the key set; it still signs. */
  unpublish(kid: string = this.current.kid): void {
    this.#unpublished.add(this.#find(kid).kid);
  }

  /** Shows a key, the current one when none is named, in the key set again. */
  publish(kid: string = this.current.kid): void {
    this.#unpublished.delete(this.#find(kid).kid);
  }

  /** The key set as it is served now. */
  jwks(): { keys: unknown[] } {
    return { keys: [...this.#published().map((key) => key.jwk), ...this.extras] };
  }

  get #keys(): SigningKey[] {
    this.#made ??= [newSigningKey(this.#firstAlg)];
    return this.#made;
  }

  #published(): SigningKey[] {
    return this.#keys.filter((key) => !this.#unpublished.has(key.kid));
  }

  #find(kid: string): SigningKey {
    const key = this.#keys.find((each) => each.kid === kid);
    if (!key) throw new Error(`No signing key has the kid '${kid}'.`);
    return key;
  }
}

function newKeyPair(alg: SigningAlgorithm): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'EdDSA') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function digestOf(alg: SigningAlgorithm): 'sha256' | null {
  return alg === 'EdDSA' ? null : 'sha256';
}

function schemeOf(alg: SigningAlgorithm, key: KeyObject): SignKeyObjectInput {
  if (alg === 'ES256') return { key, dsaEncoding: 'ieee-p1363' };
  if (alg === 'PS256') return { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
  return { key };
}

function thumbprint(jwk: Record<string, unknown>): string {
  const members = ['crv', 'e', 'kty', 'n', 'x', 'y'].filter((name) => jwk[name] !== undefined);
  const canonical = JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])));
  return createHash('sha256').update(canonical).digest('base64url');
}
