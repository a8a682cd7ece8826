// A Nest application with doors, as a process of its own: what it is told is in SETTINGS, and it says where it listens.
import 'reflect-metadata';

import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GenAuthGuard, GenAuthModule, TokenService } from 'nestjs-genauth';
import {
  BackchannelLogoutModule,
  GenAuthWebhookModule,
  SecurityEventsModule,
} from 'nestjs-genauth/doors';
import { EventHubModule } from 'nestjs-genauth/event-hub';
import { nodeRedis, redisRevocationLog } from 'nestjs-genauth/redis';
import { createClient } from 'redis';

const { genauth, redisUrl, maxStaleness, secret, transmitter, hub } = JSON.parse(
  process.env.SETTINGS,
);

class MeController {
  me() {
    return {};
  }
}
Get('me')(
  MeController.prototype,
  'me',
  Object.getOwnPropertyDescriptor(MeController.prototype, 'me'),
);
UseGuards(GenAuthGuard)(MeController);
Controller()(MeController);

class AppModule {}
Module({
  imports: [
    GenAuthModule.forRoot({
      ...genauth,
      revocation: {
        maxStaleness,
        whenStale: 'refuse',
        log: redisRevocationLog({
          connect: nodeRedis(createClient, { url: redisUrl }),
          heartbeat: 100,
          rpcTimeout: 500,
        }),
      },
    }),
    BackchannelLogoutModule.forRoot(),
    GenAuthWebhookModule.forRoot({ secret }),
    SecurityEventsModule.forRoot(transmitter),
    ...(hub ? [EventHubModule.forRoot({ ...hub, onGap: 'nothing' })] : []),
  ],
  controllers: [MeController],
})(AppModule);

const app = await NestFactory.create(AppModule, { logger: ['error'] });
await app.listen(0, '127.0.0.1');
await app.get(TokenService).ready();
process.send({ url: await app.getUrl() });
process.once('disconnect', () => process.exit());
