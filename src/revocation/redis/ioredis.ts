import type { RedisConnect } from './redis-connection.js';

/** What is used of a client of ioredis. */
export interface IoRedisClient {
  on(event: 'error', listener: (error: Error) => void): unknown;
  connect(): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
  disconnect(): void;
}

/**
 * Connects through ioredis 5 or 6. Reconnecting, queueing, retrying and announcing itself are turned off;
 * everything else is as the options say.
 *
 * @example
 * redisRevocationLog({ connect: ioredis(Redis, { host: 'redis', password: process.env['REDIS_PASSWORD'] }) })
 */
export function ioredis<Options extends object>(
  Redis: new (options: Options) => IoRedisClient,
  options?: NoInfer<Options>,
): RedisConnect {
  return async (signal) => {
    const forced = {
      lazyConnect: true,
      retryStrategy: () => null,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      // Of a closed connection it would keep a timer for 2 s, of a dead one the socket.
      disconnectTimeout: 0,
    };
    const client = new Redis({ ...(options as Options), ...forced });
    let reason: Error | undefined;
    client.on('error', (error) => (reason = error));
    const close = (): void => client.disconnect();
    signal.addEventListener('abort', close, { once: true });
    await client.connect().catch((error: unknown) => {
      // It says no more than that the connection was closed.
      throw reason ?? error;
    });
    return {
      send: ([command = '', ...args]) => client.call(command, ...args),
      close,
    };
  };
}
