import { once } from 'node:events';
import { connect } from 'node:net';

import { describe, expect, it } from '@jest/globals';

import { Listener } from './listener.js';

describe('Listener', () => {
  it('closes while it is just ending a connection', async () => {
    const ended: string[] = [];
    const listener = await new Listener((_, socket) => {
      socket.on('close', () => ended.push('closed'));
      socket.on('error', ({ name }) => ended.push(name));
      socket.end('HTTP/1.1 400 Refused\r\n\r\n');
      void listener.close();
    }).open();
    const client = connect(Number(new URL(listener.origin).port), '127.0.0.1');
    client.on('error', () => undefined);
    client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n');
    await once(client.resume(), 'close');
    expect(ended).toEqual(['closed']);
  });
});
