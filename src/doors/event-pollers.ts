import {
  type BeforeApplicationShutdown,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';

import { Clock } from '../core/clock.js';
import { EventPoller } from './event-poller.js';
import { SecurityEventReceiver } from './security-event.receiver.js';
import { TransmitterClient } from './transmitter.client.js';
import { Transmitters } from './transmitters.js';

/** Begins to poll when the application is up, and ends before the revocation log does. */
@Injectable()
export class EventPollers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #all: readonly EventPoller[];

  constructor(
    { all }: Transmitters,
    client: TransmitterClient,
    receiver: SecurityEventReceiver,
    clock: Clock,
  ) {
    this.#all = all.flatMap((transmitter) => {
      const { poll } = transmitter.options;
      if (!poll?.enabled) return [];
      return [new EventPoller(transmitter, poll, client, receiver, clock)];
    });
  }

  onApplicationBootstrap(): void {
    for (const poller of this.#all) poller.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.all(this.#all.map((poller) => poller.stop()));
  }
}
