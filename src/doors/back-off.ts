/** How long to wait before the next attempt. */
export interface Pauses {
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
}

/**
 * The pause after a failure, doubled for each one in a row before it, up to the longest. Half of it is chance,
 * so that a fleet does not come back as one.
 */
export function pauseAfter(earlier: number, { minPauseMs, maxPauseMs }: Pauses): number {
  const longest = Math.min(maxPauseMs, minPauseMs * 2 ** Math.min(earlier, 32));
  return Math.ceil(longest * (0.5 + Math.random() / 2));
}
