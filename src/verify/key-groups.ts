/** The keys that belong to each name. Nearly always that is one, which then stands alone: a set is large. */
export class KeyGroups {
  readonly #keys = new Map<string, string | Set<string>>();

  add(name: string, key: string): void {
    const known = this.#keys.get(name);
    if (known === undefined || known === key) this.#keys.set(name, key);
    else if (typeof known === 'string') this.#keys.set(name, new Set([known, key]));
    else known.add(key);
  }

  remove(name: string, key: string): void {
    const known = this.#keys.get(name);
    if (typeof known === 'object') known.delete(key);
    if (known === key || (typeof known === 'object' && known.size === 0)) this.#keys.delete(name);
  }

  of(name: string): readonly string[] {
    const known = this.#keys.get(name) ?? [];
    return typeof known === 'string' ? [known] : [...known];
  }
}
