import { Controller, Get, type ModuleMetadata } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';

import {
  CurrentPrincipal,
  GenAuthGuard,
  GenAuthModule,
  type GenAuthModuleOptions,
  type Principal,
} from '../../src/index.js';
import type { Platform } from './guarded-app.js';
import { type NestApp, type NestAppOptions, startNestApp } from './nest-app.js';

@Controller()
class MeController {
  @Get('me')
  me(@CurrentPrincipal() who: Principal) {
    return { sub: who.sub ?? null };
  }
}

export type DoorAppOptions = NestAppOptions;

/** An application with a guard before every route, and one door or several. */
export interface DoorApp extends NestApp {
  /** The address of a route, below the global prefix. */
  at(path: string): string;
  /** The status that a token gets at a guarded route. */
  statusOf(token: string): Promise<number>;
}

export async function startDoorApp(
  options: GenAuthModuleOptions,
  doors: NonNullable<ModuleMetadata['imports']>,
  { prefix, ...how }: DoorAppOptions = {},
): Promise<DoorApp> {
  const metadata = {
    imports: [GenAuthModule.forRoot(options), ...doors],
    controllers: [MeController],
    providers: [{ provide: APP_GUARD, useClass: GenAuthGuard }],
  };
  const app = await startNestApp(metadata, { ...how, ...(prefix && { prefix }) });
  const below = prefix ? `/${prefix}` : '';
  return {
    ...app,
    at: (path) => `${app.url}${below}/${path}`,
    statusOf: async (token) => (await app.call(`${below}/me`, token)).status,
  };
}

/** Where doors have to work: on both platforms, with and without a global prefix. */
export const surroundings: readonly (Pick<DoorAppOptions, 'prefix'> & {
  readonly platform: Platform;
})[] = [
  { platform: 'express' },
  { platform: 'fastify' },
  { platform: 'express', prefix: 'api' },
  { platform: 'fastify', prefix: 'api' },
];
