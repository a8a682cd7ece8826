import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';

import { type AlarmMessage, channels, publishAlarm } from './core/channels.js';
import { OperatorLog } from './operator-log.js';
import { VirtualClock } from './testing/virtual-clock.js';

const MINUTE = 60_000;

describe('OperatorLog', () => {
  let lines: string[];
  let clock: VirtualClock;
  let log: OperatorLog;

  beforeEach(() => {
    lines = [];
    const write = (...parts: unknown[]) => void lines.push(parts.join(' '));
    const logger: LoggerService = { log: write, warn: write, error: write };
    Logger.overrideLogger(logger);
    clock = new VirtualClock();
    log = new OperatorLog(clock);
    log.onModuleInit();
  });

  afterEach(() => {
    log.onApplicationShutdown();
    Logger.overrideLogger(['log', 'warn', 'error']);
  });

  it('writes an alarm with its name and what to look at', () => {
    publishAlarm({ alarm: 'index_full', detail: 'raise revocation.maxEntries' });
    expect(lines).toEqual(['index_full: raise revocation.maxEntries GenAuthModule']);
  });

  it('writes one line a minute for each kind of alarm', () => {
    const raise = (alarm: AlarmMessage['alarm']) => publishAlarm({ alarm, detail: 'detail' });
    raise('cache_failed');
    raise('cache_failed');
    raise('index_full');
    expect(lines).toHaveLength(2);
    clock.advance(MINUTE - 1);
    raise('cache_failed');
    raise('index_full');
    expect(lines).toHaveLength(2);
    clock.advance(1);
    raise('cache_failed');
    raise('cache_failed');
    expect(lines).toHaveLength(3);
  });

  it('counts the minute by a clock that is never set', () => {
    publishAlarm({ alarm: 'cache_failed', detail: 'detail' });
    clock.jump(-24 * 60 * MINUTE);
    publishAlarm({ alarm: 'cache_failed', detail: 'detail' });
    clock.jump(48 * 60 * MINUTE);
    publishAlarm({ alarm: 'cache_failed', detail: 'detail' });
    expect(lines).toHaveLength(1);
    clock.advance(MINUTE);
    publishAlarm({ alarm: 'cache_failed', detail: 'detail' });
    expect(lines).toHaveLength(2);
  });

  it('is silent about refusals, which are no alarms', () => {
    channels.refusal.publish({ code: 'invalid_token', reason: 'expired', detail: 'detail' });
    expect(lines).toEqual([]);
  });

  it('writes nothing once the application has shut down', () => {
    log.onApplicationShutdown();
    publishAlarm({ alarm: 'cache_failed', detail: 'detail' });
    expect(lines).toEqual([]);
    expect(channels.alarm.hasSubscribers).toBe(false);
  });
});
