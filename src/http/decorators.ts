import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { DiscoveryService, Reflector } from '@nestjs/core';

import { checkDemands } from '../core/demands.js';
import type { Principal } from '../core/principal.js';
import { bearerToken, type HttpRequest } from './bearer.js';
import { refusalOf } from './refusal.js';

/** A request that `GenAuthGuard` let through. */
export interface GuardedRequest extends HttpRequest {
  principal?: Principal;
}

const PublicRoute = Reflector.createDecorator<true>();
const OptionalRoute = Reflector.createDecorator<true>();

/**
 * Lets everyone in: the guard neither asks for a token nor looks at one. On a controller, not those of its
 * routes that say `OptionalAuth` or ask something of the token.
 */
export const Public = (): ClassDecorator & MethodDecorator => PublicRoute(true);

/**
 * Lets requests without a token in, without a principal. A token that is sent must still be good. On a
 * controller, not to those of its routes that ask something of the token.
 */
export const OptionalAuth = (): ClassDecorator & MethodDecorator => OptionalRoute(true);

/** Every scope named is needed, by GenAuth's wildcard rules. A method's scopes replace its class's. */
export const Scopes = (...scopes: string[]): ClassDecorator & MethodDecorator => {
  checkDemands({ scopes });
  return RequiredScopes(scopes);
};

/** The token must name one of these in `aud`. A method's audience replaces its class's. */
export const Audience = (...audience: string[]): ClassDecorator & MethodDecorator => {
  checkDemands({ audience });
  return RequiredAudience(audience);
};

/** GenAuth's own word on the token may be at most `maxAge` milliseconds old; 0: asked within this millisecond. */
export const Fresh = ({ maxAge }: { maxAge: number }): ClassDecorator & MethodDecorator => {
  checkDemands({ maxAge });
  return RequiredFreshness(maxAge);
};

const RequiredScopes = Reflector.createDecorator<string[]>();
const RequiredAudience = Reflector.createDecorator<string[]>();
const RequiredFreshness = Reflector.createDecorator<number>();
const Listener = DiscoveryService.createDecorator<true>();

/**
 * Calls the method with every `RevocationEvent` that takes effect in this process. Works on providers and
 * controllers of the default scope. What it throws is logged and changes nothing.
 */
export const OnRevocation = (): MethodDecorator => Listener(true);

/** The principal of the request; undefined where a route is public or its token optional. */
export const CurrentPrincipal = createParamDecorator(
  (_: unknown, context: ExecutionContext): Principal | undefined =>
    context.switchToHttp().getRequest<GuardedRequest>().principal,
);

/** The bearer token as it was sent, for `TokenService.revoke`. Undefined when none was; 400 when malformed. */
export const BearerToken = createParamDecorator(
  (_: unknown, context: ExecutionContext): string | undefined => {
    try {
      return bearerToken(context.switchToHttp().getRequest<GuardedRequest>());
    } catch (error) {
      throw refusalOf(error)?.exception ?? error;
    }
  },
);

/** What the decorators leave behind, for those who read it. */
export const metadata = {
  PublicRoute,
  OptionalRoute,
  RequiredScopes,
  RequiredAudience,
  RequiredFreshness,
  Listener,
} as const;
