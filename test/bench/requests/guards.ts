import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, UnauthorizedException } from '@nestjs/common';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { GenAuthGuard, GenAuthModule, type GenAuthModuleOptions } from 'nestjs-genauth';

import { CoveredLog } from '../common/covered-log.js';
import type { Issuer } from '../common/identity.js';
import { overKeycloak, overPassport, type Protection } from './peer-guards.js';

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
