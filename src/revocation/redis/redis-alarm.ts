import type { AlarmMessage } from '../../core/channels.js';
import { LogFault } from '../fleet/log-fault.js';

const REPLIES: Readonly<Record<string, string>> = {
  NOAUTH: 'Redis asks for a password: set it where the client is made',
  WRONGPASS: 'Redis refuses the user or password given where the client is made',
  READONLY: 'the server is a replica: connect to the master',
  OOM: "Redis is out of memory: raise 'maxmemory'",
  MISCONF: 'Redis cannot write to its disk',
  LOADING: 'Redis is loading its data',
  NOGROUP: 'the outbox was wiped: it begins anew',
  NOREPLICAS: "too few replicas for 'min-replicas-to-write'",
};

/** Replies that nothing but another setting will change. */
const SETTINGS = new Set(['NOAUTH', 'WRONGPASS', 'OOM', 'MISCONF']);

/** What went wrong, in one line for the operator. Quotes nothing a server or client said but names. */
export function alarmOf(error: unknown): AlarmMessage {
  if (error instanceof LogFault) return { alarm: 'log_misconfigured', detail: error.message };
  const message = error instanceof Error ? error.message : '';
  if (/NOPERM|no permissions/.test(message)) {
    return { alarm: 'log_misconfigured', detail: missingRight(message) };
  }
  const [word = ''] = /^[A-Z]+/.exec(message) ?? [];
  const alarm = SETTINGS.has(word) ? 'log_misconfigured' : 'log_unreachable';
  return { alarm, detail: REPLIES[word] ?? unreachable(error) };
}

function missingRight(message: string): string {
  const [, command] = /'([\w|]{1,40})' command/.exec(message) ?? [];
  const right = command === undefined ? 'to one of its commands or keys' : `+${command}`;
  return `the ACL of the Redis user lacks a right: grant ${right}`;
}

function unreachable(error: unknown): string {
  const { code } = Object(error) as NodeJS.ErrnoException;
  const isCode = typeof code === 'string' && /^[A-Z_]{2,40}$/.test(code);
  return `Redis cannot be reached${isCode ? ` (${code})` : ''}`;
}
