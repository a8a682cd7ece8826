import type { AlarmMessage } from '../../core/channels.js';
import type { RevocationLogContext } from '../../core/revocation-log.js';
import { Appender } from '../fleet/appender.js';
import { FleetLog, type FleetParts, type FleetReports } from '../fleet/fleet-log.js';
import { Healer } from '../fleet/healer.js';
import { Lease } from '../fleet/lease.js';
import { Reader } from '../fleet/reader.js';
import { factsIn } from './entries.js';
import { JetStreamLink } from './jetstream-link.js';
import { type LogSetup, type NatsLogOptions, setUp } from './log-setup.js';
import { alarmOf } from './nats-alarm.js';
import type { NatsConnect } from './nats-connection.js';
import { NatsWriter } from './nats-writer.js';
import { Prover } from './prover.js';
import { StreamCheck } from './stream-check.js';
import { factsInLog } from './stream-reading.js';

/** Revocations shared by a fleet through one JetStream stream. Made by `natsRevocationLog`. */
export class NatsRevocationLog extends FleetLog {
  constructor(private readonly options: NatsLogOptions) {
    super(options);
  }

  protected override alarmOf(error: unknown): AlarmMessage {
    return alarmOf(error);
  }

  protected override assemble(
    context: RevocationLogContext,
    { onLive, onFault }: FleetReports,
  ): FleetParts {
    const setup = setUp(this.options, context);
    const lease = new Lease(setup.clock, context.maxStalenessMs);
    const connect = hearing(setup, (facts) => context.apply(facts), onFault);
    const link = new JetStreamLink({ ...setup, connect });
    const appender = new Appender(new NatsWriter(new JetStreamLink(setup), setup), setup, {
      onWritten: () => {},
      onOverflow: () => healer.schedule('all'),
      onFault,
    });
    const sources = { inLog: () => factsInLog(link, setup), held: () => context.held() };
    const healer = new Healer(sources, setup, (facts) => appender.appendLater(facts));
    const check = new StreamCheck(link, setup);
    const prover = new Prover(link, lease, healer, check, setup, (facts) => context.apply(facts));
    const reader = new Reader({ check, prover, healer, links: [link] }, setup);
    return {
      lease,
      append: async (facts) => void (await appender.append(facts)),
      stop: () => [reader, appender].forEach((part) => part.stop()),
      ended: reader.run(onLive, onFault),
    };
  }
}

/**
 * Connections that bring the news themselves, as they are published. Not everything that is published gets
 * there, nor into the stream: it saves waiting and proves nothing.
 */
function hearing(
  { connect, clock, entries, maxTokenLifetimeMs }: LogSetup,
  take: RevocationLogContext['apply'],
  onFault: (error: unknown) => void,
): NatsConnect {
  return async (signal) => {
    const connection = await connect(signal);
    const onNews = (text: string): void => take(factsIn(text, clock.wall(), maxTokenLifetimeMs));
    connection.subscribe(`${entries}.*`, onNews, onFault);
    return connection;
  };
}
