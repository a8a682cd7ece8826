import type { AlarmMessage } from '../../core/channels.js';
import type { RevocationLogContext } from '../../core/revocation-log.js';
import type { Revocation } from '../../core/revocation.js';
import { Appender } from '../fleet/appender.js';
import { FleetLog, type FleetParts, type FleetReports } from '../fleet/fleet-log.js';
import { Healer } from '../fleet/healer.js';
import { Lease } from '../fleet/lease.js';
import { Reader } from '../fleet/reader.js';
import { RecentFacts } from '../fleet/recent-facts.js';
import { RedisBell } from './bell.js';
import { Janitor } from './janitor.js';
import { factsInLog } from './log-reading.js';
import { type LogSetup, type RedisLogOptions, setUp } from './log-setup.js';
import { Outbox } from './outbox.js';
import { Prover } from './prover.js';
import { alarmOf } from './redis-alarm.js';
import { RedisLink } from './redis-link.js';
import { RedisWriter } from './redis-writer.js';
import { ServerCheck } from './server-check.js';

/** Revocations shared by a fleet through one Redis stream. Made by `redisRevocationLog`. */
export class RedisRevocationLog extends FleetLog {
  constructor(private readonly options: RedisLogOptions) {
    super(options);
  }

  protected override alarmOf(error: unknown): AlarmMessage {
    return alarmOf(error);
  }

  protected override assemble(context: RevocationLogContext, reports: FleetReports): FleetParts {
    const { onLive, onFault } = reports;
    const setup = setUp(this.options, context);
    const lease = new Lease(setup.clock, context.maxStalenessMs);
    const recent = new RecentFacts(setup.clock, setup.overlapMs);
    const links = { reader: linkOf(setup), bell: linkOf(setup) };
    const onWritten = (facts: readonly Revocation[]): void => recent.add(facts);
    const onOverflow = (): void => healer.schedule('all');
    const writer = new RedisWriter(linkOf(setup), setup);
    const appender = new Appender(writer, setup, { onWritten, onOverflow, onFault });
    const held = (): Iterable<Revocation> => context.held();
    const inLog = (from?: string) => factsInLog(links.reader, setup, from);
    const healer = new Healer({ inLog, held, recent }, setup, (facts) =>
      appender.appendLater(facts),
    );
    const prover = new Prover(links.reader, lease, healer, setup, (facts, isRecent) => {
      context.apply(facts);
      if (isRecent) recent.add(facts);
    });
    const parts = {
      check: new ServerCheck(links.reader, setup),
      prover,
      healer,
      janitor: setup.janitor ? new Janitor(links.reader, setup) : undefined,
      bell: new RedisBell(links.bell, () => prover.cursor, setup),
      links: [links.reader, links.bell],
    };
    const reader = new Reader(parts, setup);
    const { outboxKey } = setup;
    const outbox = outboxKey && new Outbox(linkOf(setup), setup, outboxKey, context, onFault);
    return {
      lease,
      outbox,
      append: appending(appender, outbox),
      stop: () => [reader, appender, outbox].forEach((part) => part?.stop()),
      ended: Promise.all([reader.run(onLive, onFault), outbox?.work()]),
    };
  }
}

/** Facts, and their errand where there is an outbox. */
function appending(appender: Appender, outbox: Outbox | undefined): FleetParts['append'] {
  return async (facts, errand) => {
    const sealed = errand && (await outbox?.seal(errand));
    const id = await appender.append(facts, sealed);
    if (errand && id !== undefined) outbox?.remember(errand, id);
  };
}

function linkOf({ connect, clock, rpcTimeoutMs }: LogSetup): RedisLink {
  return new RedisLink(connect, clock, rpcTimeoutMs);
}
