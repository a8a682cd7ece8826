import { beforeEach, describe, expect, it } from '@jest/globals';

import { SimulatedServer } from '../../../test/harness/simulated-server.js';
import type { RedisConnection } from './redis-connection.js';
import { RedisLink } from './redis-link.js';

const never = new Promise<never>(() => undefined);

let server: SimulatedServer;

beforeEach(() => {
  server = new SimulatedServer();
});

function linkOver(connect: () => RedisConnection | Promise<RedisConnection>): RedisLink {
  return new RedisLink(connect, server.clock, 800);
}

/** What it rejects with; heard of at once, so that time may pass before it is looked at. */
function failureOf(exchange: Promise<unknown>): Promise<string> {
  return exchange.then(
    () => 'it resolved',
    (error: unknown) => String(error),
  );
}

describe('RedisLink', () => {
  it('gives up on a connection that does not answer, and makes another', async () => {
    const link = server.link(server.setUp());
    server.answer = () => never;
    const asking = failureOf(link.run([['TIME']]));
    await server.pass(1_000);
    expect(await asking).toContain('in time');
    server.answer = () => undefined;
    await link.run([['TIME']]);
    expect(server.opened).toBe(2);
    expect(link.generation).toBe(1);
  });

  it('gives up on connecting, and closes what is opened after all', async () => {
    let closed = 0;
    const close = (): void => {
      closed += 1;
    };
    const late: RedisConnection = { send: () => never, close };
    let arrive = (_connection: RedisConnection): void => undefined;
    const link = linkOver(() => new Promise((resolve) => (arrive = resolve)));
    const asking = failureOf(link.run([['TIME']]));
    await server.pass(1_000);
    expect(await asking).toContain('in time');
    arrive(late);
    await server.pass(1);
    expect(closed).toBe(1);
  });

  it('rejects with the first error, also of what is thrown at once', async () => {
    const link = linkOver(() => ({
      send: ([name]) => {
        if (name === 'SECOND') throw new Error('at once');
        return Promise.reject(new Error('later'));
      },
      close: () => undefined,
    }));
    await expect(link.run([['FIRST'], ['SECOND']])).rejects.toThrow(/later|at once/);
  });

  it.each([
    ['was given up', null],
    ['was cut short', ['1']],
  ])('takes a transaction that %s for a failure', async (_, reply) => {
    const link = server.link(server.setUp());
    server.answer = ([name]) => (name === 'EXEC' ? reply : 'QUEUED');
    await expect(link.transact([['TIME'], ['TIME']])).rejects.toThrow('not executed');
  });

  it('leaves the errors inside a transaction in their places', async () => {
    const link = server.link(server.setUp());
    const refused = new Error('WRONGTYPE');
    server.answer = ([name]) => (name === 'EXEC' ? ['1', refused] : 'QUEUED');
    expect(await link.transact([['TIME'], ['TIME']])).toEqual(['1', refused]);
  });

  it('ends what is under way when it is closed, and opens nothing any more', async () => {
    const link = server.link(server.setUp());
    server.answer = () => never;
    const asking = failureOf(link.run([['TIME']]));
    link.close();
    expect(await asking).toContain('in time');
    await expect(link.run([['TIME']])).rejects.toThrow('closed');
    expect(server.opened).toBe(1);
  });
});
