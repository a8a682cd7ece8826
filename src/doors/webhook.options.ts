import { GenAuthOptionsError } from '../core/errors.js';
import { OptionReader } from '../option-reader.js';
import type { EventCut } from './event-cuts.js';
import { digestOf } from './shared-secret.js';

/** Where GenAuth and Authing were seen to put the secret. */
const SECRET_HEADERS = [
  'x-genauth-webhook-secret',
  'x-genauth-token',
  'x-authing-webhook-secret',
  'x-authing-token',
] as const;

const SHORTEST_SECRET = 16;
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;

/** An event of GenAuth, as it came: nothing in `data` was checked. */
export interface WebhookEvent {
  readonly name: string;
  readonly data: unknown;
}

/** Options of `GenAuthWebhookModule`. */
export interface GenAuthWebhookOptions {
  /** The secret that the console was given, at least 16 characters; several while one replaces another. */
  secret: string | readonly string[] | undefined;
  /**
   * Headers that may hold the secret; one of them must.
   *
   * @default x-genauth-webhook-secret, x-genauth-token, x-authing-webhook-secret, x-authing-token
   */
  headers?: readonly string[];
  /** Largest body in bytes. The body parsers have a limit of their own, which comes first. @default 1_048_576 */
  maxBody?: number;
  /** Whether a new password ends what was issued before. @default true */
  passwordChanged?: boolean;
  /**
   * What an event ends, where that is not what the library thinks: an empty list for nothing, undefined for
   * whatever the library thinks. When it throws, the sender gets 500 and nothing is cut.
   */
  map?: (
    event: WebhookEvent,
  ) => readonly EventCut[] | undefined | Promise<readonly EventCut[] | undefined>;
}

/** For `forRootAsync({ useClass })` and `useExisting`. */
export interface GenAuthWebhookOptionsFactory {
  createGenAuthWebhookOptions(): GenAuthWebhookOptions | Promise<GenAuthWebhookOptions>;
}

/** The options with every default filled in. The class is the injection token. */
export abstract class ResolvedWebhook {
  /** Digests: all of one length, and no secret at hand to be printed. */
  abstract readonly secrets: readonly Buffer[];
  abstract readonly headers: readonly string[];
  abstract readonly maxBodyBytes: number;
  abstract readonly passwordChanged: boolean;
  abstract readonly map: NonNullable<GenAuthWebhookOptions['map']>;
}

/** @throws {GenAuthOptionsError} with one sentence for each option at fault */
export function resolveWebhook(options: GenAuthWebhookOptions): ResolvedWebhook {
  const faults: string[] = [];
  const read = OptionReader.of(options, faults);
  const resolved = {
    secrets: readSecrets(read, faults),
    headers: readHeaders(read, faults),
    maxBodyBytes: read.integer('maxBody', 1_048_576, 1_024, 104_857_600),
    passwordChanged: read.boolean('passwordChanged', true),
    map: read.has('map')
      ? read.callable<ResolvedWebhook['map']>('map', 'it maps an event to what it ends')
      : () => undefined,
  };
  read.refuseUnknown();
  if (faults.length > 0) throw new GenAuthOptionsError(faults, 'GenAuthWebhookModule');
  return Object.freeze(resolved);
}

function readSecrets(read: OptionReader, faults: string[]): readonly Buffer[] {
  if (!read.has('secret')) faults.push('secret must be set: the one that the console was given');
  const secrets = read.texts('secret');
  if (secrets.some((secret) => secret.length < SHORTEST_SECRET || secret.trim() !== secret)) {
    faults.push(
      `secret must have at least ${SHORTEST_SECRET} characters, and no white space around it`,
    );
  }
  return Object.freeze(secrets.map(digestOf));
}

function readHeaders(read: OptionReader, faults: string[]): readonly string[] {
  const names = read.texts('headers', ...SECRET_HEADERS);
  if (!names.every((name) => HEADER_NAME.test(name))) faults.push('headers must be header names');
  return Object.freeze(names.map((name) => name.toLowerCase()));
}
