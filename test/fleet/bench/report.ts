/** One measured quantity, and what it stands beside. */
export interface Line {
  readonly what: string;
  readonly ours: number;
  readonly beside?: { readonly what: string; readonly value: number };
  readonly unit: string;
}

export function print(title: string, lines: readonly Line[]): void {
  console.log(`\n${title}`);
  for (const { what, ours, beside, unit } of lines) {
    const left = `  ${what.padEnd(46)} ${shown(ours).padStart(9)} ${unit.padEnd(12)}`;
    const ratio =
      beside && `${shown(ours / beside.value)}× of ${beside.what} (${shown(beside.value)})`;
    console.log(ratio === undefined ? left.trimEnd() : `${left} ${ratio}`);
  }
}

function shown(value: number): string {
  if (Math.abs(value) >= 1_000)
    return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  return value.toPrecision(3);
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? NaN;
}
