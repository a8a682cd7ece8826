import { createPublicKey, type JsonWebKeyInput, type KeyObject, randomBytes } from 'node:crypto';

import type { FakeApplicationSettings } from 'nestjs-genauth/testing';

import { Child } from './child.js';

export type Algorithm = 'RS256' | 'ES256' | 'EdDSA';

/** A published key. */
export type Jwk = JsonWebKeyInput['key'] & { readonly kid: string; readonly alg: Algorithm };

/** Who issues the tokens, and where its keys are. */
export interface Issuer {
  readonly application: FakeApplicationSettings;
  readonly issuer: string;
  readonly jwksUri: string;
  readonly jwks: { readonly keys: readonly Jwk[] };
  /** The same keys, published as a Keycloak realm. */
  readonly realmHost: string;
  readonly realmIssuer: string;
}

export interface MintOptions {
  readonly alg: Algorithm;
  readonly count: number;
  readonly claims?: Readonly<Record<string, unknown>>;
  /** Whether introspection knows them. */
  readonly register?: boolean;
}

/** Tokens that travel between two processes at a time. */
const BATCH = 2_000;

/** The stand-in GenAuth in a process of its own, so that neither its signing nor its answers are measured. */
export class Identity {
  private constructor(
    private readonly child: Child,
    readonly issuer: Issuer,
  ) {}

  static async start(): Promise<Identity> {
    const child = await Child.start(import.meta.url, './identity-process.js', { core: 'load' });
    return new Identity(child, await child.ask<Issuer>('describe'));
  }

  async mint(options: MintOptions): Promise<string[]> {
    const tokens: string[] = [];
    for await (const batch of this.batches(options)) tokens.push(...batch);
    return tokens;
  }

  /** As `mint`, a batch at a time; the next one is signed meanwhile. */
  async *batches(options: MintOptions): AsyncGenerator<string[]> {
    const sizes: number[] = [];
    for (let left = options.count; left > 0; left -= BATCH) sizes.push(Math.min(left, BATCH));
    const ask = (count: number | undefined) =>
      count === undefined ? undefined : this.child.ask<string[]>('mint', { ...options, count });
    let next = ask(sizes.shift());
    while (next) {
      const batch = await next;
      next = ask(sizes.shift());
      yield batch;
    }
  }

  stop(): Promise<void> {
    return this.child.stop();
  }
}

export function jwkOf({ jwks }: Issuer, alg: Algorithm): Jwk {
  const jwk = jwks.keys.find((one) => one.alg === alg);
  if (!jwk) throw new Error(`no key for ${alg} is published`);
  return jwk;
}

export function publicKeyOf(issuer: Issuer, alg: Algorithm): KeyObject {
  return createPublicKey({ key: jwkOf(issuer, alg), format: 'jwk' });
}

/** A token with claims of its own under the signature of another: the dearest kind of junk. */
export function forgedFrom(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
  const forged = JSON.stringify({ ...claims, jti: randomBytes(16).toString('base64url') });
  return `${header}.${Buffer.from(forged).toString('base64url')}.${signature}`;
}

/** Three segments of noise. */
export function noise(): string {
  const bytes = randomBytes(400);
  return [bytes.subarray(0, 60), bytes.subarray(60, 250), bytes.subarray(250)]
    .map((segment) => segment.toString('base64url'))
    .join('.');
}
