import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { Child } from '../common/child.js';
import { Identity } from '../common/identity.js';
import { type Figure, rowsOf, type Row, short } from '../common/report.js';

const SIDES = [
  { who: 'nestjs-genauth', guarded: true },
  { who: 'a guard that returns true', guarded: false },
] as const;

/** At once, while opening. */
const AT_A_TIME = 50;

/** What a server holds for each open stream, with its socket, its request and its principal. */
export async function connections(steps: readonly number[]): Promise<Row[]> {
  const identity = await Identity.start();
  const tokens = await identity.mint({ alg: 'ES256', count: Math.max(...steps) + AT_A_TIME });
  const sides: { readonly who: string; readonly bytes: readonly number[] }[] = [];
  for (const { who, guarded } of SIDES) {
    const settings = { issuer: identity.issuer, guarded };
    const server = await Child.start(import.meta.url, './stream-server.js', {
      core: 'measured',
      settings,
    });
    sides.push({ who, bytes: await openStreams(server, tokens, steps) });
    await server.stop();
  }
  await identity.stop();
  return steps.flatMap((count, place) =>
    rowsOf(
      sides.map(({ who, bytes }): Figure => ({
        what: 'memory of an open connection (server-sent events, Fastify)',
        given: `at ${short(count)}`,
        who,
        unit: 'bytes',
        values: [(bytes[place] ?? NaN) / count],
      })),
      SIDES[1].who,
    ),
  );
}

/** @returns what is in use at each step, beyond what was there with the first few streams */
async function openStreams(
  server: Child,
  tokens: readonly string[],
  steps: readonly number[],
): Promise<number[]> {
  const port = await server.ask<number>('port');
  const sockets: Socket[] = [];
  const openTo = async (count: number) => {
    while (sockets.length < count) {
      const batch = tokens.slice(sockets.length, Math.min(count, sockets.length + AT_A_TIME));
      sockets.push(...(await Promise.all(batch.map((token) => openStream(port, token)))));
    }
    const held = await server.ask<number>('held');
    if (held !== count) throw new Error(`${held} streams are open instead of ${count}`);
  };
  await openTo(AT_A_TIME);
  const before = await server.ask<number>('bytes');
  const bytes: number[] = [];
  for (const count of steps) {
    try {
      await openTo(AT_A_TIME + count);
      bytes.push((await server.ask<number>('bytes')) - before);
    } catch (error) {
      // So many sockets are not allowed here: there is no figure, and the table shows that.
      console.warn(`${count} connections: ${String(error)}`);
      break;
    }
  }
  for (const socket of sockets) socket.destroy();
  return bytes;
}

async function openStream(port: number, token: string): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('latin1');
  socket.write(`GET /stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n\r\n`);
  let text = '';
  while (!text.includes('data: open')) {
    const [part] = (await once(socket, 'data')) as [string];
    text += part;
    if (text.startsWith('HTTP/1.1 ') && !text.startsWith('HTTP/1.1 200')) {
      throw new Error(`a stream was refused: ${text.slice(0, 12)}`);
    }
  }
  socket.on('error', () => socket.destroy());
  return socket;
}
