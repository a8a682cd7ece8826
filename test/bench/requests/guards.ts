import type { CanActivate, ExecutionContext, ModuleMetadata, Type } from '@nestjs/common';
import { Injectable, UnauthorizedException } from '@nestjs/common';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { GenAuthGuard, GenAuthModule, type GenAuthModuleOptions } from 'nestjs-genauth';

import { CoveredLog } from '../common/covered-log.js';
import type { Issuer } from '../common/identity.js';
import { peer } from '../common/peers.js';

/** What an application needs for one way of protecting its route. */
export interface Protection extends Pick<ModuleMetadata, 'imports' | 'providers'> {
  readonly guard?: Type<CanActivate>;
  /** Whether GenAuth's own word is wanted for every request. */
  readonly fresh?: boolean;
}

/** Lets everybody in, at once. */
@Injectable()
export class OpenGuard implements CanActivate {
  canActivate(): boolean {
    return true;
  }
}

function ours(issuer: Issuer, more: Partial<GenAuthModuleOptions> = {}): Protection {
  const revocation = { log: new CoveredLog() };
  const options = { ...issuer.application, revocation, ...more } as GenAuthModuleOptions;
  return { imports: [GenAuthModule.forRoot(options)], guard: GenAuthGuard };
}

/** The guard one writes oneself, over jose. */
function overJose(issuer: Issuer): Protection {
  const keys = createRemoteJWKSet(new URL(issuer.jwksUri));
  const options = {
    issuer: issuer.issuer,
    audience: issuer.application.appId,
    algorithms: ['RS256'],
  };
  @Injectable()
  class JoseGuard implements CanActivate {
    async canActivate(context: ExecutionContext): Promise<boolean> {
      const request = context
        .switchToHttp()
        .getRequest<{ headers: { authorization?: string }; user?: unknown }>();
      const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
      if (token === undefined) throw new UnauthorizedException();
      try {
        request.user = (await jwtVerify(token, keys, options)).payload;
        return true;
      } catch {
        throw new UnauthorizedException();
      }
    }
  }
  return { guard: JoseGuard };
}

interface PassportJwt {
  Strategy: Type;
  ExtractJwt: { fromAuthHeaderAsBearerToken(): unknown };
}

interface NestPassport {
  AuthGuard(name: string): Type<CanActivate>;
  PassportStrategy(strategy: Type): Type;
}

function overPassport(issuer: Issuer): Protection {
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

function overKeycloak(issuer: Issuer): Protection {
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

/** Every way of protecting a route that is compared. */
export const PROTECTIONS = {
  none: (): Protection => ({}),
  open: (): Protection => ({ guard: OpenGuard }),
  ours: (issuer: Issuer): Protection => ours(issuer),
  online: (issuer: Issuer): Protection => ({
    ...ours(issuer, { verification: 'online', introspectionTtl: 1 }),
    fresh: true,
  }),
  jose: overJose,
  passport: overPassport,
  keycloak: overKeycloak,
};

export type ProtectionName = keyof typeof PROTECTIONS;
