import 'reflect-metadata';

import { Controller, Get, Module, type NestApplicationOptions, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Fresh } from 'nestjs-genauth';
import type { Server } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';

import { answerParent, settingsOf } from '../common/child.js';
import type { Issuer } from '../common/identity.js';
import { type SignatureWay, WAYS } from '../signatures/ways.js';
import { type ProtectionName, PROTECTIONS } from './guards.js';
import type { Protection } from './peer-guards.js';

/** What a server is told at its start. */
export interface ServerSettings {
  readonly platform: Platform;
  readonly protection: ProtectionName | SignatureWay;
  readonly issuer: Issuer;
  /** Whether the delay of the event loop is watched, which costs a little itself. */
  readonly watched?: boolean;
}

export type Platform = 'express' | 'fastify';

/** What a stretch of requests took from the server. */
export interface ServerCost {
  readonly cpuUs: number;
  /** Milliseconds between ticks of a timer of one millisecond. */
  readonly delayP99Ms: number;
  readonly delayMaxMs: number;
}

const { platform, protection: name, issuer, watched = false } = settingsOf<ServerSettings>();
const protection: Protection = { ...PROTECTIONS, ...WAYS }[name](issuer);

@Controller()
class MeController {
  @Get('me')
  me() {
    return { ok: true };
  }
}

if (protection.guard) UseGuards(protection.guard)(MeController);
if (protection.fresh) Fresh({ maxAge: 0 })(MeController);

@Module({
  imports: protection.imports ?? [],
  providers: protection.providers ?? [],
  controllers: [MeController],
})
class ServerModule {}

const options: NestApplicationOptions = { logger: ['error'] };
const app =
  platform === 'fastify'
    ? await NestFactory.create<NestFastifyApplication>(ServerModule, new FastifyAdapter(), options)
    : await NestFactory.create<NestExpressApplication>(ServerModule, options);
await app.listen(0, '127.0.0.1');
// Its connections are kept while others have their turn.
(app.getHttpServer() as Server).keepAliveTimeout = 0;

const delay = monitorEventLoopDelay({ resolution: 1 });
let before = process.cpuUsage();

answerParent({
  port: async () => Number(new URL(await app.getUrl()).port),
  begin() {
    globalThis.gc?.();
    if (watched) {
      delay.enable();
      delay.reset();
    }
    before = process.cpuUsage();
  },
  cpuUs,
  end(): ServerCost {
    const cost = { cpuUs: cpuUs(), delayP99Ms: delay.percentile(99) / 1e6 };
    delay.disable();
    return { ...cost, delayMaxMs: delay.max / 1e6 };
  },
});

/** Since the beginning. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
