const MOST_LISTS = 1_000;
const LONGEST_TEXT = 256;

/**
 * Lists that many tokens have in common, their scopes and audiences, each kept once: they would be a large
 * part of what is remembered of a token. Frozen.
 */
export class SharedLists {
  readonly #lists = new Map<string, readonly string[]>();

  constructor(private readonly read: (text: string) => string[]) {}

  of(text: string): readonly string[] {
    const known = this.#lists.get(text);
    if (known) return known;
    const list = Object.freeze(this.read(text));
    if (text.length > LONGEST_TEXT) return list;
    if (this.#lists.size >= MOST_LISTS) this.#lists.clear();
    this.#lists.set(text, list);
    return list;
  }
}
