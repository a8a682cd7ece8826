/** An entry of a stream: its id in two parts, and its fields. */
export interface StoredEntry {
  readonly ms: number;
  readonly seq: number;
  readonly fields: readonly string[];
}

interface Stream {
  entries: StoredEntry[];
  last: { ms: number; seq: number };
  added: number;
}

/** A change, as a master sends it to its replicas. */
export type Change =
  | { readonly is: 'add'; readonly key: string; readonly entry: StoredEntry }
  | { readonly is: 'set'; readonly key: string; readonly field: string; readonly value: string }
  | { readonly is: 'trim'; readonly key: string; readonly before: { ms: number; seq: number } }
  | { readonly is: 'flush' };

/** What one server holds. */
export class RedisData {
  #streams = new Map<string, Stream>();
  #hashes = new Map<string, Map<string, string>>();

  copy(): RedisData {
    const copy = new RedisData();
    for (const [key, stream] of this.#streams) {
      copy.#streams.set(key, { ...stream, entries: [...stream.entries], last: { ...stream.last } });
    }
    for (const [key, hash] of this.#hashes) copy.#hashes.set(key, new Map(hash));
    return copy;
  }

  apply(change: Change): void {
    if (change.is === 'flush') {
      this.#streams.clear();
      this.#hashes.clear();
    } else if (change.is === 'set') {
      const hash = this.#hashes.get(change.key) ?? new Map<string, string>();
      hash.set(change.field, change.value);
      this.#hashes.set(change.key, hash);
    } else if (change.is === 'add') {
      const stream = this.#streams.get(change.key) ?? empty();
      stream.entries.push(change.entry);
      stream.last = change.entry;
      stream.added += 1;
      this.#streams.set(change.key, stream);
    } else {
      const stream = this.#streams.get(change.key);
      if (stream) stream.entries = stream.entries.filter((one) => !isBefore(one, change.before));
    }
  }

  field(key: string, field: string): string | null {
    return this.#hashes.get(key)?.get(field) ?? null;
  }

  stream(key: string): Stream | undefined {
    return this.#streams.get(key);
  }

  /** The id that the next entry gets at this time of the server's clock. */
  nextId(key: string, now: number): { ms: number; seq: number } {
    const last = this.#streams.get(key)?.last ?? { ms: 0, seq: 0 };
    return now > last.ms ? { ms: now, seq: 0 } : { ms: last.ms, seq: last.seq + 1 };
  }
}

function empty(): Stream {
  return { entries: [], last: { ms: 0, seq: 0 }, added: 0 };
}

export function isBefore(
  one: { readonly ms: number; readonly seq: number },
  other: { readonly ms: number; readonly seq: number },
): boolean {
  return one.ms < other.ms || (one.ms === other.ms && one.seq < other.seq);
}

export function idOf({ ms, seq }: { readonly ms: number; readonly seq: number }): string {
  return `${ms}-${seq}`;
}

export function parseId(text: string): { ms: number; seq: number } {
  const [ms = '0', seq = '0'] = text.split('-');
  return { ms: Number(ms), seq: Number(seq) };
}
