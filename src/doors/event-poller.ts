import { publishNews } from '../core/channels.js';
import type { Clock } from '../core/clock.js';
import { GenAuthError } from '../core/errors.js';
import { Pause } from '../core/pause.js';
import { pauseAfter } from './back-off.js';
import type { SecurityEventReceiver } from './security-event.receiver.js';
import type { ResolvedPoll } from './security-events.options.js';
import { SetRefusal } from './set-refusal.js';
import type { Transmitter } from './transmitter.js';
import type { PollRequest, TransmitterClient } from './transmitter.client.js';

const MIN_PAUSE_MS = 1_000;

/** What the transmitter is told with the next exchange: of the SETs in the last answer, and of no others. */
type Report = Pick<PollRequest, 'ack' | 'setErrs'>;

type Fate = 'acknowledged' | 'failed' | SetRefusal;

/** `news`: there was a SET that the last answer did not have. `failed`: there was no answer. */
type Outcome = 'news' | 'quiet' | 'failed';

/**
 * Fetches SETs from a transmitter for as long as the application runs (RFC 8936), one exchange at a time.
 *
 * A SET is acknowledged when what it says is durable, and reported as faulty when it is refused. Whatever
 * else happens it comes again.
 */
export class EventPoller {
  readonly #pause: Pause;
  readonly #closing = new AbortController();
  #report: Report = { ack: [], setErrs: {} };
  #running: Promise<void> | undefined;

  constructor(
    private readonly transmitter: Transmitter,
    private readonly poll: ResolvedPoll,
    private readonly client: TransmitterClient,
    private readonly receiver: SecurityEventReceiver,
    private readonly clock: Clock,
  ) {
    this.#pause = new Pause(clock);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    this.#pause.end();
    this.#closing.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    let failures = 0;
    while (!this.#pause.over) {
      const begunAt = this.clock.mono();
      const outcome = await this.#exchange();
      failures = outcome === 'failed' ? failures + 1 : 0;
      // With news the transmitter is told at once, and may have more.
      if (outcome === 'news') continue;
      const { intervalMs, maxBackoffMs: maxPauseMs } = this.poll;
      const rest = failures
        ? pauseAfter(failures - 1, { minPauseMs: MIN_PAUSE_MS, maxPauseMs })
        : begunAt + intervalMs - this.clock.mono();
      if (rest > 0) await this.#pause.rest(rest);
    }
  }

  async #exchange(): Promise<Outcome> {
    const { maxEvents, longPolling } = this.poll;
    const told = this.#report;
    try {
      const request = { maxEvents, returnImmediately: !longPolling, ...told };
      const sets = await this.client.poll(this.poll, request, this.#closing.signal);
      const fates = await Promise.all(sets.map(([jti, set]) => this.#take(jti, set)));
      const jtis = sets.map(([jti]) => jti);
      this.#report = reportOf(jtis, fates);
      // One that fails each time is in the next answer again, and must not slow the others down.
      if (fates.includes('failed')) return 'quiet';
      const isNew = (jti: string) => !told.ack.includes(jti) && !Object.hasOwn(told.setErrs, jti);
      return jtis.some(isNew) ? 'news' : 'quiet';
    } catch {
      return 'failed';
    }
  }

  async #take(jti: string, set: unknown): Promise<Fate> {
    try {
      // What is no string is no SET either, and is refused as such.
      const text = typeof set === 'string' ? set : '';
      await this.receiver.take(text, { from: [this.transmitter], jti });
      return 'acknowledged';
    } catch (error) {
      if (error instanceof SetRefusal) return error;
      const detail = error instanceof GenAuthError ? error.message : 'it could not be judged';
      publishNews({ source: 'securityEvent', outcome: 'unavailable', detail });
      return 'failed';
    }
  }
}

function reportOf(jtis: readonly string[], fates: readonly Fate[]): Report {
  const ack = jtis.filter((_, place) => fates[place] === 'acknowledged');
  const refused = jtis.flatMap((jti, place) => {
    const fate = fates[place];
    if (!(fate instanceof SetRefusal)) return [];
    const { err, description } = fate;
    return [[jti, { err, description }] as const];
  });
  return { ack, setErrs: Object.fromEntries(refused) };
}
