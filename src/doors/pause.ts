/** How long to wait before the next attempt. */
export interface Pauses {
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
}

/** The pause after so many failures in a row: doubled each time, up to the longest, and half of it random. */
export function pauseAfter(failures: number, { minPauseMs, maxPauseMs }: Pauses): number {
  const longest = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(failures, 32));
  return Math.ceil(longest * (0.5 + Math.random() / 2));
}
