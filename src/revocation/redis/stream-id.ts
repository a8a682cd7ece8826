/** An entry as Redis gives it: its id, and names and values in turn. */
export type Row = readonly [id: string, fields: readonly string[]];

/** Orders ids of a stream: `milliseconds-sequence`. */
export function isEarlier(id: string, other: string): boolean {
  const [ms, seq] = partsOf(id);
  const [otherMs, otherSeq] = partsOf(other);
  return ms < otherMs || (ms === otherMs && seq < otherSeq);
}

/** When an entry was written, by the clock of the server that took it. */
export function instantOfId(id: string): number {
  return partsOf(id)[0];
}

function partsOf(id: string): [ms: number, seq: number] {
  const [ms = '0', seq = '0'] = id.split('-');
  return [Number(ms), Number(seq)];
}
