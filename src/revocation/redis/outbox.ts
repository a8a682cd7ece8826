import { compactDecrypt, CompactEncrypt } from 'jose';

import { publishAlarm } from '../../core/channels.js';
import { latestWall } from '../../core/clock.js';
import type { Errand } from '../../core/revocation-log.js';
import type { SealedErrand } from './appender.js';
import { Pause } from './pause.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { readStream } from './server-state.js';
import type { Row } from './wire.js';

/** One group, one consumer: which process runs an errand does not matter, and nothing is left behind by restarts. */
const GROUP = 'genauth';
/** Errands run at a time in one process. */
const AT_ONCE = 8;
/** An errand is left for this many heartbeats to the process that made it, or that tried it last. */
const BEATS = 5;
const LONGEST_PAUSE_MS = 60_000;
/** With so many errands in it the outbox takes no more. */
const MOST_ERRANDS = 100_000;

const SEAL = { alg: 'dir', enc: 'A256GCM' } as const;
const ONLY_SEALED = {
  keyManagementAlgorithms: [SEAL.alg],
  contentEncryptionAlgorithms: [SEAL.enc],
};

/** Errands that outlive the process that made them: encrypted, and tried until done or due. */
export class Outbox {
  readonly #ids = new WeakMap<Errand, string>();
  readonly #pause: Pause;
  #hasGroup = false;
  /** As many as were there when this process last looked, and those it has added since. */
  #length = 0;

  constructor(
    private readonly link: RedisLink,
    private readonly setup: LogSetup,
    private readonly secretKey: Uint8Array,
    private readonly deliver: (errand: string) => Promise<void>,
  ) {
    this.#pause = new Pause(setup.clock);
  }

  /** Whether it takes another errand. */
  get hasRoom(): boolean {
    return this.#length < MOST_ERRANDS;
  }

  async seal({ text, dueUntilAt }: Errand): Promise<SealedErrand> {
    const sealed = await new CompactEncrypt(Buffer.from(text))
      .setProtectedHeader(SEAL)
      .encrypt(this.secretKey);
    return { fields: ['c', sealed, 'x', `${dueUntilAt}`], dueUntilAt };
  }

  remember(errand: Errand, id: string): void {
    this.#length += 1;
    this.#ids.set(errand, id);
  }

  /** Best effort: an errand that is run once more does no harm. */
  withdraw(errand: Errand): void {
    const id = this.#ids.get(errand);
    if (id !== undefined) this.#remove(id).catch(() => undefined);
  }

  /** Runs errands until `stop`. */
  async work(): Promise<void> {
    const restMs = this.setup.heartbeatMs * BEATS;
    let pauseMs = restMs;
    while (!this.#pause.over) {
      await this.#pause.rest(pauseMs * (0.5 + Math.random()));
      if (this.#pause.over) return;
      try {
        while (await this.#runSome(restMs)) pauseMs = restMs;
      } catch {
        // The outbox may have been wiped, and its group with it.
        this.#hasGroup = false;
        pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      }
    }
  }

  stop(): void {
    this.#pause.end();
    this.link.close();
  }

  /** @returns whether there may be more. Rejects as soon as one has to be tried again. */
  async #runSome(idleMs: number): Promise<boolean> {
    const { outbox } = this.setup.keys;
    if (!this.#hasGroup) await this.#makeGroup();
    const [, claimed, state] = await this.link.run([
      ['XREADGROUP', 'GROUP', GROUP, GROUP, 'COUNT', '1000', 'STREAMS', outbox, '>'],
      ['XAUTOCLAIM', outbox, GROUP, GROUP, `${idleMs}`, '0-0', 'COUNT', `${AT_ONCE}`],
      ['XINFO', 'STREAM', outbox],
    ]);
    this.#length = readStream(state).length;
    const rows = (claimed as readonly [string, readonly (Row | null)[]])[1];
    const due = rows.filter((row) => row !== null);
    const runs = await Promise.allSettled(due.map((row) => this.#run(row)));
    for (const run of runs) if (run.status === 'rejected') throw run.reason;
    return due.length > 0 && !this.#pause.over;
  }

  async #makeGroup(): Promise<void> {
    const create = ['XGROUP', 'CREATE', this.setup.keys.outbox, GROUP, '0', 'MKSTREAM'];
    await this.link.run([create]).catch((error: unknown) => {
      if (!String(error).includes('BUSYGROUP')) throw error;
    });
    this.#hasGroup = true;
  }

  async #run([id, fields]: Row): Promise<void> {
    const [sealed, dueUntilAt] = [valueOf(fields, 'c'), Number(valueOf(fields, 'x'))];
    if (!(dueUntilAt < latestWall(this.setup.clock))) {
      const opened = await compactDecrypt(sealed, this.secretKey, ONLY_SEALED).catch(() => {
        publishAlarm({
          alarm: 'errand_failed',
          detail: 'an errand cannot be read: is outbox.secret the same everywhere?',
        });
        throw new Error('the errand cannot be read');
      });
      await this.deliver(Buffer.from(opened.plaintext).toString());
    }
    await this.#remove(id);
  }

  async #remove(id: string): Promise<void> {
    const { outbox } = this.setup.keys;
    await this.link.run([
      ['XACK', outbox, GROUP, id],
      ['XDEL', outbox, id],
    ]);
  }
}

function valueOf(fields: readonly string[], name: string): string {
  return fields[fields.indexOf(name) + 1] ?? '';
}
