import { publishAlarm } from '../../core/channels.js';
import { GenAuthOptionsError } from '../../core/errors.js';
import {
  type Errand,
  type Freshness,
  RevocationLog,
  type RevocationLogContext,
} from '../../core/revocation-log.js';
import type { Revocation } from '../../core/revocation.js';
import { Appender } from './appender.js';
import { Healer } from './healer.js';
import { Janitor } from './janitor.js';
import { Lease } from './lease.js';
import { alarmOf, LogFault } from './log-fault.js';
import { Outbox } from './outbox.js';
import { BEGINNING, Prover } from './prover.js';
import { Reader } from './reader.js';
import { RecentFacts } from './recent-facts.js';
import { RedisLink } from './redis-link.js';
import { type RedisLogOptions, setUp } from './log-setup.js';
import { ServerCheck } from './server-check.js';

/** What exists once the log was started. */
interface Running {
  readonly lease: Lease;
  readonly appender: Appender;
  readonly reader: Reader;
  readonly outbox: Outbox | undefined;
  readonly ended: Promise<unknown>;
}

const NOT_STARTED: Freshness = { state: 'catching-up', ageMs: Infinity, coveredSince: Infinity };

/** Revocations shared by a fleet through one Redis stream. Made by `redisRevocationLog`. */
export class RedisRevocationLog extends RevocationLog {
  #running: Running | undefined;

  constructor(private readonly options: RedisLogOptions) {
    super();
  }

  override get keepsErrands(): boolean {
    return this.#running?.outbox?.hasRoom ?? false;
  }

  /** @throws {GenAuthOptionsError} maxStaleness leaves no time for a heartbeat */
  override start(context: RevocationLogContext): Promise<void> {
    const { heartbeatMs, rpcTimeoutMs } = this.options;
    if (context.maxStalenessMs <= heartbeatMs + rpcTimeoutMs) {
      throw new GenAuthOptionsError([
        `revocation.maxStaleness must be longer than heartbeat and rpcTimeout of the log together (${heartbeatMs + rpcTimeoutMs} ms): raise it or lower these`,
      ]);
    }
    if (this.#running) throw new Error('a revocation log serves one application: make another');
    return new Promise((resolve, reject) => {
      this.#running = this.#assemble(context, resolve, reject);
    });
  }

  override async append(facts: readonly Revocation[], errand?: Errand): Promise<void> {
    const { appender, outbox } = this.#started();
    if (!errand || !outbox) {
      await appender.append(facts);
      return;
    }
    const id = await appender.append(facts, await outbox.seal(errand));
    if (id !== undefined) outbox.remember(errand, id);
  }

  override withdraw(errand: Errand): void {
    this.#running?.outbox?.withdraw(errand);
  }

  override freshness(): Freshness {
    return this.#running?.lease.freshness() ?? NOT_STARTED;
  }

  override async stop(): Promise<void> {
    if (!this.#running) return;
    const { lease, appender, reader, outbox, ended } = this.#running;
    lease.stop();
    for (const part of [reader, appender, outbox]) part?.stop();
    await ended;
  }

  #started(): Running {
    if (!this.#running || this.freshness().state === 'stopped') {
      throw new Error('the revocation log is not running');
    }
    return this.#running;
  }

  #assemble(
    context: RevocationLogContext,
    onLive: () => void,
    onHopeless: (error: Error) => void,
  ): Running {
    const setup = setUp(this.options, context);
    const link = (): RedisLink => new RedisLink(setup.connect, setup.clock, setup.rpcTimeoutMs);
    const links = { reader: link(), bell: link() };
    const onFault = (error: unknown): void => {
      publishAlarm(alarmOf(error));
      if (error instanceof LogFault && error.isFinal) onHopeless(error);
    };

    const lease = new Lease(setup.clock, context.maxStalenessMs);
    const recent = new RecentFacts(setup.clock, setup.overlapMs);
    const appender = new Appender(link(), setup, {
      onWritten: (facts) => recent.add(facts),
      onOverflow: () => healer.schedule('all', BEGINNING),
      onFault,
    });
    const healer = new Healer(
      links.reader,
      recent,
      setup,
      () => context.held(),
      (facts) => appender.appendLater(facts),
    );
    const prover = new Prover(links.reader, lease, healer, setup, (facts, isRecent) => {
      context.apply(facts);
      if (isRecent) recent.add(facts);
    });
    const check = new ServerCheck(links.reader, setup);
    const janitor = new Janitor(links.reader, setup);
    const reader = new Reader(links, { check, prover, healer, janitor }, setup);
    const outbox = setup.outboxKey && new Outbox(link(), setup, setup.outboxKey, context, onFault);

    const ended = Promise.all([reader.run(onLive, onFault), outbox?.work()]);
    // Whoever waits to become live learns that it will not happen.
    void ended.then(() => onHopeless(new Error('the revocation log was stopped')));
    return { lease, appender, reader, outbox, ended };
  }
}
