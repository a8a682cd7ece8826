interface Flight<T> {
  readonly version: number;
  readonly landed: Promise<T>;
}

/** Work under way, once for all who want it; nobody joins what began before the newest revocation. */
export class Flights<T> {
  readonly #flights = new Map<string, Flight<T>>();

  /** @param version the newest revocation */
  join(name: string, version: number, begin: () => Promise<T>): Promise<T> {
    const current = this.#flights.get(name);
    if (current?.version === version) return current.landed;
    const landed = begin().finally(() => {
      if (this.#flights.get(name)?.landed === landed) this.#flights.delete(name);
    });
    this.#flights.set(name, { version, landed });
    return landed;
  }
}
