import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
} from '@nestjs/common';

import { WebhookController } from './webhook.controller.js';
import { type GenAuthWebhookOptions, ResolvedWebhook, resolveWebhook } from './webhook.options.js';
import { type DoorExtras, withRoute } from './door-extras.js';

/** Options of `forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`. */
export type GenAuthWebhookModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  GenAuthWebhookOptions,
  'createGenAuthWebhookOptions'
> &
  DoorExtras;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<GenAuthWebhookOptions>({ moduleName: 'GenAuthWebhook' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createGenAuthWebhookOptions')
    .setExtras<DoorExtras>({ path: 'hooks/genauth', imports: [] }, (definition, extras) =>
      withRoute(definition, extras, WebhookController),
    )
    .build();

/**
 * GenAuth's webhooks: a POST route, `/hooks/genauth` by default, where GenAuth reports that users were signed out,
 * blocked, archived or deleted, or have a new password. Beside `GenAuthModule`, whose applications it cuts.
 *
 * It answers 200 when what the event ends is in the revocation log, or when it ends nothing; 401 without the
 * secret; 503 when the event has to come again.
 *
 * @example
 * @Module({ imports: [GenAuthModule.forRoot({ … }), GenAuthWebhookModule.forRoot({ secret })] })
 * export class AppModule {}
 */
@Module({
  providers: [
    {
      provide: ResolvedWebhook,
      useFactory: resolveWebhook,
      inject: [MODULE_OPTIONS_TOKEN],
    },
  ],
})
export class GenAuthWebhookModule extends ConfigurableModuleClass {
  /** @throws {GenAuthOptionsError} when the application starts, with every fault in the options */
  static override forRoot(options: GenAuthWebhookOptions & DoorExtras): DynamicModule {
    // A copy: what is no object at all becomes a fault as well, named at start.
    return super.forRoot({ ...options });
  }

  /** As `forRoot`, with options that are made later. @throws {GenAuthOptionsError} when the application starts */
  static override forRootAsync(options: GenAuthWebhookModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }
}
