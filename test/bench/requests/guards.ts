import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { Injectable, UnauthorizedException } from '@nestjs/common';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { hash, verify } from 'node:crypto';
import { GenAuthGuard, GenAuthModule, type GenAuthModuleOptions } from 'nestjs-genauth';

import { CoveredLog } from '../common/covered-log.js';
import { type Issuer, publicKeyOf } from '../common/identity.js';
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

/** What no guard with digests can do without: one digest, one lookup, and one signature for what is new. */
function limit(issuer: Issuer): Protection {
  const key = publicKeyOf(issuer, 'RS256');
  const known = new Map<string, object>();
  @Injectable()
  class LimitGuard implements CanActivate {
    canActivate(context: ExecutionContext): boolean {
      const request = context
        .switchToHttp()
        .getRequest<{ headers: { authorization: string }; principal?: object }>();
      const token = request.headers.authorization.slice('Bearer '.length);
      const digest = hash('sha256', token, 'base64url');
      request.principal = known.get(digest) ?? this.#verify(token, digest);
      return true;
    }

    #verify(token: string, digest: string): object {
      const end = token.lastIndexOf('.');
      const input = Buffer.from(token.slice(0, end), 'latin1');
      const signature = Buffer.from(token.slice(end + 1), 'base64url');
      if (!verify('sha256', input, key, signature)) throw new UnauthorizedException();
      known.set(digest, {});
      return {};
    }
  }
  return { guard: LimitGuard };
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
  limit,
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
