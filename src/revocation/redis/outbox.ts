import { compactDecrypt, CompactEncrypt } from 'jose';

import { publishAlarm } from '../../core/channels.js';
import { latestWall } from '../../core/clock.js';
import { Pause } from '../../core/pause.js';
import type { Errand, RevocationLogContext } from '../../core/revocation-log.js';
import type { SealedErrand } from '../fleet/appender.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { readStream } from './server-state.js';
import type { Row } from './stream-id.js';

/** One group, one consumer: which process runs an errand does not matter, and nothing is left behind by restarts. */
const GROUP = 'genauth';
/** Errands run at a time in one process. */
const AT_ONCE = 8;
/** An errand is left for this many heartbeats to the process that made it, or that tried it last. */
const BEATS = 5;
const FIRST = '0-0';
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
  /** Where to go on: errands that fail again and again must not keep those behind them waiting. */
  #next = FIRST;
  /** As many as were there when this process last looked, and those it has added since. */
  #length = 0;

  constructor(
    private readonly link: RedisLink,
    private readonly setup: LogSetup,
    private readonly secretKey: Uint8Array,
    private readonly courier: Pick<RevocationLogContext, 'deliver'>,
    private readonly onFault: (error: unknown) => void,
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
    if (id !== undefined) this.#remove(id).catch((error: unknown) => this.#fail(error));
  }

  /** Runs errands until `stop`. */
  async work(): Promise<void> {
    const restMs = this.setup.heartbeatMs * BEATS;
    let pauseMs = restMs;
    while (!this.#pause.over) {
      await this.#pause.rest(pauseMs * (0.5 + Math.random()));
      if (this.#pause.over) return;
      const done = await this.#runAll(restMs).catch((error: unknown) => this.#fail(error));
      pauseMs = done ? restMs : Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  stop(): void {
    this.#pause.end();
    this.link.close();
  }

  /** @returns whether all that was due is done */
  async #runAll(idleMs: number): Promise<boolean> {
    while (!this.#pause.over) {
      const rows = await this.#claim(idleMs);
      if (rows.length === 0 && this.#next === FIRST) break;
      const runs = rows.map((row) => this.#run(row).catch((error: unknown) => this.#fail(error)));
      if ((await Promise.all(runs)).includes(false)) return false;
    }
    return true;
  }

  async #claim(idleMs: number): Promise<readonly Row[]> {
    const { outbox } = this.setup.keys;
    if (!this.#hasGroup) await this.#makeGroup();
    const [, claimed, state] = await this.link.run([
      ['XREADGROUP', 'GROUP', GROUP, GROUP, 'COUNT', '1000', 'STREAMS', outbox, '>'],
      ['XAUTOCLAIM', outbox, GROUP, GROUP, `${idleMs}`, this.#next, 'COUNT', `${AT_ONCE}`],
      ['XINFO', 'STREAM', outbox],
    ]);
    this.#length = readStream(state).length;
    const [next, rows] = claimed as readonly [string, readonly (Row | null)[]];
    this.#next = next;
    return rows.filter((row) => row !== null);
  }

  async #makeGroup(): Promise<void> {
    const create = ['XGROUP', 'CREATE', this.setup.keys.outbox, GROUP, '0', 'MKSTREAM'];
    await this.link.run([create]).catch((error: unknown) => {
      if (!String(error).includes('BUSYGROUP')) throw error;
    });
    this.#hasGroup = true;
  }

  /** @returns whether it is done with */
  async #run([id, fields]: Row): Promise<boolean> {
    const [sealed, dueUntilAt] = [valueOf(fields, 'c'), Number(valueOf(fields, 'x'))];
    if (!(dueUntilAt < latestWall(this.setup.clock)) && !(await this.#deliver(sealed)))
      return false;
    await this.#remove(id);
    return true;
  }

  async #deliver(sealed: string): Promise<boolean> {
    const opened = await this.#open(sealed);
    if (opened === undefined) return false;
    return this.courier.deliver(opened).then(
      () => true,
      () => false,
    );
  }

  async #open(sealed: string): Promise<string | undefined> {
    try {
      const { plaintext } = await compactDecrypt(sealed, this.secretKey, ONLY_SEALED);
      return Buffer.from(plaintext).toString();
    } catch {
      const detail = 'an errand cannot be read: is outbox.secret the same everywhere?';
      publishAlarm({ alarm: 'errand_failed', detail });
      return undefined;
    }
  }

  async #remove(id: string): Promise<void> {
    const { outbox } = this.setup.keys;
    await this.link.run([
      ['XACK', outbox, GROUP, id],
      ['XDEL', outbox, id],
    ]);
  }

  #fail(error: unknown): false {
    // The outbox may have been wiped, and its group with it.
    this.#hasGroup = false;
    this.#next = FIRST;
    if (!this.#pause.over) this.onFault(error);
    return false;
  }
}

function valueOf(fields: readonly string[], name: string): string {
  return fields[fields.indexOf(name) + 1] ?? '';
}
