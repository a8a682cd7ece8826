import type { ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { htmlAnswer, jsonAnswer, type Answer } from './answer.js';
import type { Fault } from './faults.js';

const MIB = 1024 * 1024;

/** Writes the answer as it is. */
export function writeAnswer(response: ServerResponse, answer: Answer): void {
  const length = { 'Content-Length': String(Buffer.byteLength(answer.body)) };
  response.writeHead(answer.status, { ...answer.headers, ...length });
  response.end(answer.body);
}

/** Acts out a fault; `answer` is what would have been said, for faults behind the server. */
export function writeFault(response: ServerResponse, fault: Fault, answer?: Answer): void {
  if (typeof fault === 'string') FAULTY_WRITERS[fault](response, answer);
  else if ('slow' in fault) writeLate(response, fault.slow, answer);
  else writeAnswer(response, faultyAnswer(fault));
}

const FAULTY_WRITERS: Record<
  Extract<Fault, string>,
  (response: ServerResponse, answer?: Answer) => void
> = {
  down: reset,
  slow: () => undefined,
  reset: writeHalf,
  html: (response) => writeAnswer(response, htmlAnswer(502, 'The upstream server is away.')),
  garbage: (response) =>
    writeAnswer(response, { ...jsonAnswer(null), body: '{"active": tru\u0000, garbage' }),
  endless: writeEndlessly,
  bomb: writeBomb,
};

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

function writeHalf(response: ServerResponse, answer = jsonAnswer({})): void {
  const body = Buffer.from(answer.body);
  const half = body.subarray(0, Math.ceil(body.length / 2));
  // The declared length is never reached, so even an empty answer is seen to be cut.
  const length = { 'Content-Length': String(body.length + 64) };
  response.writeHead(answer.status, { ...answer.headers, ...length });
  response.flushHeaders();
  if (half.length > 0) response.write(half);
  response.socket?.destroySoon();
}

function writeLate(response: ServerResponse, delayMs: number, answer = jsonAnswer({})): void {
  const timer = setTimeout(() => writeAnswer(response, answer), delayMs);
  response.on('close', () => clearTimeout(timer));
}

function writeEndlessly(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8' });
  response.write('{"keys":[');
  const chunk = Buffer.alloc(64 * 1024, ' ');
  const pump = () => {
    if (response.destroyed || response.socket?.destroyed) return;
    if (response.write(chunk)) setImmediate(pump);
    else response.once('drain', pump);
  };
  pump();
}

function writeBomb(response: ServerResponse): void {
  // RFC 1952 §2.2: members may follow one another, so one MiB is packed once and repeated.
  const member = gzipSync(Buffer.alloc(MIB, ' '));
  response.writeHead(200, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Encoding': 'gzip',
  });
  response.end(Buffer.concat(Array.from({ length: 256 }, () => member)));
}

function faultyAnswer(fault: Exclude<Fault, string | { slow: number }>): Answer {
  if ('redirect' in fault) return { status: 302, headers: { Location: fault.redirect }, body: '' };
  if ('body' in fault) {
    const { body, status = 200, headers = {} } = fault;
    const answer = jsonAnswer(body, status, headers);
    const asIs = typeof body === 'string' || Buffer.isBuffer(body);
    return asIs ? { ...answer, body } : answer;
  }
  const { status, retryAfter } = fault;
  const error = status < 500 ? 'temporarily_unavailable' : 'server_error';
  const headers = retryAfter === undefined ? {} : { 'Retry-After': String(retryAfter) };
  return jsonAnswer({ error, error_description: 'the stand-in was told to fail' }, status, headers);
}
