import { type Clock, latestWall } from './core/clock.js';
import { instantOf } from './core/principal.js';
import type { Revocation } from './core/revocation.js';
import type { GenAuthClient } from './genauth.client.js';
import type { ResolvedOptions } from './genauth.options.js';
import { proofOf, type RevocationTask } from './revocation-task.js';
import type { Application } from './verify/applications.js';
import type { JwsToken } from './verify/compact-jws.js';

/** Decides which fact denies a token that somebody wants revoked, and for how long. */
export class Denials {
  constructor(
    private readonly options: ResolvedOptions,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {}

  /** The fact that denies the token, unless it could not be accepted as things are. Provisional without proof. */
  first({ token, candidates, options }: RevocationTask): Revocation | undefined {
    const now = latestWall(this.clock);
    if (!token || candidates.length === 0) return undefined;
    const provisional: Revocation = { kind: 'token', key: token.id, keepUntilAt: now };
    if (token.form === 'opaque') {
      const keptMs = options.cascade === false ? this.options.maxTokenLifetimeMs : 0;
      return { ...provisional, keepUntilAt: now + keptMs };
    }
    if (!this.#isAlive(token)) return undefined;
    const proofs = candidates.map((one) => proofOf(token, one));
    if (proofs.includes('signed')) return tombstoneOf(token);
    // Who has only the signed part of somebody's token, and not its signature, must not be able to revoke it.
    return proofs.includes('unknown_key') ? provisional : undefined;
  }

  #isAlive({ claims }: JwsToken): boolean {
    return instantOf(claims['exp']) + this.options.clockToleranceMs > latestWall(this.clock);
  }

  /**
   * The fact for the log, if the token needs one. Junk must not fill it: an opaque token that GenAuth calls
   * dead, and a JWT that not even newly fetched keys have signed unless GenAuth calls it alive, are left to the
   * provisional denial.
   */
  async lasting(
    tombstone: Revocation | undefined,
    { token, candidates }: RevocationTask,
    { is, expiresAt = 0 }: { readonly is: string; readonly expiresAt?: number },
  ): Promise<Revocation[]> {
    if (token?.form === 'jws') return this.#proven(tombstone, token, candidates);
    if (!tombstone || is === 'inactive') return [];
    const longest = latestWall(this.clock) + this.options.maxTokenLifetimeMs;
    return [{ ...tombstone, keepUntilAt: expiresAt > 0 ? Math.min(expiresAt, longest) : longest }];
  }

  /** GenAuth may have replaced its keys: what the keys at hand have not signed is held against new ones. */
  async #proven(
    tombstone: Revocation | undefined,
    token: JwsToken,
    candidates: readonly Application[],
  ): Promise<Revocation[]> {
    if (tombstone?.expiresAt !== undefined) return [tombstone];
    const usable = candidates.filter((one) => proofOf(token, one) !== 'unusable');
    if (usable.length === 0 || !this.#isAlive(token)) return [];
    const renewed = await Promise.all(usable.map(({ keys }) => keys.renew()));
    if (usable.some((one) => proofOf(token, one) === 'signed')) return [tombstoneOf(token)];
    if (!tombstone || (renewed.every(Boolean) && (await this.#isDead(token, usable)))) return [];
    const longest = latestWall(this.clock) + this.options.maxTokenLifetimeMs;
    return [{ ...tombstone, keepUntilAt: Math.min(instantOf(token.claims['exp']), longest) }];
  }

  /** GenAuth may have signed with a key that it has yet to publish. */
  async #isDead({ text }: JwsToken, candidates: readonly Application[]): Promise<boolean> {
    const answers = candidates.map(({ options }) =>
      this.client.introspect(options, text, 'access_token', 'revocation').then(
        ({ answer }) => answer['active'] === true,
        () => true,
      ),
    );
    return (await Promise.all(answers)).every((mayBeAlive) => !mayBeAlive);
  }
}

function tombstoneOf({ id, claims }: JwsToken): Revocation {
  const expiresAt = instantOf(claims['exp']);
  return { kind: 'token', key: id, expiresAt, keepUntilAt: expiresAt };
}
