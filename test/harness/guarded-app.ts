import { Controller, Get, type ModuleMetadata, Post, type Type, UseGuards } from '@nestjs/common';

import {
  BearerToken,
  type Clock,
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  OptionalAuth,
  type Principal,
  Public,
  Scopes,
  TokenService,
} from '../../src/index.js';
import { type NestApp, type Platform, startNestApp } from './nest-app.js';

export { platforms, type Platform } from './nest-app.js';

@Controller()
@UseGuards(GenAuthGuard)
class GuardedController {
  constructor(private readonly tokens: TokenService) {}

  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub ?? null, appId: who.appId, scopes: who.scopes };
  }

  @Get('public')
  @Public()
  open() {
    return { open: true };
  }

  @Get('optional')
  @OptionalAuth()
  optional(@CurrentPrincipal() who: Principal | undefined) {
    return { sub: who?.sub ?? null };
  }

  @Get('books')
  @Scopes('book:read')
  books() {
    return { books: [] };
  }

  @Post('logout')
  logout(@BearerToken() token: string) {
    return this.tokens.revoke(token);
  }
}

/** A Nest application on a free port, guarded by the module under test. */
export type GuardedApp = NestApp;

/** Starts the application; `imports`, `controllers` and `providers` come on top of the guarded routes above. */
export async function startGuardedApp(
  options: GenAuthModuleOptions,
  {
    platform = 'express',
    clock,
    imports = [],
    controllers = [],
    providers = [],
  }: {
    platform?: Platform;
    clock?: Clock;
    imports?: NonNullable<ModuleMetadata['imports']>;
    controllers?: Type[];
    providers?: Type[];
  } = {},
): Promise<GuardedApp> {
  const metadata = {
    imports: [GenAuthModule.forRoot(options), ...imports],
    controllers: [GuardedController, ...controllers],
    providers,
  };
  return startNestApp(metadata, { platform, ...(clock && { clock }) });
}
