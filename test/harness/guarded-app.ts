import {
  Controller,
  Get,
  type INestApplication,
  type ModuleMetadata,
  Post,
  type Type,
  UseGuards,
} from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

import {
  BearerToken,
  Clock,
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

/** The two platforms every guard case runs on. */
export const platforms = ['express', 'fastify'] as const;
export type Platform = (typeof platforms)[number];

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

/** What a caller can see of an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A Nest application on a free port, guarded by the module under test. */
export interface GuardedApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly tokens: TokenService;
  /** GET (or another method) with a bearer token, over real HTTP. */
  call(path: string, token?: string, init?: RequestInit): Promise<Answer>;
  close(): Promise<void>;
}

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
  const building = Test.createTestingModule({
    imports: [GenAuthModule.forRoot(options), ...imports],
    controllers: [GuardedController, ...controllers],
    providers,
  });
  if (clock) building.overrideProvider(Clock).useValue(clock);
  const module = await building.compile();
  const adapter = platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
  const app = module.createNestApplication(adapter, { logger: false });
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    url,
    tokens: app.get(TokenService),
    async call(path, token, init = {}) {
      const headers = new Headers(init.headers);
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
      const response = await fetch(url + path, { ...init, headers });
      return { status: response.status, headers: response.headers, body: await response.text() };
    },
    close: () => app.close(),
  };
}
