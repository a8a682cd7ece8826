import { Readable } from 'node:stream';

import type { HttpServer } from '@nestjs/common';

/** A request on Express, which is its own stream, or on Fastify, whose parser left the stream as its body. */
export interface RawRequest {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body?: unknown;
}

interface FastifyInstance {
  hasContentTypeParser(type: string): boolean;
  addContentTypeParser(
    type: string,
    parser: (
      request: unknown,
      payload: Readable,
      done: (error: null, body: Readable) => void,
    ) => void,
  ): void;
}

/** Makes Fastify hand bodies of this type on as they come, as Express does with every type it does not know. */
export function leaveUnread(server: HttpServer | undefined, type: string): void {
  if (server?.getType?.() !== 'fastify') return;
  const fastify = server.getInstance?.() as FastifyInstance;
  if (fastify.hasContentTypeParser(type)) return;
  fastify.addContentTypeParser(type, (_request, payload, done) => done(null, payload));
}

/** How a form is written. */
export const FORM = 'application/x-www-form-urlencoded';

/** The media type of the body, without parameters. */
export function mediaTypeOf({ headers }: Pick<RawRequest, 'headers'>): string {
  const [type = ''] = String(headers['content-type'] ?? '').split(';', 1);
  return type.trim().toLowerCase();
}

/**
 * The body byte by byte as characters, whether or not the application has read it already; undefined when it
 * is longer than `most` bytes. What is beyond is discarded as it comes.
 */
export async function bodyOf(request: RawRequest, most: number): Promise<string | undefined> {
  const { body } = request;
  if (typeof body === 'string' || Buffer.isBuffer(body)) {
    return body.length > most ? undefined : body.toString('latin1');
  }
  const source = body instanceof Readable ? body : request;
  return source instanceof Readable && !source.readableEnded ? collect(source, most) : '';
}

function collect(source: Readable, most: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const finish = (text: string | undefined): void => {
      source.off('data', add).off('end', all).off('close', none);
      resolve(text);
    };
    const add = (chunk: Buffer): void => {
      size += chunk.length;
      chunks.push(chunk);
      if (size <= most) return;
      finish(undefined);
      source.resume();
    };
    const all = (): void => finish(Buffer.concat(chunks).toString('latin1'));
    const none = (): void => finish('');
    // Whoever hangs up in the middle is not there for an answer.
    source.on('error', none);
    source.on('data', add).on('end', all).on('close', none);
  });
}
