import { type CanActivate, type ExecutionContext, Injectable, Logger } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

import { publishRefusal } from '../core/channels.js';
import type { Demands } from '../core/demands.js';
import { TokenService } from '../token.service.js';
import { isBearerText } from '../verify/compact-jws.js';
import { bearerCredentials, malformedHeader } from './bearer.js';
import { type GuardedRequest, metadata } from './decorators.js';
import { challenge, type Refusal, refusalOf } from './refusal.js';

interface HttpResponse {
  header(name: string, value: string): unknown;
}

/** What the decorators of a route, or else of its controller, say. */
interface RouteRules {
  readonly controller: object;
  readonly isPublic: boolean;
  readonly isOptional: boolean;
  readonly demands: Demands;
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
  readonly #rules = new WeakMap<object, RouteRules>();

  constructor(
    private readonly tokens: TokenService,
    private readonly reflector: Reflector,
  ) {}

  /** At once wherever nobody has to be asked: a promise would cost more than the checks of a known token. */
  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    if (context.getType() !== 'http') return this.#refuseContext(context.getType());
    const rules = this.#rulesOf(context);
    if (rules.isPublic) return true;
    const http = context.switchToHttp();
    const request = http.getRequest<GuardedRequest>();
    let token: string | undefined;
    try {
      token = bearerCredentials(request);
      if (token === undefined) {
        if (rules.isOptional) return true;
        throw this.#with(challenge(), http.getResponse());
      }
      const principal = this.tokens.verifyAtOnce(token, rules.demands);
      if (!principal) return this.#verify(token, rules.demands, request, http.getResponse());
      request.principal = principal;
      return true;
    } catch (error) {
      // What no header may carry is a bad request and not a bad token; of a good one nobody has to ask.
      const isMalformed = token !== undefined && !isBearerText(token);
      throw this.#refusal(isMalformed ? malformedHeader() : error, http.getResponse());
    }
  }

  async #verify(
    token: string,
    demands: Demands,
    request: GuardedRequest,
    response: HttpResponse,
  ): Promise<boolean> {
    try {
      const principal = await this.tokens.verify(token, demands);
      this.tokens.check(principal);
      request.principal = principal;
      return true;
    } catch (error) {
      throw this.#refusal(error, response);
    }
  }

  /** What the decorators say of a route: read once, unless several controllers inherit it. */
  #rulesOf(context: ExecutionContext): RouteRules {
    const [route, controller] = [context.getHandler(), context.getClass()];
    const known = this.#rules.get(route);
    if (known?.controller === controller) return known;
    const rules = this.#readRules(route, controller);
    this.#rules.set(route, rules);
    return rules;
  }

  #readRules(route: object, controller: object): RouteRules {
    const own = <T>({ KEY }: { KEY: string }) =>
      this.reflector.get<T | undefined>(KEY, route as never);
    const all = <T>({ KEY }: { KEY: string }) =>
      this.reflector.get<T | undefined>(KEY, controller as never);
    const { PublicRoute, OptionalRoute, ...rest } = metadata;
    const { RequiredScopes, RequiredAudience, RequiredFreshness } = rest;
    // What a controller opens, a route of it closes that asks something of the token.
    const demanding = [RequiredScopes, RequiredAudience, RequiredFreshness];
    const isOpened = demanding.every((one) => own(one) === undefined);
    const isOptional = own(OptionalRoute) === true;
    return {
      controller,
      isPublic: own(PublicRoute) === true || (isOpened && !isOptional && all(PublicRoute) === true),
      isOptional: isOptional || (isOpened && all(OptionalRoute) === true),
      demands: {
        scopes: own<string[]>(RequiredScopes) ?? all(RequiredScopes),
        audience: own<string[]>(RequiredAudience) ?? all(RequiredAudience),
        maxAge: own<number>(RequiredFreshness) ?? all(RequiredFreshness),
      },
    };
  }

  #refusal(error: unknown, response: HttpResponse): unknown {
    const refusal = refusalOf(error);
    return refusal ? this.#with(refusal, response) : error;
  }

  #with({ exception, headers }: Refusal, response: HttpResponse): Error {
    for (const name in headers) response.header(name, headers[name] as string);
    return exception;
  }

  #refuseContext(type: string): false {
    const detail = `GenAuthGuard guards HTTP routes only; a '${type}' context was refused`;
    publishRefusal({ code: 'unsupported_context', reason: 'context', detail });
    this.#logger.error(detail);
    return false;
  }
}
