import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';

import { describe, it, expect } from '@jest/globals';

import { BearerRequestError } from '../core/errors.js';
import { bearerToken, type HttpRequest } from './bearer.js';

function outcomeOf(request: HttpRequest): string {
  try {
    return bearerToken(request) ?? 'nothing';
  } catch (error) {
    if (error instanceof BearerRequestError) return 'malformed';
    throw error;
  }
}

function requestWith(authorization: string | string[] | undefined, rest: object = {}): HttpRequest {
  return { headers: authorization === undefined ? {} : { authorization }, ...rest };
}

describe('bearerToken', () => {
  it.each<[string | undefined, string]>([
    [undefined, 'nothing'],
    ['', 'nothing'],
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['BEARER abc', 'abc'],
    ['bEaReR abc', 'abc'],
    ['Bearer   abc', 'abc'],
    ['Bearer a.b-c_d~e+f/g==', 'a.b-c_d~e+f/g=='],
    ['Bearer', 'malformed'],
    ['Bearer ', 'malformed'],
    ['bearer  ', 'malformed'],
    ['Bearer abc ', 'malformed'],
    ['Bearer abc def', 'malformed'],
    ['Bearer abc, Bearer def', 'malformed'],
    ['Bearer abc,def', 'malformed'],
    ['Bearer "abc"', 'malformed'],
    ['Bearer <abc>', 'malformed'],
    ['Bearer a=b', 'malformed'],
    ['Bearer ==', 'malformed'],
    ['Bearer abc;x=1', 'malformed'],
    ['Bearer access_token="abc"', 'malformed'],
    ['Bearer äbc', 'malformed'],
    ['Bearer abc\n', 'malformed'],
    ['Bearer abc\r\nX: y', 'malformed'],
    ['Bearer a\0b', 'malformed'],
    ['Bearer Bearer abc', 'malformed'],
    ['Bearer: abc', 'nothing'],
    ['Bearerabc', 'nothing'],
    ['Bearer\tabc', 'nothing'],
    [' Bearer abc', 'nothing'],
    ['abc', 'nothing'],
    ['Basic YTpi', 'nothing'],
    ['DPoP abc', 'nothing'],
    ['Token abc', 'nothing'],
  ])('reads %j as: %s', (authorization, expected) => {
    expect(outcomeOf(requestWith(authorization))).toBe(expected);
  });

  it('is done quickly with a long header that is no good', () => {
    expect(outcomeOf(requestWith(`Bearer${' '.repeat(60_000)}`))).toBe('malformed');
    expect(outcomeOf(requestWith(`Bearer ${'='.repeat(60_000)}`))).toBe('malformed');
    expect(outcomeOf(requestWith(`Bearer a${'='.repeat(60_000)}a`))).toBe('malformed');
  });

  it('never says what the header held', () => {
    let message = '';
    try {
      bearerToken(requestWith('Bearer very secret'));
    } catch (error) {
      message = String((error as Error).stack);
    }
    expect(message).toContain('malformed');
    expect(message).not.toContain('secret');
  });

  it('refuses two headers, whichever framework brings them', () => {
    const twice = ['Bearer abc', 'Bearer abc'];
    const headers = { authorization: 'Bearer abc' };
    const rawHeaders = ['Authorization', 'Bearer abc', 'Host', 'x', 'authorization', 'Bearer abc'];
    expect(outcomeOf(requestWith(twice))).toBe('malformed');
    expect(outcomeOf({ headers, rawHeaders })).toBe('malformed');
    expect(outcomeOf({ headers, raw: { rawHeaders } })).toBe('malformed');
    const mixed = ['Authorization', 'Basic YTpi', 'AUTHORIZATION', 'Bearer abc'];
    expect(outcomeOf({ headers, rawHeaders: mixed })).toBe('malformed');
    expect(outcomeOf({ headers, rawHeaders: rawHeaders.slice(0, 4) })).toBe('abc');
  });

  it('takes the header as middleware leaves it', () => {
    const rawHeaders = ['Authorization', 'Bearer abc'];
    expect(outcomeOf({ headers: {}, rawHeaders })).toBe('nothing');
    expect(outcomeOf({ headers: { authorization: 'Bearer other' }, rawHeaders })).toBe('other');
    expect(outcomeOf({ headers: { authorization: 'Bearer other' }, rawHeaders: [] })).toBe('other');
  });

  it('sees the second header of a real request, of which node shows only the first', async () => {
    const lines = [
      'GET / HTTP/1.1',
      'Host: x',
      'Authorization: Bearer a',
      'Authorization: Bearer b',
    ];
    const request = await received(`${lines.join('\r\n')}\r\n\r\n`);
    expect(request.headers.authorization).toBe('Bearer a');
    expect(outcomeOf(request)).toBe('malformed');
  });

  it.each<[string, object]>([
    ['in the query', { query: { access_token: 'x' } }],
    ['in the query, empty', { query: { access_token: '' } }],
    ['in the query, twice', { query: { access_token: ['x', 'y'] } }],
    [
      'in a query without prototype',
      { query: Object.assign(Object.create(null), { access_token: 'x' }) },
    ],
  ])('refuses another token %s', (_, rest) => {
    expect(outcomeOf(requestWith('Bearer abc', rest))).toBe('malformed');
    expect(outcomeOf(requestWith(undefined, rest))).toBe('nothing');
    expect(outcomeOf(requestWith('Basic YTpi', rest))).toBe('nothing');
  });

  it.each([
    'application/x-www-form-urlencoded',
    'application/x-www-form-urlencoded; charset=utf-8',
    'Application/X-WWW-Form-URLEncoded',
  ])('refuses another token in a form of type %s', (type) => {
    const headers = { authorization: 'Bearer abc', 'content-type': type };
    expect(outcomeOf({ headers, body: { access_token: 'x' } })).toBe('malformed');
    expect(outcomeOf({ headers, body: { token: 'x' } })).toBe('abc');
    expect(outcomeOf({ headers: { 'content-type': type }, body: { access_token: 'x' } })).toBe(
      'nothing',
    );
  });

  it('believes the type that some middleware gives a form', () => {
    const type = 'application/x-www-form-urlencoded';
    const headers = { authorization: 'Bearer abc', 'content-type': type };
    const rawHeaders = ['Authorization', 'Bearer abc', 'Content-Type', 'text/plain'];
    expect(outcomeOf({ headers, rawHeaders, body: { access_token: 'x' } })).toBe('malformed');
  });

  it('sees a query wherever Fastify lets it begin', () => {
    const rawHeaders = ['Authorization', 'Bearer abc'];
    const headers = { authorization: 'Bearer abc' };
    const request = { headers, url: '/me#access_token=x', query: { access_token: 'x' } };
    expect(outcomeOf({ ...request, raw: { rawHeaders } })).toBe('malformed');
    expect(outcomeOf({ ...request, url: '/me?access_token=x', rawHeaders })).toBe('malformed');
  });

  it('does not mind what a body of another type calls its members', () => {
    const headers = { authorization: 'Bearer abc', 'content-type': 'application/json' };
    expect(outcomeOf({ headers, body: { access_token: 'x' } })).toBe('abc');
  });

  it('takes a token from nowhere else', () => {
    const headers = { cookie: 'access_token=x', 'x-access-token': 'x', authorisation: 'Bearer x' };
    expect(outcomeOf({ headers, query: { token: 'x' }, body: 'access_token=x' })).toBe('nothing');
  });

  it.each([undefined, null, 'access_token=x', 7, ['access_token'], []])(
    'gets along with a query and a body of %j',
    (strange) => {
      const headers = {
        authorization: 'Bearer abc',
        'content-type': 'application/x-www-form-urlencoded',
      };
      expect(outcomeOf({ headers, query: strange, body: strange })).toBe('abc');
    },
  );
});

/** What node makes of these bytes. */
async function received(bytes: string): Promise<IncomingMessage> {
  const server = createServer();
  const request = new Promise<IncomingMessage>((resolve) => {
    server.on('request', (incoming: IncomingMessage, reply) => {
      reply.end();
      resolve(incoming);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.end(bytes);
  const incoming = await request;
  socket.destroy();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  return incoming;
}
