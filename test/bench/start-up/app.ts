import 'reflect-metadata';

import { Module, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { answerParent, settingsOf } from '../common/child.js';
import type { Issuer } from '../common/identity.js';

/** What an application has beside Nest. */
export type Addition = 'nothing' | 'ours' | 'passport' | 'keycloak';

/** What is there when the application listens. */
export interface StartedUp {
  readonly ms: number;
  readonly cpuMs: number;
  readonly rssMb: number;
  readonly heapMb: number;
}

const { addition, issuer } = settingsOf<{ addition: Addition; issuer: Issuer }>();

/** Imported only by who needs it: importing is part of what is measured. */
async function metadataOf(): Promise<ModuleMetadata> {
  if (addition === 'nothing') return {};
  if (addition === 'ours') {
    const { GenAuthModule } = await import('nestjs-genauth');
    return { imports: [GenAuthModule.forRoot({ ...issuer.application })] };
  }
  const { overKeycloak, overPassport } = await import('../requests/peer-guards.js');
  const { imports = [], providers = [] } = (addition === 'passport' ? overPassport : overKeycloak)(
    issuer,
  );
  return { imports, providers };
}

@Module({})
class EmptyModule {}

const { imports = [], providers = [] } = await metadataOf();
const app = await NestFactory.create(
  { module: EmptyModule, imports, providers },
  { logger: ['error'] },
);
await app.listen(0, '127.0.0.1');
const ms = performance.now();
const { user, system } = process.cpuUsage();
const { rss } = process.memoryUsage();
globalThis.gc?.();
const startedUp: StartedUp = {
  ms,
  cpuMs: (user + system) / 1_000,
  rssMb: rss / 2 ** 20,
  heapMb: process.memoryUsage().heapUsed / 2 ** 20,
};

answerParent({ startedUp: () => startedUp });
