import 'reflect-metadata';

import { Controller, Module, Sse, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { CurrentPrincipal, GenAuthGuard, GenAuthModule, type Principal } from 'nestjs-genauth';
import { NEVER, type Observable, startWith } from 'rxjs';

import { answerParent, settingsOf } from '../common/child.js';
import { CoveredLog } from '../common/covered-log.js';
import type { Issuer } from '../common/identity.js';
import { optionsFor } from '../common/service.js';
import { OpenGuard } from '../requests/guards.js';
import { bytesInUse } from './meter.js';

const { issuer, guarded } = settingsOf<{ issuer: Issuer; guarded: boolean }>();
const held = new Set<unknown>();

/** A stream that stays open, and holds whom it speaks to. */
@Controller()
class StreamController {
  @Sse('stream')
  stream(@CurrentPrincipal() who: Principal | undefined): Observable<{ data: string }> {
    held.add(who ?? {});
    return NEVER.pipe(startWith({ data: 'open' }));
  }
}
UseGuards(guarded ? GenAuthGuard : OpenGuard)(StreamController);

@Module({
  imports: guarded ? [GenAuthModule.forRoot(optionsFor(issuer, new CoveredLog(), 10_000))] : [],
  controllers: [StreamController],
})
class StreamModule {}

const app = await NestFactory.create(StreamModule, new FastifyAdapter(), { logger: ['error'] });
await app.listen(0, '127.0.0.1');

answerParent({
  port: async () => Number(new URL(await app.getUrl()).port),
  bytes: () => bytesInUse(),
  held: () => held.size,
});
