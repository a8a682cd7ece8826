import type { Cache } from 'cache-manager';

import { isJsonObject, type JsonObject } from './core/json.js';

/**
 * Reads options one by one. A fault becomes a sentence in `faults`, and a harmless value stands in, so
 * that all faults are found in one go. Values are never quoted: one of them may be a secret.
 */
export class OptionReader {
  readonly #known = new Set<string>();
  readonly #options: JsonObject;

  constructor(
    options: object,
    private readonly prefix: string,
    private readonly faults: string[],
  ) {
    this.#options = options as JsonObject;
  }

  /** Of an application's own options, whatever they are. */
  static of(options: unknown, faults: string[]): OptionReader {
    if (isJsonObject(options)) return new OptionReader(options, '', faults);
    faults.push('the options must be an object');
    return new OptionReader({}, '', faults);
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  /** The options inside of option `name`, an object. */
  group(name: string): OptionReader {
    const value = this.#take(name) ?? {};
    const sound = isJsonObject(value);
    if (!sound) this.#fault(name, 'must be an object');
    return new OptionReader(sound ? value : {}, `${this.prefix}${name}.`, this.faults);
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.#take(name);
    if (value === undefined || Array.isArray(value)) return value;
    this.#fault(name, 'must be a list');
    return [];
  }

  /** The options in element `place` of the list `name`. */
  element(name: string, place: number): OptionReader {
    const value = (this.#options[name] as readonly unknown[])[place];
    const label = `${name}[${place}]`;
    if (!isJsonObject(value)) this.#fault(label, 'must be an object');
    return new OptionReader(
      isJsonObject(value) ? value : {},
      `${this.prefix}${label}.`,
      this.faults,
    );
  }

  text(name: string, byDefault?: string): string {
    const value = this.#take(name) ?? byDefault;
    if (typeof value === 'string' && value.trim() === value && value !== '') return value;
    return this.#fault(
      name,
      `must be ${value === undefined ? 'set to ' : ''}a non-empty string`,
      '',
    );
  }

  secret(name: string, needed: boolean): string | undefined {
    const value = this.#take(name);
    if (value === undefined && !needed) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    const advice = "set it, or set both …EndPointAuthMethod options to 'none'";
    return this.#fault(name, `must be a non-empty string: ${advice}`, undefined);
  }

  /** One string or a list of them; frozen. */
  texts(name: string, ...byDefault: readonly string[]): readonly string[] {
    const value = this.#take(name) ?? byDefault;
    const list: unknown[] = Array.isArray(value) ? [...value] : [value];
    const sound = list.filter((item) => typeof item === 'string' && item !== '') as string[];
    if (sound.length === 0 || sound.length < list.length) {
      if (value !== byDefault) this.#fault(name, 'must be a non-empty string or a list of such');
    }
    return Object.freeze(sound);
  }

  someOf<T extends string>(name: string, choices: readonly T[], byDefault: T): readonly T[] {
    const value = this.#take(name) ?? [byDefault];
    const sound =
      Array.isArray(value) && value.length > 0 && value.every((v) => choices.includes(v));
    if (!sound) this.#fault(name, `must be a list of some of ${choices.join(', ')}`);
    return Object.freeze(sound ? [...(value as T[])] : [byDefault]);
  }

  oneOf<T extends string>(name: string, choices: readonly T[], byDefault: T): T {
    const value = this.#take(name) ?? byDefault;
    if (choices.includes(value as T)) return value as T;
    return this.#fault(
      name,
      `must be one of ${choices.map((c) => `'${c}'`).join(', ')}`,
      byDefault,
    );
  }

  /** An absolute URL without credentials, query or fragment; https unless the host is loopback. */
  url(name: string, byDefault?: string): string {
    return this.#address(name, 'http', byDefault);
  }

  /** As `url`, for a WebSocket: wss unless the host is loopback. */
  socketUrl(name: string, byDefault?: string): string {
    return this.#address(name, 'ws', byDefault);
  }

  #address(name: string, scheme: 'http' | 'ws', byDefault?: string): string {
    const value = this.#take(name) ?? byDefault;
    // A default made from a faulty appHost is not a fault of its own.
    if (value === byDefault && byDefault !== undefined) return byDefault;
    const sentence = urlFault(value, scheme);
    return sentence === undefined ? (value as string) : this.#fault(name, sentence, '');
  }

  integer(name: string, byDefault: number, least: number, most: number): number {
    const value = this.#take(name) ?? byDefault;
    if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    return this.#fault(name, `must be a whole number from ${least} to ${most}`, byDefault);
  }

  boolean(name: string, byDefault: boolean): boolean {
    const value = this.#take(name) ?? byDefault;
    return typeof value === 'boolean'
      ? value
      : this.#fault(name, 'must be true or false', byDefault);
  }

  /** A function; what it takes and gives is up to its type. */
  callable<T>(name: string, advice: string): T {
    const value = this.#take(name);
    if (typeof value === 'function') return value as T;
    return this.#fault(name, `must be a function: ${advice}`, undefined as T);
  }

  instance<T>(name: string, type: abstract new () => T): T | undefined {
    const value = this.#take(name);
    if (value === undefined || value instanceof type) return value;
    return this.#fault(name, `must be a ${type.name}`, undefined);
  }

  cache(name: string): Cache | undefined {
    const value = this.#take(name);
    const methods = ['get', 'set', 'del'] as const;
    const cache = value as Cache | undefined;
    if (cache === undefined || methods.every((m) => typeof cache?.[m] === 'function')) return cache;
    return this.#fault(name, "must be a cache made by cache-manager's createCache()", undefined);
  }

  /** Call when everything was read: what nobody asked for is a fault. */
  refuseUnknown(): void {
    for (const name of Object.keys(this.#options)) {
      if (this.#known.has(name)) continue;
      const [nearest] = [...this.#known].sort((a, b) => distance(a, name) - distance(b, name));
      const most = Math.min(4, Math.max(1, name.length / 3));
      const near = nearest !== undefined && distance(nearest, name) <= most;
      this.#fault(
        name,
        near ? `is not an option; did you mean '${nearest}'?` : 'is not an option; remove it',
      );
    }
  }

  #take(name: string): unknown {
    this.#known.add(name);
    return this.#options[name] ?? undefined;
  }

  #fault(name: string, sentence: string): undefined;
  #fault<T>(name: string, sentence: string, standIn: T): T;
  #fault(name: string, sentence: string, standIn?: unknown): unknown {
    this.faults.push(`${this.prefix}${name} ${sentence}`);
    return standIn;
  }
}

function urlFault(value: unknown, scheme: 'http' | 'ws'): string | undefined {
  // The URL parser repairs white space and backslashes; the text is used as it stands, also as issuer.
  if (typeof value !== 'string' || /[\s\\]/.test(value) || !URL.canParse(value)) {
    return `must be an absolute URL such as ${scheme}s://example.genauth.ai`;
  }
  const { username, password, protocol, hostname } = new URL(value);
  if (username || password || /[?#]/.test(value)) {
    return 'must not contain credentials, a query or a fragment';
  }
  if (protocol === `${scheme}s:`) return undefined;
  if (protocol === `${scheme}:` && isLoopback(hostname)) return undefined;
  return `must use ${scheme}s; ${scheme} is for loopback addresses only`;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** Edits that turn one word into the other, ignoring case (Levenshtein). */
function distance(a: string, b: string): number {
  const [from, to] = [a.toLowerCase(), b.toLowerCase()];
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const swap = (row[j - 1] as number) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(swap, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[to.length] as number;
}
