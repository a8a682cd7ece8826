import 'reflect-metadata';

import { Body, Controller, Get, Module, Post, Res, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { GenAuthGuard, GenAuthModule, Public, RevocationError, TokenService } from 'nestjs-genauth';
import { GenAuthWebhookModule } from 'nestjs-genauth/doors';
import { nodeRedis, redisRevocationLog } from 'nestjs-genauth/redis';
import { createClient } from 'redis';

import type { InstanceSettings, RevokeReply, Usage } from './messages.js';

const { genauth, redisUrl, maxStaleness, replicas, webhookSecret } = JSON.parse(
  process.env['INSTANCE'] ?? '{}',
) as InstanceSettings;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

@Controller()
@UseGuards(GenAuthGuard)
class InstanceController {
  constructor(private readonly tokens: TokenService) {}

  /** Says when the token was accepted, or a moment later. */
  @Get('me')
  me() {
    return { acceptedAt: Date.now() };
  }

  @Public()
  @Post('revoke')
  async revoke(@Body() { token }: { token: string }): Promise<RevokeReply> {
    try {
      await this.tokens.revoke(token, { tokenTypeHint: 'access_token' });
      return { acknowledgedAt: Date.now() };
    } catch (error) {
      return { failure: error instanceof RevocationError ? error.code : 'unexpected' };
    }
  }

  @Public()
  @Get('ready')
  ready(@Res({ passthrough: true }) response: ServerResponse) {
    const readiness = this.tokens.readiness();
    response.statusCode = readiness === 'not_ready' ? 503 : 200;
    return { readiness };
  }

  @Public()
  @Get('usage')
  usage(): Usage {
    const { user, system } = process.cpuUsage();
    collectGarbage();
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    return { rss, heap: heapUsed + arrayBuffers, cpuMs: (user + system) / 1_000 };
  }
}

@Module({
  imports: [
    GenAuthModule.forRoot({
      ...genauth,
      revocation: {
        maxStaleness,
        log: redisRevocationLog({
          connect: nodeRedis(createClient, { url: redisUrl }),
          heartbeat: maxStaleness / 6,
          rpcTimeout: maxStaleness / 6,
          durability: { replicas },
        }),
      },
    }),
    ...(webhookSecret ? [GenAuthWebhookModule.forRoot({ secret: webhookSecret })] : []),
  ],
  controllers: [InstanceController],
})
class InstanceModule {}

const app = await NestFactory.create(InstanceModule, { logger: ['error'] });
await app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1');
process.send?.({ url: await app.getUrl() });
// Nobody is left to watch it: whoever started it has died.
process.once('disconnect', () => process.exit());
process.once('SIGTERM', () => void app.close().then(() => process.disconnect?.()));
