import { publishAlarm } from '../../core/channels.js';
import { isJsonObject, type JsonObject } from '../../core/json.js';
import { LogFault } from '../fleet/log-fault.js';
import { type JetStreamLink, JetStreamError } from './jetstream-link.js';
import type { LogSetup } from './log-setup.js';

/** Entries are kept this much longer than any token can live. */
const GRACE_MS = 600_000;
const NANOS = 1_000_000;
const MINUTE_MS = 60_000;
const STREAM_NOT_FOUND = 10_059;

/** Whether the stream is set up to hold the log: looked at for every connection, and each minute. */
export class StreamCheck {
  #looked: { readonly generation: number; readonly at: number } | undefined;
  #createdAt = '';
  #replicas = 1;

  constructor(
    private readonly link: JetStreamLink,
    private readonly setup: LogSetup,
  ) {}

  /** When the stream was made, as the server writes it: another instant is another stream. */
  get createdAt(): string {
    return this.#createdAt;
  }

  /** On how many servers it is. */
  get replicas(): number {
    return this.#replicas;
  }

  /** As `look`, unless that was done just now. */
  async check(): Promise<void> {
    const { generation, at } = this.#looked ?? {};
    const isDone = generation === this.link.generation && at !== undefined;
    if (!isDone || this.setup.clock.mono() > at + MINUTE_MS) await this.look();
  }

  /**
   * Looks at the stream, and makes it when there is none.
   *
   * @throws {LogFault} it is set up so that it may lose what it acknowledged, or for another `maxTokenLifetime`
   */
  async look(): Promise<void> {
    const { created, config } = await this.#readOrMake();
    if (typeof created !== 'string' || !isJsonObject(config)) {
      throw new Error('JetStream gave an answer that is not understood');
    }
    this.#refuseOtherLifetime(config);
    const fault = faultOf(config, this.setup);
    if (fault !== undefined) throw new LogFault(`the stream '${this.setup.stream}' ${fault}`);
    if (config['storage'] === 'memory') {
      const detail = `the stream '${this.setup.stream}' is kept in memory: when its servers restart, acknowledged revocations are lost until a process brings them back`;
      publishAlarm({ alarm: 'log_misconfigured', detail });
    }
    this.#createdAt = created;
    this.#replicas = Number(config['num_replicas']);
    this.#looked = { generation: this.link.generation, at: this.setup.clock.mono() };
  }

  async #readOrMake(): Promise<JsonObject> {
    try {
      return await this.link.ask('STREAM.INFO');
    } catch (error) {
      if (!(error instanceof JetStreamError) || error.code !== STREAM_NOT_FOUND) throw error;
      return this.link.ask('STREAM.CREATE', configOf(this.setup));
    }
  }

  /** The age that the stream lets its messages reach is what the fleet has agreed upon. */
  #refuseOtherLifetime({ max_age }: JsonObject): void {
    const { stream, maxTokenLifetimeMs } = this.setup;
    if (max_age === ageOf(maxTokenLifetimeMs)) return;
    const theirs = Number(max_age) / NANOS - GRACE_MS;
    const detail = `maxTokenLifetime is ${maxTokenLifetimeMs} here and ${theirs} for the fleet ('max_age' of the stream '${stream}', less ten minutes): set it to the same everywhere`;
    throw new LogFault(detail, true);
  }
}

function ageOf(maxTokenLifetimeMs: number): number {
  return (maxTokenLifetimeMs + GRACE_MS) * NANOS;
}

/** A stream whose messages leave it by age alone. */
function configOf({ stream, replicas, maxTokenLifetimeMs }: LogSetup): object {
  return {
    name: stream,
    description: 'revocations of nestjs-genauth',
    subjects: [`${stream}.>`],
    retention: 'limits',
    storage: 'file',
    num_replicas: replicas,
    max_age: ageOf(maxTokenLifetimeMs),
    max_msgs_per_subject: 1,
    discard: 'new',
    allow_direct: true,
    deny_delete: true,
    deny_purge: true,
  };
}

/** What would make the log lose entries, or hide them. */
function faultOf(config: JsonObject, { stream, replicas }: LogSetup): string | undefined {
  const { subjects, num_replicas } = config;
  const needed: readonly (readonly [name: string, value: unknown])[] = [
    ['retention', 'limits'],
    ['max_msgs_per_subject', 1],
    ['discard', 'new'],
    ['discard_new_per_subject', false],
    ['allow_direct', true],
    ['deny_delete', true],
    ['deny_purge', true],
    ['no_ack', false],
    ['sealed', false],
  ];
  for (const [name, value] of needed) {
    const theirs = config[name] ?? false;
    if (theirs !== value) {
      return `has '${name}' ${JSON.stringify(theirs)}: it must be ${JSON.stringify(value)}`;
    }
  }
  if (JSON.stringify(subjects) !== JSON.stringify([`${stream}.>`])) {
    return `has other 'subjects': they must be '${stream}.>' alone`;
  }
  if (Number(num_replicas) < replicas) {
    return `has 'num_replicas' ${String(num_replicas)}: replicas asks for ${replicas}`;
  }
  return undefined;
}
