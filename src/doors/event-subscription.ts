import type { Caution } from '../caution.js';
import { publishAlarm, publishNews } from '../core/channels.js';
import type { Clock } from '../core/clock.js';
import { EventLink } from './event-link.js';
import type { ResolvedEventHubOptions } from './event-hub.options.js';
import type { Judged } from './judge-hub-event.js';
import type { NewsDesk } from './news-desk.js';

/** How the subscription to one event stands. Instants are epoch milliseconds. */
export interface EventHubState {
  /** The event code. */
  readonly code: string;
  readonly connected: boolean;
  /** Since when it is connected, or not. */
  readonly since: number;
  /** Messages that came. Each is taken, not understood, waiting for the log, or lost in a gap. */
  readonly received: number;
  /** Messages made into revocations that the log has acknowledged, or that ask for none. */
  readonly taken: number;
  readonly notUnderstood: number;
  /** Times in which events may have been lost, the one before the first connection included. */
  readonly gaps: number;
}

/** What a subscription is made with. */
export interface SubscriptionParts {
  readonly options: ResolvedEventHubOptions;
  readonly authorization: string;
  readonly clock: Clock;
  readonly caution: Caution;
  readonly desk: NewsDesk;
  readonly judge: (code: string, text: string) => Judged;
}

/** One event of the hub: its connection, what becomes of its messages, and the gaps. */
export class EventSubscription {
  readonly #link: EventLink;
  #connected = false;
  #since: number;
  readonly #counts = { received: 0, taken: 0, notUnderstood: 0, gaps: 0 };

  constructor(
    private readonly code: string,
    private readonly parts: SubscriptionParts,
  ) {
    const { options, authorization, clock } = parts;
    this.#since = clock.wall();
    const url = `${options.socketUri}/events/v1/management/sub?code=${encodeURIComponent(code)}`;
    this.#link = new EventLink({ url, authorization }, options, clock, {
      up: () => this.#up(),
      down: (why) => this.#down(why),
      message: (text) => this.#receive(text),
    });
  }

  get state(): EventHubState {
    const { code } = this;
    return Object.freeze({ code, connected: this.#connected, since: this.#since, ...this.#counts });
  }

  /** The time until the first connection is a gap: it begins now. */
  begin(): void {
    this.#since = this.parts.clock.wall();
    this.#openGap();
  }

  /** Connects, without waiting for it. */
  open(): void {
    this.#link.open();
  }

  close(): Promise<void> {
    this.#connected = false;
    return this.#link.close();
  }

  #up(): void {
    this.#connected = true;
    this.#since = this.parts.clock.wall();
    this.#closeGap();
  }

  #down(why: string): void {
    publishAlarm({
      alarm: 'event_hub_unreachable',
      detail: `not subscribed to ${this.code}, trying again: ${why}`,
    });
    if (!this.#connected) return;
    this.#connected = false;
    this.#since = this.parts.clock.wall();
    this.#openGap();
  }

  #receive(text: string | undefined): void {
    this.#counts.received += 1;
    const judged = text === undefined ? BINARY : this.parts.judge(this.code, text);
    if (judged.is === 'not_understood') {
      this.#counts.notUnderstood += 1;
      publishNews({ source: 'eventHub', outcome: 'not_understood', detail: judged.why });
      if (judged.mapFailed) {
        publishAlarm({ alarm: 'listener_failed', detail: 'map of EventHubModule threw' });
      }
      return;
    }
    if (this.parts.desk.put(judged.cuts, () => (this.#counts.taken += 1))) return;
    publishNews({ source: 'eventHub', outcome: 'unavailable', detail: 'no room: it is lost' });
    this.#openGap();
    this.#closeGap();
  }

  /** Events may have been lost since the last sign of life, so no word of GenAuth from before now counts. */
  #openGap(): void {
    this.#counts.gaps += 1;
    this.#demandWords(Infinity);
  }

  /** What happened up to now may be unknown here; GenAuth knows it, when it is asked from now on. */
  #closeGap(): void {
    this.#demandWords(this.parts.options.verifyOnlineForMs);
  }

  #demandWords(forMs: number | undefined): void {
    const { options, caution, clock } = this.parts;
    if (options.verifyOnlineForMs !== undefined) caution.warn(this, clock.wall(), forMs);
  }
}

const BINARY: Judged = { is: 'not_understood', why: 'a frame is binary' };
