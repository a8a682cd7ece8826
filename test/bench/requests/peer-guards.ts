import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import { Injectable } from '@nestjs/common';

import type { Issuer } from '../common/identity.js';
import { peer } from '../common/peers.js';

/** What an application needs for one way of protecting its route. */
export interface Protection extends Pick<ModuleMetadata, 'imports' | 'providers'> {
  readonly guard?: Type<CanActivate>;
  /** Whether GenAuth's own word is wanted for every request. */
  readonly fresh?: boolean;
}

interface PassportJwt {
  Strategy: Type;
  ExtractJwt: { fromAuthHeaderAsBearerToken(): unknown };
}

interface NestPassport {
  AuthGuard(name: string): Type<CanActivate>;
  PassportStrategy(strategy: Type): Type;
}

export function overPassport(issuer: Issuer): Protection {
  const { AuthGuard, PassportStrategy } = peer<NestPassport>('@nestjs/passport');
  const { Strategy, ExtractJwt } = peer<PassportJwt>('passport-jwt');
  const { passportJwtSecret } = peer<{ passportJwtSecret(o: object): unknown }>('jwks-rsa');
  @Injectable()
  class JwtStrategy extends PassportStrategy(Strategy) {
    constructor() {
      super({
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKeyProvider: passportJwtSecret({ cache: true, jwksUri: issuer.jwksUri }),
        issuer: issuer.issuer,
        audience: issuer.application.appId,
        algorithms: ['RS256'],
      });
    }

    validate(claims: unknown): unknown {
      return claims;
    }
  }
  return { providers: [JwtStrategy], guard: AuthGuard('jwt') };
}

interface NestKeycloak {
  KeycloakConnectModule: { register(options: object): NonNullable<ModuleMetadata['imports']>[0] };
  AuthGuard: Type<CanActivate>;
}

export function overKeycloak(issuer: Issuer): Protection {
  const { KeycloakConnectModule, AuthGuard } = peer<NestKeycloak>('nest-keycloak-connect');
  const module = KeycloakConnectModule.register({
    authServerUrl: issuer.realmHost,
    realm: 'bench',
    clientId: issuer.application.appId,
    secret: issuer.application.appSecret,
    bearerOnly: true,
    verifyTokenAudience: true,
    tokenValidation: 'offline',
  });
  return { imports: [module], guard: AuthGuard };
}
