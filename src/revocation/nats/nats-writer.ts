import { randomBytes } from 'node:crypto';

import type { Group, Writer } from '../fleet/appender.js';
import { textOf } from './entries.js';
import type { JetStreamLink } from './jetstream-link.js';
import type { LogSetup } from './log-setup.js';

/** A subject that nobody has used. */
export function newEntry({ entries }: LogSetup): string {
  return `${entries}.${randomBytes(16).toString('base64url')}`;
}

/**
 * Publishes a group as one message. The stream keeps one message of a subject: an attempt whose
 * acknowledgement was lost is replaced by the next one. What was acknowledged is never replaced, since a
 * reader that is on its way would miss it.
 */
export class NatsWriter implements Writer {
  #attempt: { readonly group: Group; readonly subject: string } | undefined;

  constructor(
    private readonly link: JetStreamLink,
    private readonly setup: LogSetup,
  ) {}

  async write(group: Group): Promise<readonly string[]> {
    if (this.#attempt?.group !== group) this.#attempt = { group, subject: newEntry(this.setup) };
    const text = textOf(group.flatMap(({ facts }) => facts));
    await this.link.publish(this.#attempt.subject, text);
    this.#attempt = undefined;
    return [];
  }

  close(): void {
    this.link.close();
  }
}
