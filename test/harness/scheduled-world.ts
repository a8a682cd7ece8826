import type { Scheduler } from 'fast-check';

import { Caution } from '../../src/caution.js';
import type { ClockOffset } from '../../src/core/issuer-clock.js';
import type { JsonObject } from '../../src/core/json.js';
import type { GenAuthClient, RevocationAnswer } from '../../src/genauth.client.js';
import type { GenAuthModuleOptions } from '../../src/index.js';
import { resolveOptions } from '../../src/resolve-options.js';
import { RevocationIndex } from '../../src/revocation/revocation-index.js';
import { InProcessRevocationLog } from '../../src/revocation/in-process-log.js';
import { Revoker } from '../../src/revoker.js';
import { VirtualClock } from '../../src/testing.js';
import { TokenIntrospection } from '../../src/token-introspection.js';
import { TokenRevoker } from '../../src/token-revoker.js';
import { TokenService } from '../../src/token.service.js';
import { TokenVerification } from '../../src/token-verification.js';
import { Applications } from '../../src/verify/applications.js';
import { PrincipalCache } from '../../src/verify/principal-cache.js';

/** A token as the server knows it. */
export interface Known {
  readonly claims: JsonObject;
  readonly grant: string;
  readonly kind: 'access' | 'refresh';
}

/** A clock on which no two readings are alike, as no two events are on a fine enough clock. */
export class TickingClock extends VirtualClock {
  override wall(): number {
    this.jump(2 ** -10);
    return super.wall();
  }
}

/** GenAuth without a network: every question travels there and back when the scheduler says so. */
export class ScheduledGenAuth implements Pick<GenAuthClient, keyof GenAuthClient> {
  readonly dead = new Set<string>();
  /** When each question about a token was sent: the places in the order of all that happened. */
  readonly asked = new Map<string, number[]>();

  constructor(
    private readonly scheduler: Pick<Scheduler, 'schedule'>,
    private readonly clock: VirtualClock,
    private readonly keys: readonly unknown[],
    private readonly tokens: ReadonlyMap<string, Known>,
    private readonly next: () => number,
  ) {}

  offsetOf(): ClockOffset {
    return { lowMs: -1_000, highMs: 1_000 };
  }

  async fetchKeys(): Promise<readonly unknown[]> {
    await this.#travel('key fetch');
    return this.keys;
  }

  async introspect(
    _application: unknown,
    token: string,
  ): Promise<{ readonly answer: JsonObject; readonly sentAt: number }> {
    const sentAt = this.clock.wall();
    this.asked.set(token, [...(this.asked.get(token) ?? []), this.next()]);
    await this.#travel('introspection arrives');
    const known = this.tokens.get(token);
    const alive = known !== undefined && !this.dead.has(known.grant) && !this.dead.has(token);
    await this.#travel('introspection is answered');
    if (!alive) return { answer: { active: false }, sentAt };
    const type = known.kind === 'access' ? { token_type: 'Bearer' } : {};
    return { answer: { active: true, ...known.claims, ...type }, sentAt };
  }

  async revoke(_application: unknown, token: string): Promise<RevocationAnswer> {
    await this.#travel('revocation arrives');
    this.dead.add(token);
    const known = this.tokens.get(token);
    if (known?.kind === 'refresh') this.dead.add(known.grant);
    await this.#travel('revocation is answered');
    return { is: 'confirmed' };
  }

  onApplicationShutdown(): void {}

  #travel(label: string): Promise<unknown> {
    return this.scheduler.schedule(Promise.resolve(), label);
  }
}

/** The parts of the module that verify and revoke, around a server whose answers are scheduled. */
export function assemble(
  genauth: ScheduledGenAuth,
  clock: VirtualClock,
  options: GenAuthModuleOptions,
) {
  const resolved = resolveOptions(options);
  const client = genauth as unknown as GenAuthClient;
  const cache = new PrincipalCache(resolved, clock);
  const index = new RevocationIndex(
    clock,
    resolved.maxTokenLifetimeMs,
    resolved.clockToleranceMs,
    resolved.maxEntries,
  );
  const log = new InProcessRevocationLog();
  const applications = new Applications(resolved, client, cache, clock);
  const revoker = new Revoker(resolved, index, log, applications, cache, client, clock);
  const tokenRevoker = new TokenRevoker(resolved, revoker, log, applications, client, clock);
  const verification = new TokenVerification(
    resolved,
    applications,
    cache,
    revoker,
    clock,
    new Caution(clock),
  );
  const introspection = new TokenIntrospection(revoker, applications, client, clock);
  const tokens = new TokenService(verification, revoker, tokenRevoker, applications, introspection);
  revoker.onModuleInit();
  return { tokens, cache, index, applications };
}
