import { Injectable } from '@nestjs/common';

import { Clock } from './core/clock.js';
import type { JsonObject } from './core/json.js';
import { principalOf } from './core/principal.js';
import { unavailable } from './doubt.js';
import { GenAuthClient } from './genauth.client.js';
import type { Verdict } from './revocation/revocation-index.js';
import { Revoker } from './revoker.js';
import { type Application, Applications } from './verify/applications.js';
import { readIfToken, type Token } from './verify/compact-jws.js';
import { claimsOf } from './verify/introspection.verifier.js';

/** Options of `TokenService.introspect`. */
export interface IntrospectOptions {
  readonly tokenTypeHint?: 'access_token' | 'refresh_token';
  readonly appId?: string;
}

const INACTIVE: JsonObject = Object.freeze({ active: false });

/** GenAuth's word on a token of any kind, held against what was revoked here. */
@Injectable()
export class TokenIntrospection {
  constructor(
    private readonly revoker: Revoker,
    private readonly applications: Applications,
    private readonly client: GenAuthClient,
    private readonly clock: Clock,
  ) {}

  /** See `TokenService.introspect`. */
  async introspect(text: string, options: IntrospectOptions): Promise<JsonObject> {
    const { appId, tokenTypeHint } = options;
    const token = readIfToken(text);
    if (!token) return INACTIVE;
    const { all } = this.applications;
    const asked =
      appId === undefined
        ? this.applications.candidates(token)
        : all.filter((one) => one.options.appId === appId);
    for (const application of asked) {
      if (this.revoker.isBuried(token)) return INACTIVE;
      const { answer, sentAt } = await this.client.introspect(
        application.options,
        text,
        tokenTypeHint,
      );
      if (answer['active'] === true)
        return this.#isDenied(answer, sentAt, token, application) ? INACTIVE : answer;
    }
    return INACTIVE;
  }

  /** Watermarks reach refresh tokens too; only what the answer says of itself can be held against them. */
  #isDenied(
    answer: JsonObject,
    vouchedAt: number,
    token: Token,
    { options }: Application,
  ): boolean {
    if (this.revoker.isBuried(token)) return true;
    let verdict: Verdict;
    try {
      const claims = claimsOf(
        { exp: this.clock.wall() / 1_000, ...answer },
        options.issuers[0] as string,
      );
      const principal = principalOf(claims, options.appId, token.id);
      verdict = this.revoker.verdict({ principal, vouchedAt });
    } catch {
      return true;
    }
    // GenAuth was asked before a revocation that it alone can settle.
    if (verdict.is === 'unknown' && verdict.why === 'boundary') throw unavailable(verdict);
    return verdict.is === 'denied';
  }
}
