import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
} from '@nestjs/common';

import { BackchannelLogoutController } from './backchannel-logout.controller.js';
import {
  type BackchannelLogoutOptions,
  ResolvedBackchannelLogout,
  resolveBackchannelLogout,
} from './backchannel-logout.options.js';
import { type DoorExtras, withRoute } from './door-extras.js';
import { LogoutTokenVerifier } from './logout-token.verifier.js';

/** Options of `forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`. */
export type BackchannelLogoutModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  BackchannelLogoutOptions,
  'createBackchannelLogoutOptions'
> &
  DoorExtras;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<BackchannelLogoutOptions>({ moduleName: 'BackchannelLogout' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createBackchannelLogoutOptions')
    .setExtras<DoorExtras>({ path: 'backchannel-logout', imports: [] }, (definition, extras) =>
      withRoute(definition, extras, BackchannelLogoutController),
    )
    .build();

/**
 * OpenID Connect Back-Channel Logout 1.0: a POST route, `/backchannel-logout` by default, where the provider
 * reports that a session has ended. Beside `GenAuthModule`, whose applications, issuers and keys it uses.
 *
 * It answers 200 when the logout is in the revocation log, 400 when the token is not to be believed or was
 * received before, and 503 when it has to come again.
 *
 * @example
 * @Module({ imports: [GenAuthModule.forRoot({ … }), BackchannelLogoutModule.forRoot()] })
 * export class AppModule {}
 */
@Module({
  providers: [
    {
      provide: ResolvedBackchannelLogout,
      useFactory: resolveBackchannelLogout,
      inject: [MODULE_OPTIONS_TOKEN],
    },
    LogoutTokenVerifier,
  ],
})
export class BackchannelLogoutModule extends ConfigurableModuleClass {
  /** @throws {GenAuthOptionsError} when the application starts, with every fault in the options */
  static override forRoot(options: BackchannelLogoutOptions & DoorExtras = {}): DynamicModule {
    // A copy: what is no object at all becomes a fault as well, named at start.
    return super.forRoot({ ...options });
  }

  /** As `forRoot`, with options that are made later. @throws {GenAuthOptionsError} when the application starts */
  static override forRootAsync(options: BackchannelLogoutModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }
}
