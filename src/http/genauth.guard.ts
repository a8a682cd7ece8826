import { type CanActivate, type ExecutionContext, Injectable, Logger } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

import { publishRefusal } from '../core/channels.js';
import type { Demands } from '../core/demands.js';
import { TokenService } from '../token.service.js';
import { bearerToken } from './bearer.js';
import { type GuardedRequest, metadata } from './decorators.js';
import { challenge, type Refusal, refusalOf } from './refusal.js';

interface HttpResponse {
  header(name: string, value: string): unknown;
}

/**
 * Lets a request through when its bearer token may act here, now, and puts the principal on it.
 *
 * 401 a token that is refused, or none; 403 a good token without a demanded scope; 400 a request that is
 * no bearer request; 503 with `Retry-After` when nobody could tell. HTTP only: any other context is refused.
 *
 * @example
 * @UseGuards(GenAuthGuard)
 * @Controller()
 * class Books { @Get() @Scopes('book:read') list(@CurrentPrincipal() who: Principal) {} }
 */
@Injectable()
export class GenAuthGuard implements CanActivate {
  readonly #logger = new Logger(GenAuthGuard.name);

  constructor(
    private readonly tokens: TokenService,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return this.#refuseContext(context.getType());
    if (this.#read(context, metadata.PublicRoute)) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<GuardedRequest>();
    try {
      const token = bearerToken(request);
      if (token === undefined) {
        if (this.#read(context, metadata.OptionalRoute)) return true;
        throw this.#with(challenge(), http.getResponse());
      }
      const principal = await this.tokens.verify(token, this.#demands(context));
      this.tokens.check(principal);
      request.principal = principal;
      return true;
    } catch (error) {
      const refusal = refusalOf(error);
      throw refusal ? this.#with(refusal, http.getResponse()) : error;
    }
  }

  #demands(context: ExecutionContext): Demands {
    return {
      scopes: this.#read(context, metadata.RequiredScopes),
      audience: this.#read(context, metadata.RequiredAudience),
      maxAge: this.#read(context, metadata.RequiredFreshness),
    };
  }

  #read<T>(context: ExecutionContext, decorator: { KEY: string }): T | undefined {
    return this.reflector.getAllAndOverride<T | undefined>(decorator.KEY, [
      context.getHandler(),
      context.getClass(),
    ]);
  }

  #with({ exception, headers }: Refusal, response: HttpResponse): Error {
    for (const [name, value] of Object.entries(headers)) response.header(name, value);
    return exception;
  }

  #refuseContext(type: string): false {
    const detail = `GenAuthGuard guards HTTP routes only; a '${type}' context was refused`;
    publishRefusal({ code: 'unsupported_context', reason: 'context', detail });
    this.#logger.error(detail);
    return false;
  }
}
