import type { RedisConnect } from './redis-connection.js';

/** What is used of a client of node-redis. */
export interface NodeRedisClient {
  on(event: 'error', listener: (error: Error) => void): unknown;
  connect(): Promise<unknown>;
  sendCommand(args: readonly string[], options?: object): Promise<unknown>;
  destroy(): void;
}

/** Maps of RESP3 (`%`) as RESP2 has them: names and values in turn. */
const FLAT_MAPS = { typeMapping: { 37: Array } };

/**
 * Connects through node-redis 5 or 6. Reconnecting, queueing and announcing itself are turned off;
 * everything else is as the options say.
 *
 * @example
 * redisRevocationLog({ connect: nodeRedis(createClient, { url: process.env['REDIS_URL'] }) })
 */
export function nodeRedis<Options extends object>(
  createClient: (options: Options) => NodeRedisClient,
  options?: NoInfer<Options>,
): RedisConnect {
  return async (signal) => {
    const socket = { ...socketOf(options), reconnectStrategy: false };
    const forced = { socket, disableOfflineQueue: true, disableClientInfo: true };
    const client = createClient({ ...(options as Options), ...forced });
    // Whatever is wrong is seen where a command fails; an error that nobody hears would end the process.
    client.on('error', () => undefined);
    const close = (): void => {
      try {
        client.destroy();
      } catch {
        // Version 5 says so when it is closed already.
      }
    };
    signal.addEventListener('abort', close, { once: true });
    await client.connect();
    return { send: (args) => client.sendCommand(args, FLAT_MAPS), close };
  };
}

function socketOf(options: object | undefined): object | undefined {
  return (options as { socket?: object } | undefined)?.socket;
}
