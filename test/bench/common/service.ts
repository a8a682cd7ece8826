import 'reflect-metadata';

import { type INestApplicationContext, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GenAuthModule, type GenAuthModuleOptions, TokenService } from 'nestjs-genauth';

import { CoveredLog } from './covered-log.js';
import type { Issuer } from './identity.js';

@Module({})
class BenchModule {}

/** The library in an application without HTTP. */
export interface Service {
  readonly tokens: TokenService;
  readonly log: CoveredLog;
  /** A part of the library, by its class. */
  part<T>(name: Type<T>): T;
  close(): Promise<void>;
}

/** Options under which no token of the issuer needs a call, and none is forgotten for its age. */
export function optionsFor(issuer: Issuer, log: CoveredLog, cacheMax: number) {
  return {
    ...issuer.application,
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    cache: { max: cacheMax, ttl: 86_400_000 },
    revocation: { log },
  } satisfies GenAuthModuleOptions;
}

export async function startService(issuer: Issuer, cacheMax: number): Promise<Service> {
  const log = new CoveredLog();
  const imports = [GenAuthModule.forRoot(optionsFor(issuer, log, cacheMax))];
  const app: INestApplicationContext = await NestFactory.createApplicationContext(
    { module: BenchModule, imports },
    { logger: ['error', 'warn'] },
  );
  return {
    tokens: app.get(TokenService),
    log,
    part: (name) => app.get(name),
    close: () => app.close(),
  };
}
