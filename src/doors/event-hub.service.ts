import { createHmac } from 'node:crypto';

import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';

import { Caution } from '../caution.js';
import { Clock } from '../core/clock.js';
import { ResolvedOptions } from '../genauth.options.js';
import { Intake } from '../intake.js';
import { ResolvedEventHubOptions } from './event-hub.options.js';
import { type EventHubState, EventSubscription } from './event-subscription.js';
import { judgeHubEvent } from './judge-hub-event.js';
import { NewsDesk } from './news-desk.js';

/** GenAuth's event hub, listened to for as long as the application runs. Inject it to see how that goes. */
@Injectable()
export class EventHub implements OnModuleInit, OnApplicationBootstrap, OnApplicationShutdown {
  readonly #desk: NewsDesk;
  readonly #subscriptions: readonly EventSubscription[];

  constructor(
    options: ResolvedEventHubOptions,
    { applications }: ResolvedOptions,
    intake: Intake,
    caution: Caution,
    clock: Clock,
  ) {
    this.#desk = new NewsDesk('eventHub', intake, clock, options);
    const authorization = authorizationOf(options);
    const { map } = options;
    const judge = (code: string, text: string) => judgeHubEvent(code, text, map, applications);
    const parts = { options, authorization, clock, caution, desk: this.#desk, judge };
    this.#subscriptions = options.events.map((code) => new EventSubscription(code, parts));
  }

  /** How each subscription stands, in the order of the option `events`. */
  state(): readonly EventHubState[] {
    return this.#subscriptions.map(({ state }) => state);
  }

  /** Messages that deny here already, but that the log has yet to acknowledge. */
  get waiting(): number {
    return this.#desk.waiting;
  }

  onModuleInit(): void {
    for (const subscription of this.#subscriptions) subscription.begin();
  }

  onApplicationBootstrap(): void {
    for (const subscription of this.#subscriptions) subscription.open();
  }

  async onApplicationShutdown(): Promise<void> {
    this.#desk.close();
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
  }
}

/** What GenAuth asks of a subscriber: a constant, signed with the secret key. */
function authorizationOf({
  accessKeyId,
  accessKeySecret,
  authorizationScheme,
}: ResolvedEventHubOptions): string {
  const signature = createHmac('sha1', accessKeySecret).update('websocket\n').digest('base64');
  return `${authorizationScheme} ${accessKeyId}:${signature}`;
}
