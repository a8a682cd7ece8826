import { hash } from 'node:crypto';

import type { Principal } from 'nestjs-genauth';

import { randomCuts, tokenFact } from '../common/covered-log.js';
import type { Identity } from '../common/identity.js';
import { type Service, startService } from '../common/service.js';
import { guardRoadOf } from './inner.js';
import type { Verify } from './verifiers.js';

/** Our service, and beside it the plain map, with as many tokens remembered and revocations known. */
export class Filled {
  readonly #known = new Map<string, { readonly token: string }>();
  #filled = 0;
  readonly revoked: string[] = [];
  readonly principals: Principal[] = [];
  revocations = 0;

  private constructor(
    readonly service: Service,
    private readonly identity: Identity,
    private readonly sample: readonly string[],
  ) {
    this.verify = guardRoadOf(service.tokens);
  }

  /** @param sample tokens that are remembered first, and measured with */
  static async start(identity: Identity, sample: readonly string[], max: number): Promise<Filled> {
    return new Filled(await startService(identity.issuer, max), identity, sample);
  }

  get size(): number {
    return this.#filled;
  }

  /** The sample, as far as it is remembered. */
  get measured(): readonly string[] {
    return this.sample.slice(0, this.size);
  }

  /** The guard's road. */
  readonly verify: Verify;

  /** The road of everybody who awaits `TokenService.verify`. */
  readonly verifyAwaited: Verify = (token) => this.service.tokens.verify(token);

  readonly limit: Verify = (token) => {
    const found = this.#known.get(hash('sha256', token, 'base64url'));
    if (!found) throw new Error('unknown');
    return found;
  };

  /** Takes a token into the plain map. */
  readonly learnPlainly = (token: string): void => {
    this.#known.set(hash('sha256', token, 'base64url'), { token });
  };

  async fillTo(size: number): Promise<void> {
    for (const token of this.sample.slice(this.size, size)) await this.#take(token);
    const count = size - this.size;
    for await (const batch of this.identity.batches({ alg: 'ES256', count })) {
      for (const token of batch) await this.#take(token);
    }
  }

  /** Of tokens nobody knows, and cuts that reach whatever was issued up to now, of users nobody knows. */
  learn(revocations: number): void {
    this.service.log.deliverRandom(revocations);
    this.service.log.deliver(randomCuts(Date.now()));
    // What a cut costs a token once, `denyCheck` measures.
    for (const token of this.measured) this.service.tokens.verifyAtOnce(token);
    this.revocations += revocations;
  }

  /** Another process revokes these. */
  async revoke(tokens: readonly string[]): Promise<void> {
    for (const token of tokens) {
      const { id, expiresAt } = await this.service.tokens.verify(token);
      this.service.log.deliver([tokenFact(id, expiresAt)]);
      this.learnPlainly(token);
      this.revoked.push(token);
    }
  }

  async #take(token: string): Promise<void> {
    const principal = await this.service.tokens.verify(token);
    if (this.principals.length < 1_000) this.principals.push(principal);
    this.learnPlainly(token);
    this.#filled += 1;
  }
}
