import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
  type ModuleMetadata,
} from '@nestjs/common';

import { withImports } from './door-extras.js';
import {
  type EventHubOptions,
  ResolvedEventHubOptions,
  resolveEventHubOptions,
} from './event-hub.options.js';
import { EventHub } from './event-hub.service.js';

/** Options of the module itself, beside those of the hub. */
export interface EventHubModuleExtras {
  /** With `isGlobal: false`: the very object that `GenAuthModule.forRoot` or `forRootAsync` returned. */
  imports?: ModuleMetadata['imports'];
}

/** Options of `forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`. */
export type EventHubModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  EventHubOptions,
  'createEventHubOptions'
>;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<EventHubOptions>({ moduleName: 'EventHub' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createEventHubOptions')
    .setExtras<EventHubModuleExtras>({ imports: [] }, withImports)
    .build();

/**
 * Hears from GenAuth's event hub, over WebSocket, who was signed out elsewhere or may no longer act, and
 * revokes their tokens. Needs the package `ws`, and `GenAuthModule` beside it.
 *
 * It never delays the start of the application, and never gives up to connect.
 *
 * @example
 * imports: [GenAuthModule.forRoot({ … }), EventHubModule.forRoot({ accessKeyId, accessKeySecret })]
 */
@Module({
  providers: [
    {
      provide: ResolvedEventHubOptions,
      useFactory: resolveEventHubOptions,
      inject: [MODULE_OPTIONS_TOKEN],
    },
    EventHub,
  ],
  exports: [EventHub],
})
export class EventHubModule extends ConfigurableModuleClass {
  /** @throws {GenAuthOptionsError} when the application starts, with every fault in the options */
  static override forRoot(options: EventHubOptions & EventHubModuleExtras): DynamicModule {
    // A copy: what is no object at all becomes a fault as well, named at start.
    return super.forRoot({ ...options });
  }

  /** As `forRoot`, with options that are made later. @throws {GenAuthOptionsError} when the application starts */
  static override forRootAsync(options: EventHubModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }
}
