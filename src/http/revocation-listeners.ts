import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';

import { publishAlarm } from '../core/channels.js';
import type { RevocationEvent } from '../core/revocation.js';
import { TokenService } from '../token.service.js';
import { metadata } from './decorators.js';

/** Calls of one listener that may be unfinished; beyond, it misses events until it catches up. */
const MOST_PENDING = 1_000;

type Listener = (event: RevocationEvent) => unknown;

/** Feeds the `@OnRevocation()` methods of the application from `revocations$`. */
@Injectable()
export class RevocationListeners implements OnApplicationBootstrap {
  readonly #logger = new Logger('GenAuthModule');

  constructor(
    private readonly tokens: TokenService,
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
  ) {}

  onApplicationBootstrap(): void {
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    for (const wrapper of wrappers) {
      const prototype: unknown = wrapper.metatype?.prototype;
      if (typeof prototype !== 'object' || prototype === null) continue;
      for (const method of this.scanner.getAllMethodNames(prototype)) {
        if (!this.discovery.getMetadataByDecorator(metadata.Listener, wrapper, method)) continue;
        const name = `${wrapper.name}.${method}`;
        if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
          const instance = wrapper.instance as Record<string, Listener>;
          this.#feed(name, (event) => instance[method]?.(event));
        } else {
          this.#logger.error(
            `@OnRevocation() on ${name} is never called: its class is not a singleton`,
          );
        }
      }
    }
  }

  #feed(name: string, listener: Listener): void {
    let pending = 0;
    this.tokens.revocations$.subscribe((event) => {
      if (pending >= MOST_PENDING) {
        publishAlarm({ alarm: 'listener_behind', detail: `${name} misses events` });
        return;
      }
      pending += 1;
      Promise.resolve(event)
        .then(listener)
        .catch(() => {
          publishAlarm({ alarm: 'listener_failed', detail: `${name} threw` });
        })
        .finally(() => (pending -= 1));
    });
  }
}
