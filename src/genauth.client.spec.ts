import { createPrivateKey } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { inspect } from 'node:util';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

import { afterEach, describe, it, expect } from '@jest/globals';

import { channels } from './core/channels.js';
import { Clock } from './core/clock.js';
import { GenAuthUnavailableError } from './core/errors.js';
import { GenAuthClient } from './genauth.client.js';
import type { GenAuthModuleOptions, ResolvedApplication } from './genauth.options.js';
import { HttpSender } from './genauth.request.js';
import { resolveOptions } from './resolve-options.js';

const TOKEN = 'tok+en/with~every-kind_of.character0123==';
const SECRET = 's3cret-of-the-application';
const NOW = 1_800_000_000_000;
const MIB = 1024 * 1024;

class StillClock extends Clock {
  #wall = NOW;

  jump(ms: number): void {
    this.#wall += ms;
  }

  override wall(): number {
    return this.#wall;
  }

  override mono(): number {
    return 0;
  }

  override setTimeout(): () => void {
    return () => {};
  }
}

interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** The form's fields in the order of their names, repeated ones repeated. */
  readonly form: string[][];
}

type Answer = (reply: ServerResponse, request: Received) => void;

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

function answerJson(value: unknown, status = 200, headers: Record<string, string> = {}): Answer {
  return answerText(JSON.stringify(value), status, {
    'content-type': 'application/json',
    ...headers,
  });
}

function answerText(
  body: string | Buffer,
  status = 200,
  headers: Record<string, string> = {},
): Answer {
  return (reply) => void reply.writeHead(status, headers).end(body);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** A server that notes every request and answers all of them alike. */
async function serve(answer: Answer) {
  const received: Received[] = [];
  const server = createServer((request, reply) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString();
      const { method, url, headers } = request;
      const form = [...new URLSearchParams(body)].toSorted(([a], [b]) => (a < b ? -1 : 1));
      received.push({ method, url, headers, body, form });
      answer(reply, received.at(-1) as Received);
    });
  });
  const host = `http://127.0.0.1:${await listen(server)}`;
  return { host, received };
}

function newClient(appHost: string, options: Partial<GenAuthModuleOptions> = {}) {
  const resolved = resolveOptions({
    appId: 'app-id',
    appSecret: SECRET,
    appHost,
    ...options,
  } as GenAuthModuleOptions);
  const clock = new StillClock();
  const client = new GenAuthClient(new HttpSender(), resolved, clock);
  closers.unshift(() => client.onApplicationShutdown());
  return { client, clock, application: resolved.applications[0] as ResolvedApplication };
}

async function clientOf(answer: Answer, options: Partial<GenAuthModuleOptions> = {}) {
  const { host, received } = await serve(answer);
  const { client, clock, application } = newClient(host, options);
  return {
    client,
    clock,
    application,
    received,
    host,
    introspect: (token = TOKEN) => client.introspect(application, token, 'access_token'),
    revoke: (token = TOKEN) => client.revoke(application, token, 'refresh_token'),
    fetchKeys: () => client.fetchKeys(application),
  };
}

async function failureOf(outcome: Promise<unknown>): Promise<GenAuthUnavailableError> {
  try {
    await outcome;
  } catch (error) {
    if (error instanceof GenAuthUnavailableError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

/** Whatever a log could make of the error holds nothing of what was sent. */
function expectSilence(error: Error): void {
  const shown = [
    error.message,
    error.stack,
    String(error.cause),
    JSON.stringify(error),
    inspect(error, { depth: 10, showHidden: true }),
    ...Object.getOwnPropertyNames(error).map((name) =>
      inspect((error as unknown as Record<string, unknown>)[name], { depth: 10, showHidden: true }),
    ),
  ].join('\n');
  const basic = Buffer.from(`app-id:${SECRET}`).toString('base64');
  for (const kept of [TOKEN, SECRET, encodeURIComponent(TOKEN), TOKEN.slice(4, 20), basic]) {
    expect(shown).not.toContain(kept);
  }
  expect(error.cause).toBeUndefined();
}

async function until(condition: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 10_000; !condition();) {
    if (Date.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('GenAuthClient, what it sends', () => {
  const ID = ['client_id', 'app-id'];
  const PASSWORD = ['client_secret', SECRET];
  const BASIC = `Basic ${Buffer.from(`app-id:${SECRET}`).toString('base64')}`;

  const methods = [
    ['client_secret_post', [ID, PASSWORD], undefined],
    ['client_secret_basic', [], BASIC],
    ['none', [ID], undefined],
  ] as const;

  it.each(methods)('authenticates an introspection by %s and nothing else', async (...row) => {
    const [introspectionEndPointAuthMethod, fields, authorization] = row;
    const other = authorization === undefined ? 'client_secret_basic' : 'client_secret_post';
    const { introspect, received } = await clientOf(answerJson({ active: true }), {
      introspectionEndPointAuthMethod,
      revocationEndPointAuthMethod: other,
    } as Partial<GenAuthModuleOptions>);
    await introspect();
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ method: 'POST', url: '/oidc/token/introspection' });
    expect(received[0]?.form).toEqual([
      ...fields,
      ['token', TOKEN],
      ['token_type_hint', 'access_token'],
    ]);
    expect(received[0]?.headers.authorization).toBe(authorization);
  });

  it.each(methods)('authenticates a revocation by %s and nothing else', async (...row) => {
    const [revocationEndPointAuthMethod, fields, authorization] = row;
    const other = authorization === undefined ? 'client_secret_basic' : 'client_secret_post';
    const { revoke, received } = await clientOf(answerText(''), {
      revocationEndPointAuthMethod,
      introspectionEndPointAuthMethod: other,
    } as Partial<GenAuthModuleOptions>);
    await revoke();
    expect(received).toHaveLength(1);
    expect(received[0]).toMatchObject({ method: 'POST', url: '/oidc/token/revocation' });
    expect(received[0]?.form).toEqual([
      ...fields,
      ['token', TOKEN],
      ['token_type_hint', 'refresh_token'],
    ]);
    expect(received[0]?.headers.authorization).toBe(authorization);
  });

  it('leaves the hint out where there is none', async () => {
    const { client, application, received } = await clientOf(answerJson({ active: false }));
    await client.introspect(application, TOKEN, undefined);
    await client.revoke(application, TOKEN, undefined);
    for (const { form } of received) expect(form).toEqual([ID, PASSWORD, ['token', TOKEN]]);
  });

  it('sends forms, and asks for JSON', async () => {
    const { introspect, revoke, fetchKeys, received } = await clientOf(
      answerJson({ active: true, keys: [] }),
    );
    await Promise.all([introspect(), revoke(), fetchKeys()]);
    expect(received).toHaveLength(3);
    for (const { headers, method } of received) {
      expect(headers.accept).toBe('application/json');
      expect(headers['content-type']).toBe(
        method === 'POST' ? 'application/x-www-form-urlencoded' : undefined,
      );
      expect(headers.cookie).toBeUndefined();
    }
  });

  it('asks for keys with nothing but the question', async () => {
    const { fetchKeys, received } = await clientOf(answerJson({ keys: [] }));
    await fetchKeys();
    expect(received[0]).toMatchObject({
      method: 'GET',
      url: '/oidc/.well-known/jwks.json',
      body: '',
    });
    expect(received[0]?.headers.authorization).toBeUndefined();
  });

  it('never puts token or secret into the URL', async () => {
    const { introspect, revoke, received } = await clientOf(answerJson({ active: true }));
    await Promise.all([introspect(), revoke()]);
    for (const { url } of received) expect(url).not.toContain('?');
  });

  it('form-encodes both halves of a Basic credential', async () => {
    const { introspect, received } = await clientOf(answerJson({ active: true }), {
      appId: 'a:b c',
      appSecret: 'p+%/é&=',
      introspectionEndPointAuthMethod: 'client_secret_basic',
    } as Partial<GenAuthModuleOptions>);
    await introspect();
    const pair = Buffer.from(received[0]?.headers.authorization?.slice(6) ?? '', 'base64');
    expect(pair.toString()).toBe('a%3Ab+c:p%2B%25%2F%C3%A9%26%3D');
  });

  it('calls each configured URL, whatever the host', async () => {
    const elsewhere = await serve(answerJson({ keys: [1] }));
    const { fetchKeys, received } = await clientOf(answerJson({ keys: [2] }), {
      jwksUri: `${elsewhere.host}/their/keys`,
    } as Partial<GenAuthModuleOptions>);
    expect(await fetchKeys()).toEqual([1]);
    expect(elsewhere.received[0]?.url).toBe('/their/keys');
    expect(received).toHaveLength(0);
  });

  it('uses no proxy that the environment names', async () => {
    const proxy = await serve(answerJson({ active: false }));
    const { introspect, received } = await clientOf(answerJson({ active: true }));
    const before = { ...process.env };
    Object.assign(process.env, { HTTP_PROXY: proxy.host, http_proxy: proxy.host });
    for (const name of ['NO_PROXY', 'no_proxy']) delete process.env[name];
    try {
      expect((await introspect()).answer).toEqual({ active: true });
    } finally {
      for (const name of ['HTTP_PROXY', 'http_proxy']) delete process.env[name];
      Object.assign(process.env, before);
    }
    expect(received).toHaveLength(1);
    expect(proxy.received).toHaveLength(0);
  });
});

describe('GenAuthClient, answers', () => {
  it('passes on an introspection answer, and when the question left', async () => {
    const answer = { active: true, sub: 'x', exp: '1', nested: { a: [1] } };
    const { introspect } = await clientOf(answerJson(answer));
    expect(await introspect()).toEqual({ answer, sentAt: NOW });
  });

  it('passes on an introspection answer whatever its content type', async () => {
    const { introspect } = await clientOf(
      answerText('{"active":false}', 200, { 'content-type': 'text/plain' }),
    );
    expect((await introspect()).answer).toEqual({ active: false });
  });

  it('passes on the keys as they are', async () => {
    const keys = [{ kty: 'RSA' }, null, 'strange'];
    const { fetchKeys } = await clientOf(answerJson({ keys, more: 1 }));
    expect(await fetchKeys()).toEqual(keys);
  });

  it.each<[string, Answer]>([
    ['an error', answerJson({ error: 'invalid_request' }, 400)],
    ['an active answer with status 201', answerJson({ active: true, keys: [] }, 201)],
    ['an active answer with status 401', answerJson({ active: true, keys: [] }, 401)],
    ['an active answer with status 500', answerJson({ active: true, keys: [] }, 500)],
    ['too many requests', answerJson({ error: 'slow_down' }, 429)],
    ['an HTML page', answerText('<!doctype html><h1>Oops</h1>', 200)],
    ['an HTML error page', answerText('<html></html>', 502, { 'content-type': 'text/html' })],
    ['nothing', answerText('')],
    ['no content', answerText('', 204)],
    ['garbage', answerText(Buffer.from([0xff, 0, 1, 0xfe]))],
    ['half an object', answerText('{"active":true,"keys":[]')],
    ['a list', answerJson([{ active: true, keys: [] }])],
    ['true', answerText('true')],
    ['null', answerText('null')],
    ['an object without what is needed', answerJson({ ok: true })],
    ['members of a wrong type', answerJson({ active: 'true', keys: { 0: 'a' } })],
    ['members of null', answerJson({ active: null, keys: null })],
    ['a member named twice', answerText('{"active":true,"active":true,"keys":[],"keys":[]}')],
    ['an envelope', answerJson({ statusCode: 403, message: 'no' })],
    ['a byte order mark', answerText('\uFEFF\uFEFF{"active":true,"keys":[]}')],
  ])('takes %s for no usable answer', async (_, answer) => {
    const { introspect, fetchKeys } = await clientOf(answer);
    for (const ask of [introspect, fetchKeys]) {
      const error = await failureOf(ask());
      expect(error.reason).toBe('bad_answer');
      expectSilence(error);
    }
  });

  it('never echoes what GenAuth answered', async () => {
    const { introspect, revoke } = await clientOf(answerText('<b>evil</b>', 500));
    for (const ask of [introspect, revoke]) {
      expect(inspect(await failureOf(ask()), { depth: 10 })).not.toContain('evil');
    }
  });

  it.each<[string, Answer, unknown]>([
    ['an empty body', answerText(''), { is: 'confirmed' }],
    [
      'an empty body of text',
      answerText('', 200, { 'content-type': 'text/plain' }),
      { is: 'confirmed' },
    ],
    ['no content', answerText('', 204), { is: 'confirmed' }],
    ['true', answerText('true'), { is: 'confirmed' }],
    ['JSON', answerJson({}), { is: 'confirmed' }],
    ['JSON with good tidings', answerJson({ statusCode: 200, message: 'ok' }), { is: 'confirmed' }],
    ['a code of 200', answerJson({ code: 200 }), { is: 'confirmed' }],
    ['an error of null', answerJson({ error: null }), { is: 'confirmed' }],
    ['an OAuth error', answerJson({ error: 'invalid_client' }, 401), refused('invalid_client')],
    [
      'an OAuth error within 200',
      answerJson({ error: 'invalid_request' }),
      refused('invalid_request'),
    ],
    ['an error nobody knows', answerJson({ error: '<b>evil</b>' }, 400), refused('other')],
    ['an error of a strange type', answerJson({ error: { a: 1 } }), refused('other')],
    ['an error of true', answerJson({ error: true }), refused('other')],
    ['an empty error', answerJson({ error: '' }), refused('other')],
    ['an envelope of 403 within 200', answerJson({ statusCode: 403 }), refused('other')],
    ['a code of 400 within 200', answerJson({ code: 400, message: 'no' }), refused('other')],
    ['a 404 without a word', answerText('', 404), refused('other')],
    [
      'an unsupported kind of token',
      answerJson({ error: 'unsupported_token_type' }, 400),
      { is: 'unsupported' },
    ],
    [
      'an unsupported kind of token within 200',
      answerJson({ error: 'unsupported_token_type' }),
      { is: 'unsupported' },
    ],
  ])('reads of a revocation: %s', async (_, answer, expected) => {
    const { revoke } = await clientOf(answer);
    expect(await revoke()).toEqual(expected);
  });

  it.each<[string, Answer]>([
    ['too many requests', answerJson({ error: 'slow_down' }, 429)],
    ['a fault of the server', answerJson({ error: 'server_error' }, 500)],
    ['an HTML error page', answerText('<html></html>', 503)],
    ['a redirect', answerText('', 302, { location: '/login' })],
    ['not modified', answerText('', 304)],
  ])('never takes %s for an answer to a revocation', async (_, answer) => {
    const { revoke } = await clientOf(answer);
    const error = await failureOf(revoke());
    expect(error.reason).toBe('bad_answer');
    expectSilence(error);
  });

  it('tells apart that GenAuth refuses this backend, and says so to the operator', async () => {
    const messages: unknown[] = [];
    const note = (message: unknown): void => void messages.push(message);
    const { introspect } = await clientOf(answerJson({ error: 'invalid_client' }, 401));
    channels.alarm.subscribe(note);
    const error = await failureOf(introspect()).finally(() => channels.alarm.unsubscribe(note));
    expect(error.reason).toBe('client_refused');
    expectSilence(error);
    expect(messages).toEqual([expect.objectContaining({ alarm: 'client_refused' })]);
    expect(inspect(messages)).not.toContain(SECRET);
  });

  it('learns the clock of the issuer from its answers, and not from those of a cache', async () => {
    const date = new Date(NOW + 2_000).toUTCString();
    const unknown = { lowMs: -5_000, highMs: 5_000 };
    const { fetchKeys, client, application } = await clientOf(
      answerJson({ keys: [] }, 200, { date }),
    );
    expect(client.offsetOf(application)).toEqual(unknown);
    await fetchKeys();
    expect(client.offsetOf(application).lowMs).toBeCloseTo(0);
    expect(client.offsetOf(application).highMs).toBe(3_000);

    const cached = await clientOf(answerJson({ keys: [] }, 200, { date, age: '3' }));
    await cached.fetchKeys();
    expect(cached.client.offsetOf(cached.application)).toEqual(unknown);
  });

  it('forgets what it learned when our own clock is set', async () => {
    const date = new Date(NOW + 2_000).toUTCString();
    const { fetchKeys, client, application, clock } = await clientOf(
      answerJson({ keys: [] }, 200, { date }),
    );
    await fetchKeys();
    clock.jump(400);
    expect(client.offsetOf(application).highMs).toBe(3_000);
    clock.jump(-60_000);
    expect(client.offsetOf(application)).toEqual({ lowMs: -5_000, highMs: 5_000 });
  });
});

function refused(code: string): unknown {
  return { is: 'refused', code };
}

describe('GenAuthClient, limits', () => {
  it.each([301, 302, 303, 307, 308])('does not follow a redirect of status %d', async (status) => {
    const other = await serve(answerJson({ active: true, keys: [] }));
    const location = `${other.host}/oidc/token/introspection`;
    const { introspect, revoke, fetchKeys } = await clientOf(answerText('', status, { location }));
    for (const ask of [introspect, revoke, fetchKeys]) {
      expect((await failureOf(ask())).reason).toBe('bad_answer');
    }
    expect(other.received).toEqual([]);
  });

  function padded(bytes: number): string {
    const frame = '{"active":true,"keys":[],"pad":""}';
    return frame.replace('""', `"${'x'.repeat(bytes - frame.length)}"`);
  }

  const ENCODERS = [
    ['identity', (text: string) => Buffer.from(text)],
    ['gzip', (text: string) => gzipSync(text)],
    ['deflate', (text: string) => deflateSync(text)],
    ['br', (text: string) => brotliCompressSync(text)],
  ] as const;

  it.each(ENCODERS)('reads a body of 1 MiB and not a byte more, %s', async (name, encode) => {
    const headers = { 'content-encoding': name };
    const full = await clientOf(answerText(encode(padded(MIB)), 200, headers));
    expect((await full.introspect()).answer).toMatchObject({ active: true });
    const over = await clientOf(answerText(encode(padded(MIB + 1)), 200, headers));
    const error = await failureOf(over.introspect());
    expect(error.reason).toBe('no_answer');
    expectSilence(error);
  });

  it('does not unpack a gzip bomb', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB, ' '), { level: 9 });
    expect(bomb.length).toBeLessThan(MIB / 4);
    const { introspect, revoke, fetchKeys } = await clientOf(
      answerText(bomb, 200, { 'content-encoding': 'gzip' }),
    );
    for (const ask of [introspect, revoke, fetchKeys]) {
      expect((await failureOf(ask())).reason).toBe('no_answer');
    }
  });

  it('hangs up on a body without end', async () => {
    let closed = false;
    const { introspect } = await clientOf((reply) => {
      reply.writeHead(200, { 'content-type': 'application/json' });
      const chunk = Buffer.alloc(64 * 1024, ' ');
      const more = (): void => {
        if (!closed) reply.write(chunk, () => setImmediate(more));
      };
      reply.on('close', () => (closed = true));
      more();
    });
    expect((await failureOf(introspect())).message).toContain('failed or was cut off');
    await until(() => closed);
  });

  it.each<[string, Answer]>([
    ['never comes', () => {}],
    ['stops after its head', (reply) => reply.writeHead(200).flushHeaders()],
    ['stops half way', (reply) => void reply.writeHead(200).write('{"active":')],
    [
      'drips for ever',
      (reply) => {
        reply.writeHead(200);
        const drip = setInterval(() => reply.write(' '), 5);
        reply.on('close', () => clearInterval(drip));
      },
    ],
  ])('gives up on an answer that %s', async (_, answer) => {
    const { introspect, revoke, fetchKeys } = await clientOf(answer, { timeout: 60 });
    const failures = await Promise.all([introspect(), revoke(), fetchKeys()].map(failureOf));
    for (const error of failures) {
      expect(error.reason).toBe('no_answer');
      expect(error.message).toContain('took too long');
      expectSilence(error);
    }
  });

  it.each<[string, Answer]>([
    ['the connection is reset', (reply) => void reply.socket?.resetAndDestroy()],
    ['the connection is closed', (reply) => void reply.socket?.destroy()],
    [
      'the body is cut off',
      (reply) => {
        reply.writeHead(200, { 'content-length': '100' });
        reply.write('{"active":true,"keys":[]}', () => reply.socket?.destroy());
      },
    ],
    [
      'the body is not what its encoding says',
      answerText('{"active":true,"keys":[]}', 200, { 'content-encoding': 'gzip' }),
    ],
  ])('gives no answer when %s', async (_, answer) => {
    const { introspect, revoke, fetchKeys } = await clientOf(answer);
    for (const ask of [introspect, revoke, fetchKeys]) {
      const error = await failureOf(ask());
      expect(error.reason).toBe('no_answer');
      expectSilence(error);
    }
  });

  it('gives no answer when what listens does not speak HTTP', async () => {
    const server = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.resume().end('SSH-2.0-OpenSSH_9.6\r\n');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => new Promise((resolve) => server.close(resolve)));
    const { client, application } = newClient(
      `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
    const error = await failureOf(client.introspect(application, TOKEN, undefined));
    expect(error.reason).toBe('no_answer');
    expectSilence(error);
  });

  it('gives no answer when nobody listens', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const { client, application } = newClient(`http://127.0.0.1:${port}`, {
      introspectionEndPointAuthMethod: 'client_secret_basic',
    } as Partial<GenAuthModuleOptions>);
    const error = await failureOf(client.introspect(application, TOKEN, undefined));
    expect(error.reason).toBe('no_answer');
    expectSilence(error);
  });

  it('says nothing of tokens and secrets to whoever listens for alarms', async () => {
    const messages: unknown[] = [];
    const note = (message: unknown): void => void messages.push(message);
    channels.alarm.subscribe(note);
    try {
      for (const answer of [answerText('', 500), answerText('?')]) {
        const { introspect, fetchKeys } = await clientOf(answer);
        await failureOf(introspect());
        await failureOf(fetchKeys());
      }
      const { revoke } = await clientOf(() => {}, { timeout: 20 });
      await failureOf(revoke());
    } finally {
      channels.alarm.unsubscribe(note);
    }
    expect(messages).toHaveLength(5);
    for (const kept of [TOKEN, SECRET, encodeURIComponent(TOKEN)]) {
      expect(inspect(messages, { depth: 10 })).not.toContain(kept);
    }
  });

  it('refuses the 65th introspection at a time as busy, and takes it later', async () => {
    const held: ServerResponse[] = [];
    const { introspect, fetchKeys, received } = await clientOf((reply, { method }) => {
      if (method === 'POST') held.push(reply);
      else answerJson({ keys: [] })(reply, received[0] as Received);
    });
    const asked = Array.from({ length: 64 }, () => introspect());
    const error = await failureOf(introspect());
    expect(error.reason).toBe('busy');
    expectSilence(error);
    expect(await fetchKeys()).toEqual([]);
    await until(() => held.length === 64);
    expect(received.filter(({ method }) => method === 'POST')).toHaveLength(64);

    answerJson({ active: true })(held[0] as ServerResponse, received[0] as Received);
    await Promise.race(asked);
    const later = introspect();
    await until(() => held.length === 65);
    for (const reply of held.slice(1))
      answerJson({ active: false })(reply, received[0] as Received);
    expect((await later).answer).toEqual({ active: false });
    expect(await Promise.all(asked)).toHaveLength(64);
  });

  it('gives back its place after every failure', async () => {
    let failing = true;
    const { introspect } = await clientOf((reply, request) => {
      if (!failing) answerJson({ active: true })(reply, request);
      else if (request.body.includes('token=reset')) reply.socket?.destroy();
      else answerText('', 500)(reply, request);
    });
    for (let round = 0; round < 3; round += 1) {
      const asked = Array.from({ length: 64 }, (_, n) => introspect(n % 2 === 0 ? 'reset' : 'bad'));
      const reasons = (await Promise.all(asked.map(failureOf))).map(({ reason }) => reason);
      expect(new Set(reasons)).toEqual(new Set(['no_answer', 'bad_answer']));
    }
    failing = false;
    expect((await introspect()).answer).toEqual({ active: true });
  });
});

describe('GenAuthClient over TLS', () => {
  // Made for this test and good for nothing else: 127.0.0.1, signed by itself.
  const KEY =
    'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBjIXpZ+VRp3QuTmDFW/THsbQKzpo0Qdv240iH/mOTV2hRANCAARWJsiGwGkYHnWhgTs0/6JtnjYPJO8TW04bLReOrk7/nb8WiCXOpMbSvvbcTro5tTQ/5pP0OrVrh/gIMYYL5KEw';
  const CERTIFICATE =
    'MIIBjzCCATagAwIBAgIUUKdNvqochiwFeHVWRLSEp1ntT7wwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMjIzMzEyM1oYDzIxMjYxMDI5MjMzMTIzWjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARWJsiGwGkYHnWhgTs0/6JtnjYPJO8TW04bLReOrk7/nb8WiCXOpMbSvvbcTro5tTQ/5pP0OrVrh/gIMYYL5KEwo2QwYjAdBgNVHQ4EFgQUkbE6mosc/GFNrO6Hri8hlR8p7powHwYDVR0jBBgwFoAUkbE6mosc/GFNrO6Hri8hlR8p7powDwYDVR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQCIDrCzU1cj0gd6E1kFSLc3FWcXu9rpAPFt2+Xm6TqVW48AiAuqEqehm2hlmuFHiWhgyxcjOf3qXhewVFWMH6Fp2Hgaw==';

  async function serveTls(): Promise<{ host: string; count: () => number }> {
    const key = createPrivateKey({ key: Buffer.from(KEY, 'base64'), format: 'der', type: 'pkcs8' });
    const cert = `-----BEGIN CERTIFICATE-----\n${CERTIFICATE}\n-----END CERTIFICATE-----`;
    const pem = key.export({ format: 'pem', type: 'pkcs8' });
    let requests = 0;
    const server = createTlsServer({ key: pem, cert }, (_, reply) => {
      requests += 1;
      reply.end('{"active":true,"keys":[]}');
    });
    return { host: `https://127.0.0.1:${await listen(server)}`, count: () => requests };
  }

  it('sends nothing to a server whose certificate nobody vouches for', async () => {
    const { host, count } = await serveTls();
    const { client, application } = newClient(host);
    const error = await failureOf(client.introspect(application, TOKEN, undefined));
    expect(error.reason).toBe('no_answer');
    expectSilence(error);
    expect(count()).toBe(0);
  });

  it('talks to it when that was asked for', async () => {
    const { host } = await serveTls();
    const { client, application } = newClient(host, { rejectUnauthorized: false });
    expect(await client.fetchKeys(application)).toEqual([]);
  });
});
