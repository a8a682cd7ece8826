import 'reflect-metadata';

import { type CanActivate, Controller, Get, Module, type Type, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { Fresh } from 'nestjs-genauth';
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

const { guard, fresh } = protection as { guard?: Type<CanActivate>; fresh?: boolean };
if (guard) UseGuards(guard)(MeController);
if (fresh) Fresh({ maxAge: 0 })(MeController);

@Module({
  imports: protection.imports ?? [],
  providers: protection.providers ?? [],
  controllers: [MeController],
})
class ServerModule {}

const logger: ['error'] = ['error'];
const app =
  platform === 'fastify'
    ? await NestFactory.create<NestFastifyApplication>(ServerModule, new FastifyAdapter(), {
        logger,
      })
    : await NestFactory.create<NestExpressApplication>(ServerModule, { logger });
await app.listen(0, '127.0.0.1');

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
  end(): ServerCost {
    const { user, system } = process.cpuUsage(before);
    delay.disable();
    const [delayP99Ms, delayMaxMs] = [delay.percentile(99) / 1e6, delay.max / 1e6];
    return { cpuUs: user + system, delayP99Ms, delayMaxMs };
  },
});
