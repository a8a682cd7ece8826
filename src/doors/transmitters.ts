import type { Clock } from '../core/clock.js';
import type { ResolvedOptions } from '../genauth.options.js';
import { resolveTransmitters } from './resolve-transmitters.js';
import type { SecurityEventsOptions } from './security-events.options.js';
import { Transmitter } from './transmitter.js';
import type { TransmitterClient } from './transmitter.client.js';

/** The configured transmitters. */
export class Transmitters {
  readonly all: readonly Transmitter[];

  /** @throws {GenAuthOptionsError} with every fault in the options */
  constructor(
    options: SecurityEventsOptions,
    shared: ResolvedOptions,
    client: TransmitterClient,
    clock: Clock,
  ) {
    this.all = resolveTransmitters(options, shared).map(
      (one) => new Transmitter(one, ({ jwksUri }) => client.fetchKeys(jwksUri), shared, clock),
    );
  }
}
