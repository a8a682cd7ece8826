import { publishAlarm } from '../../core/channels.js';
import { LogFault } from '../fleet/log-fault.js';
import type { RedisLink } from './redis-link.js';
import type { LogSetup } from './log-setup.js';
import { readInfo } from './server-state.js';

/**
 * Whether the server is set up to hold the log, looked at once for every connection.
 *
 * @throws {LogFault} this process and the fleet disagree about `maxTokenLifetime`
 */
export class ServerCheck {
  #checked: number | undefined;

  constructor(
    private readonly link: RedisLink,
    private readonly setup: LogSetup,
  ) {}

  async check(): Promise<void> {
    if (this.#checked === this.link.generation) return;
    const ours = `${this.setup.maxTokenLifetimeMs}`;
    const [info, , theirs] = await this.link.run([
      ['INFO'],
      ['HSETNX', this.setup.keys.meta, 'maxTtl', ours],
      ['HGET', this.setup.keys.meta, 'maxTtl'],
    ]);
    for (const detail of complaints(readInfo(String(info)), this.setup.replicas)) {
      publishAlarm({ alarm: 'log_misconfigured', detail });
    }
    if (theirs !== ours) {
      const detail = `maxTokenLifetime is ${ours} here and ${String(theirs)} for the fleet: set it to the same everywhere`;
      throw new LogFault(detail, true);
    }
    this.#checked = this.link.generation;
  }
}

function complaints(info: ReadonlyMap<string, string>, replicas: number): string[] {
  const {
    policy = '',
    limit,
    slaves,
    aof,
  } = {
    policy: info.get('maxmemory_policy'),
    limit: Number(info.get('maxmemory') ?? 0),
    slaves: Number(info.get('connected_slaves') ?? 0),
    aof: info.get('aof_enabled'),
  };
  const found: string[] = [];
  if (limit > 0 && policy.startsWith('allkeys-')) {
    found.push(`'maxmemory-policy ${policy}' may evict the revocation log: set it to 'noeviction'`);
  }
  if (replicas === 0 && slaves > 0) {
    found.push(
      `durability.replicas is 0 although ${slaves} are connected: a failover may lose acknowledged revocations`,
    );
  }
  if (replicas === 0 && aof === '0') {
    found.push(
      "'appendonly' is off: a restart of Redis loses acknowledged revocations until a process brings them back",
    );
  }
  return found;
}
