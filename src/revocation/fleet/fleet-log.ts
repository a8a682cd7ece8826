import type { Moment } from '../../core/clock.js';
import { type AlarmMessage, publishAlarm } from '../../core/channels.js';
import { GenAuthOptionsError } from '../../core/errors.js';
import {
  type Errand,
  type Freshness,
  RevocationLog,
  type RevocationLogContext,
} from '../../core/revocation-log.js';
import type { Revocation } from '../../core/revocation.js';
import type { Lease } from './lease.js';
import { LogFault } from './log-fault.js';

/** What a log is made of while it runs. */
export interface FleetParts {
  readonly lease: Lease;
  readonly append: (facts: readonly Revocation[], errand?: Errand) => Promise<void>;
  /** Keeps errands, if this log does. */
  readonly outbox?: { readonly hasRoom: boolean; withdraw(errand: Errand): void } | undefined;
  /** Ends every timer and connection; `ended` resolves soon after. */
  readonly stop: () => void;
  readonly ended: Promise<unknown>;
}

/** What the parts report. */
export interface FleetReports {
  readonly onLive: () => void;
  readonly onFault: (error: unknown) => void;
}

const NOT_STARTED: Freshness = { state: 'catching-up', ageMs: Infinity, coveredSince: Infinity };

/** The life of a log that a fleet shares: begun once, live when first proven, and stopped for good. */
export abstract class FleetLog extends RevocationLog {
  #running: FleetParts | undefined;

  constructor(
    private readonly rhythm: { readonly heartbeatMs: number; readonly rpcTimeoutMs: number },
  ) {
    super();
  }

  override get keepsErrands(): boolean {
    return this.#running?.outbox?.hasRoom ?? false;
  }

  /** @throws {GenAuthOptionsError} maxStaleness leaves no time for a heartbeat */
  override start(context: RevocationLogContext): Promise<void> {
    const shortestMs = this.rhythm.heartbeatMs + this.rhythm.rpcTimeoutMs;
    if (context.maxStalenessMs <= shortestMs) {
      throw new GenAuthOptionsError([
        `revocation.maxStaleness must be longer than heartbeat and rpcTimeout of the log together (${shortestMs} ms): raise it or lower these`,
      ]);
    }
    if (this.#running) throw new Error('a revocation log serves one application: make another');
    return new Promise((resolve, reject) => {
      const onFault = (error: unknown): void => {
        publishAlarm(this.alarmOf(error));
        if (error instanceof LogFault && error.isFinal) reject(error);
      };
      this.#running = this.assemble(context, { onLive: resolve, onFault });
      // Whoever waits to become live learns that it will not happen.
      void this.#running.ended.then(() => reject(new Error('the revocation log was stopped')));
    });
  }

  override async append(facts: readonly Revocation[], errand?: Errand): Promise<void> {
    if (!this.#running || this.freshness().state === 'stopped') {
      throw new Error('the revocation log is not running');
    }
    await this.#running.append(facts, errand);
  }

  override withdraw(errand: Errand): void {
    this.#running?.outbox?.withdraw(errand);
  }

  override freshness(now?: Moment): Freshness {
    return this.#running?.lease.freshness(now) ?? NOT_STARTED;
  }

  override async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running.lease.stop();
    this.#running.stop();
    await this.#running.ended;
  }

  /** Makes the parts, and sets them to work. */
  protected abstract assemble(context: RevocationLogContext, reports: FleetReports): FleetParts;

  /** What went wrong, in one line for the operator. */
  protected abstract alarmOf(error: unknown): AlarmMessage;
}
