import type { LoggerService } from '@nestjs/common';
import { channel } from 'node:diagnostics_channel';

import type { NewsMessage } from '../../src/doors.js';

const CHANNELS = ['refusal', 'alarm', 'revocation', 'news'].map((name) => `genauth:${name}`);

/** Everything that operators are told, and everything that is logged. */
export class NewsWatch implements Disposable {
  readonly news: NewsMessage[] = [];
  readonly #words: string[] = [];
  readonly #heard = (message: unknown, name: string | symbol): void => {
    this.#words.push(JSON.stringify(message));
    if (name === 'genauth:news') this.news.push(message as NewsMessage);
  };

  constructor() {
    for (const name of CHANNELS) channel(name).subscribe(this.#heard);
  }

  /** A logger that forgets nothing. */
  readonly logger: LoggerService = {
    log: (...all: unknown[]) => this.#note(all),
    error: (...all: unknown[]) => this.#note(all),
    warn: (...all: unknown[]) => this.#note(all),
    debug: (...all: unknown[]) => this.#note(all),
    verbose: (...all: unknown[]) => this.#note(all),
  };

  /** All that was said, for searching. */
  get text(): string {
    return this.#words.join('\n');
  }

  get outcomes(): readonly string[] {
    return this.news.map(({ outcome }) => outcome);
  }

  [Symbol.dispose](): void {
    for (const name of CHANNELS) channel(name).unsubscribe(this.#heard);
  }

  #note(all: readonly unknown[]): void {
    this.#words.push(
      all.map((one) => (one instanceof Error ? one.stack : JSON.stringify(one))).join(' '),
    );
  }
}
