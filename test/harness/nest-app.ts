import { createServer } from 'node:http';

import type { INestApplication, LoggerService, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';

import { Clock, TokenService } from '../../src/index.js';

/** The two platforms every guard case runs on. */
export const platforms = ['express', 'fastify'] as const;
export type Platform = (typeof platforms)[number];

/** What a caller can see of an answer. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

/** A Nest application made of any modules, on a free port. */
export interface NestApp extends AsyncDisposable {
  readonly app: INestApplication;
  readonly url: string;
  readonly tokens: TokenService;
  /** GET (or another method) with a bearer token, over real HTTP. */
  call(path: string, token?: string, init?: RequestInit): Promise<Answer>;
  close(): Promise<void>;
}

/** How the application is run. */
export interface NestAppOptions {
  readonly platform?: Platform;
  readonly clock?: Clock;
  readonly prefix?: string;
  readonly logger?: LoggerService | false;
  /** Called before it listens. */
  readonly prepare?: (app: INestApplication) => void;
}

// Tokens may be 16 KiB long, which is all that node allows for every header together.
const HEADER_BYTES = 64 * 1024;

class RoomyExpressAdapter extends ExpressAdapter {
  override initHttpServer(): void {
    const listener = this.getInstance<Parameters<typeof createServer>[1]>();
    this.setHttpServer(createServer({ maxHeaderSize: HEADER_BYTES }, listener));
  }
}

/** Starts the application; headers may be 64 KiB long. */
export async function startNestApp(
  metadata: ModuleMetadata,
  { platform = 'express', clock, prefix, logger = false, prepare }: NestAppOptions = {},
): Promise<NestApp> {
  const building = Test.createTestingModule(metadata);
  if (clock) building.overrideProvider(Clock).useValue(clock);
  const module = await building.compile();
  const adapter =
    platform === 'express'
      ? new RoomyExpressAdapter()
      : new FastifyAdapter({ http: { maxHeaderSize: HEADER_BYTES } });
  const app = module.createNestApplication(adapter, { logger });
  if (prefix) app.setGlobalPrefix(prefix);
  prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return {
    app,
    url,
    tokens: app.get(TokenService),
    async call(path, token, init = {}) {
      const headers = new Headers(init.headers);
      if (token !== undefined) headers.set('authorization', `Bearer ${token}`);
      const response = await fetch(url + path, { ...init, headers });
      return { status: response.status, headers: response.headers, body: await response.text() };
    },
    close: () => app.close(),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** Resolves once the condition holds; fails with the description when it does not in time. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  limitMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Not within ${limitMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
