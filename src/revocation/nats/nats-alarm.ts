import type { AlarmMessage } from '../../core/channels.js';
import { LogFault } from '../fleet/log-fault.js';
import { JetStreamError } from './jetstream-link.js';

/** Refusals that nothing but another setting will change, by `err_code`. */
const SETTINGS: ReadonlyMap<number, string> = new Map([
  [10_002, "the account has no more room: raise its 'max_storage' or 'max_streams'"],
  [10_023, "the server has too little room: raise 'max_file_store'"],
  [10_026, "the account may have no more streams: raise its 'max_streams'"],
  [10_028, "the account has no more room: raise its 'max_storage'"],
  [10_039, 'JetStream is not enabled for the account'],
  [10_047, "the server has too little room: raise 'max_file_store'"],
  [10_058, 'the stream is there already, and set up in another way'],
  [10_065, 'another stream takes the subjects of the log: give it another name'],
  [10_074, 'replicas asks for more than one, and the server stands alone'],
  [10_076, "JetStream is not enabled: add 'jetstream' to the configuration of the server"],
  [10_077, 'the stream is full: remove its limits'],
]);

/** What went wrong, in one line for the operator. Quotes nothing a server or client said but names. */
export function alarmOf(error: unknown): AlarmMessage {
  if (error instanceof LogFault) return { alarm: 'log_misconfigured', detail: error.message };
  if (error instanceof JetStreamError) {
    const detail = SETTINGS.get(error.code);
    return detail === undefined
      ? { alarm: 'log_unreachable', detail: error.message }
      : { alarm: 'log_misconfigured', detail };
  }
  const message = error instanceof Error ? error.message : '';
  const [, verb, subject] = /(Publish|Subscription) to "([\w$*>.-]{1,200})"/i.exec(message) ?? [];
  if (verb !== undefined && subject !== undefined) {
    const right = `${verb.toLowerCase() === 'publish' ? 'publish' : 'subscribe'} to ${subject}`;
    return { alarm: 'log_misconfigured', detail: `the user of NATS lacks a right: ${right}` };
  }
  if (/authorization violation|authentication/i.test(message)) {
    const detail = 'NATS refuses the user, password or key given where the connection is made';
    return { alarm: 'log_misconfigured', detail };
  }
  return { alarm: 'log_unreachable', detail: unreachable(error, message) };
}

function unreachable(error: unknown, message: string): string {
  if (/no responders/i.test(message)) {
    return 'nobody answers for JetStream: it is not enabled, or the stream has no leader at the moment';
  }
  const { code, cause } = Object(error) as { code?: unknown; cause?: unknown };
  const name = code ?? (Object(cause) as { code?: unknown }).code;
  const isCode = typeof name === 'string' && /^[A-Z_]{2,40}$/.test(name);
  return `NATS cannot be reached${isCode ? ` (${name})` : ''}`;
}
