/** The keys that belong to each name. */
export class KeyGroups {
  readonly #keys = new Map<string, Set<string>>();

  add(name: string, key: string): void {
    const keys = this.#keys.get(name);
    if (keys) keys.add(key);
    else this.#keys.set(name, new Set([key]));
  }

  remove(name: string, key: string): void {
    const keys = this.#keys.get(name);
    keys?.delete(key);
    if (keys?.size === 0) this.#keys.delete(name);
  }

  of(name: string): readonly string[] {
    return [...(this.#keys.get(name) ?? [])];
  }
}
