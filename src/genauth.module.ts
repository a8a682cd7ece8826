import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
} from '@nestjs/common';
import { APP_FILTER, DiscoveryModule } from '@nestjs/core';

import { Caution } from './caution.js';
import { Clock, SystemClock } from './core/clock.js';
import { GenAuthClient } from './genauth.client.js';
import { type GenAuthModuleOptions, ResolvedOptions } from './genauth.options.js';
import { HttpSender } from './genauth.request.js';
import { GenAuthFilter } from './http/genauth.filter.js';
import { GenAuthGuard } from './http/genauth.guard.js';
import { RevocationListeners } from './http/revocation-listeners.js';
import { Intake } from './intake.js';
import { OperatorLog } from './operator-log.js';
import { resolveOptions } from './resolve-options.js';
import { RevocationIndex } from './revocation/revocation-index.js';
import { RevocationLog } from './core/revocation-log.js';
import { InProcessRevocationLog } from './revocation/in-process-log.js';
import { Revoker } from './revoker.js';
import { TokenIntrospection } from './token-introspection.js';
import { TokenRevoker } from './token-revoker.js';
import { TokenService } from './token.service.js';
import { TokenVerification } from './token-verification.js';
import { Applications } from './verify/applications.js';
import { PrincipalCache } from './verify/principal-cache.js';

/** Options of the module itself, beside those of GenAuth. */
export interface GenAuthModuleExtras {
  /** Whether guards and `TokenService` work in every module without importing this one. @default true */
  isGlobal?: boolean;
}

/** Options of `forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`. */
export type GenAuthModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  GenAuthModuleOptions,
  'createGenAuthOptions'
> &
  GenAuthModuleExtras;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<GenAuthModuleOptions>({ moduleName: 'GenAuth' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createGenAuthOptions')
    .setExtras<GenAuthModuleExtras>({ isGlobal: true }, (definition, { isGlobal = true }) => ({
      ...definition,
      global: isGlobal,
    }))
    .build();

/**
 * Local verification of GenAuth's access tokens, and revocation that holds.
 *
 * @example
 * @Module({ imports: [GenAuthModule.forRoot({ appId, appSecret, appHost: 'https://example.genauth.ai' })] })
 * export class AppModule {}
 */
@Module({
  imports: [DiscoveryModule],
  providers: [
    { provide: Clock, useClass: SystemClock },
    { provide: ResolvedOptions, useFactory: resolveOptions, inject: [MODULE_OPTIONS_TOKEN] },
    {
      provide: PrincipalCache,
      useFactory: (options: ResolvedOptions, clock: Clock) => new PrincipalCache(options, clock),
      inject: [ResolvedOptions, Clock],
    },
    {
      provide: RevocationLog,
      useFactory: (options: ResolvedOptions) =>
        options.revocationLog ?? new InProcessRevocationLog(),
      inject: [ResolvedOptions],
    },
    {
      provide: RevocationIndex,
      useFactory: (options: ResolvedOptions, clock: Clock) =>
        new RevocationIndex(
          clock,
          options.maxTokenLifetimeMs,
          options.clockToleranceMs,
          options.maxEntries,
        ),
      inject: [ResolvedOptions, Clock],
    },
    HttpSender,
    GenAuthClient,
    Applications,
    Revoker,
    TokenRevoker,
    TokenIntrospection,
    Intake,
    Caution,
    TokenVerification,
    TokenService,
    GenAuthGuard,
    { provide: APP_FILTER, useClass: GenAuthFilter },
    RevocationListeners,
    OperatorLog,
  ],
  // The last four are for the doors; no entry names them.
  exports: [TokenService, GenAuthGuard, Clock, ResolvedOptions, Applications, Intake, Caution],
})
export class GenAuthModule extends ConfigurableModuleClass {
  /** @throws {GenAuthOptionsError} when the application starts, with every fault in the options */
  static override forRoot(options: GenAuthModuleOptions & GenAuthModuleExtras): DynamicModule {
    // A copy: what is no object at all becomes a fault as well, named at start.
    return super.forRoot({ ...options });
  }

  /** As `forRoot`, with options that are made later. @throws {GenAuthOptionsError} when the application starts */
  static override forRootAsync(options: GenAuthModuleAsyncOptions): DynamicModule {
    const { useFactory, useClass, useExisting } = options ?? {};
    if (!useFactory && !useClass && !useExisting) {
      throw new TypeError('forRootAsync needs useFactory, useClass or useExisting');
    }
    return super.forRootAsync(options);
  }
}
