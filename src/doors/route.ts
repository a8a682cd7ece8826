import { Controller, type Type } from '@nestjs/common';

import { publishNews } from '../core/channels.js';
import { GenAuthUnavailableError, RevocationError } from '../core/errors.js';
import type { DoorSource } from '../core/revocation.js';
import { Public } from '../http/decorators.js';
import { refusalOf } from '../http/refusal.js';

/** What a door needs of a response: the same on Express and on Fastify. */
export interface DoorResponse {
  header(name: string, value: string): unknown;
}

/** A controller of its own at `path`, made of an `@Injectable()`, which `GenAuthGuard` lets everyone reach: the door judges who speaks. */
export function controllerAt(path: string, controller: Type): Type {
  const Door = { [controller.name]: class extends controller {} }[controller.name] as Type;
  Controller(path)(Door);
  Public()(Door);
  return Door;
}

/**
 * Runs what a door does with a message. When that could not be judged or made durable, the sender gets 503
 * with `Retry-After`, and the operator the reason; anything else that is thrown passes.
 */
export async function answering<T>(
  source: DoorSource,
  response: DoorResponse,
  take: () => Promise<T>,
): Promise<T> {
  try {
    return await take();
  } catch (error) {
    const isOutage = error instanceof RevocationError || error instanceof GenAuthUnavailableError;
    const refusal = isOutage ? refusalOf(error) : undefined;
    if (!isOutage || !refusal) throw error;
    publishNews({ source, outcome: 'unavailable', detail: error.message });
    for (const [name, value] of Object.entries(refusal.headers)) response.header(name, value);
    throw refusal.exception;
  }
}
