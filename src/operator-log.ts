import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';

import { type AlarmMessage, channels } from './core/channels.js';
import { Clock } from './core/clock.js';

/** One line for each kind of alarm in this time; the channel carries every one. */
const QUIET_MS = 60_000;

/** Writes alarms to the application's log, sparingly. */
@Injectable()
export class OperatorLog implements OnModuleInit, OnApplicationShutdown {
  readonly #logger = new Logger('GenAuthModule');
  readonly #quietUntil = new Map<AlarmMessage['alarm'], number>();

  constructor(private readonly clock: Clock) {}

  onModuleInit(): void {
    channels.alarm.subscribe(this.#write);
  }

  onApplicationShutdown(): void {
    channels.alarm.unsubscribe(this.#write);
  }

  readonly #write = (message: unknown): void => {
    const { alarm, detail } = message as AlarmMessage;
    const now = this.clock.mono();
    if (now < (this.#quietUntil.get(alarm) ?? -Infinity)) return;
    this.#quietUntil.set(alarm, now + QUIET_MS);
    this.#logger.warn(`${alarm}: ${detail}`);
  };
}
