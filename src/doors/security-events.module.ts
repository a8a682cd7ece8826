import {
  ConfigurableModuleBuilder,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  Module,
} from '@nestjs/common';

import { Clock } from '../core/clock.js';
import { ResolvedOptions } from '../genauth.options.js';
import { HttpSender } from '../genauth.request.js';
import { type DoorExtras, withImports, withRoute } from './door-extras.js';
import { EventPollers } from './event-pollers.js';
import { SecurityEventReceiver } from './security-event.receiver.js';
import { SecurityEventsController } from './security-events.controller.js';
import type {
  SecurityEventsOptions,
  SecurityEventsOptionsFactory,
} from './security-events.options.js';
import { TransmitterClient } from './transmitter.client.js';
import { Transmitters } from './transmitters.js';

/** Options of the module itself, beside those of the transmitters. */
export interface SecurityEventsModuleExtras extends Pick<DoorExtras, 'imports'> {
  /** The route that SETs are pushed to; `false` when they are only polled. @default 'security-events' */
  path?: string | false;
}

/** Options of `forRootAsync`: `useFactory` with `inject`, `useClass` or `useExisting`. */
export type SecurityEventsModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  SecurityEventsOptions,
  keyof SecurityEventsOptionsFactory
> &
  SecurityEventsModuleExtras;

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<SecurityEventsOptions>({ moduleName: 'SecurityEvents' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createSecurityEventsOptions')
    .setExtras<SecurityEventsModuleExtras>(
      { path: 'security-events', imports: [] },
      (definition, { path = 'security-events', imports }) =>
        path === false
          ? withImports(definition, { imports })
          : withRoute(definition, { path, imports }, SecurityEventsController),
    )
    .build();

/**
 * Takes security event tokens, pushed or polled, from transmitters of Shared Signals (SSF, CAEP, RISC 1.0),
 * and makes revocations of them.
 *
 * @example
 * SecurityEventsModule.forRoot({
 *   issuer: 'https://transmitter.example.com',
 *   jwksUri: 'https://transmitter.example.com/jwks.json',
 *   audience: 'https://api.example.com',
 * })
 */
@Module({
  providers: [
    HttpSender,
    TransmitterClient,
    {
      provide: Transmitters,
      useFactory: (
        options: SecurityEventsOptions,
        shared: ResolvedOptions,
        client: TransmitterClient,
        clock: Clock,
      ) => new Transmitters(options, shared, client, clock),
      inject: [MODULE_OPTIONS_TOKEN, ResolvedOptions, TransmitterClient, Clock],
    },
    SecurityEventReceiver,
    EventPollers,
  ],
})
export class SecurityEventsModule extends ConfigurableModuleClass {
  /** @throws {GenAuthOptionsError} when the application starts, with every fault in the options */
  static override forRoot(
    options: SecurityEventsOptions & SecurityEventsModuleExtras,
  ): DynamicModule {
    // A copy: what is no object at all becomes a fault as well, named at start.
    return super.forRoot({ ...options });
  }

  /** As `forRoot`, with options that are made later. @throws {GenAuthOptionsError} when the application starts */
  static override forRootAsync(options: SecurityEventsModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }
}
