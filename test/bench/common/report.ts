import { pairedRatios, type Spread, spreadOf } from './statistics.js';

/** A figure beside its neighbour from the same run. */
export interface Row {
  /** What was measured: `remembered token`, for example. */
  readonly what: string;
  /** Under which circumstances. */
  readonly given?: string;
  /** Who was measured. */
  readonly who: string;
  readonly unit: string;
  readonly value: Spread;
  /** Absent only from the neighbour itself. */
  readonly beside?: {
    readonly who: string;
    readonly median: number;
    readonly ratio: number;
    /** Where the middle half of the ratios lies. */
    readonly ratios: Spread;
  };
  /** How many measurements the figure is the middle of. */
  readonly count: number;
  /** More figures of the same measurement. */
  readonly also?: Readonly<Record<string, number>>;
  readonly note?: string;
}

/** One part of the run. */
export interface Section {
  readonly name: string;
  readonly title: string;
  /** What a reader has to know to understand the figures. */
  readonly remarks: readonly string[];
  readonly rows: readonly Row[];
}

/** What a row is made of, before it is summed up. */
export interface Figure extends Omit<Row, 'value' | 'beside' | 'count'> {
  readonly values: readonly number[];
}

/** @param beside the name of the neighbour among the figures */
export function rowsOf(figures: readonly Figure[], beside: string): Row[] {
  const neighbour = figures.find(({ who }) => who === beside);
  return figures.map(({ values, ...figure }) => ({
    ...figure,
    value: spreadOf(values),
    count: values.length,
    ...(neighbour && neighbour.who !== figure.who && besideOf(values, neighbour)),
  }));
}

function besideOf(values: readonly number[], neighbour: Figure): Pick<Row, 'beside'> {
  const ratios = pairedRatios(values, neighbour.values);
  const { median } = spreadOf(neighbour.values);
  return { beside: { who: neighbour.who, median, ratio: ratios.median, ratios } };
}

export function shown(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) >= 1_000) {
    return Math.round(value).toLocaleString('en-US').replaceAll(',', ' ');
  }
  return Math.abs(value) < 0.01 ? value.toFixed(3) : value.toPrecision(3);
}

/** A count in one word: `100k`. */
export function short(count: number): string {
  if (count >= 1_000_000) return `${count / 1_000_000}M`;
  return count >= 1_000 ? `${count / 1_000}k` : `${count}`;
}

/** The cells of a row, for the terminal and for the document. */
export function cellsOf({
  what,
  given,
  who,
  unit,
  value,
  count,
  beside,
  also,
  note,
}: Row): string[] {
  const others = Object.entries(also ?? {}).map(([name, figure]) => `${name} ${shown(figure)}`);
  return [
    given === undefined ? what : `${what}, ${given}`,
    who,
    `${shown(value.median)} ${unit}`,
    count > 1 ? `${shown(value.low)} – ${shown(value.high)}` : 'measured once',
    beside ? ratioCell(beside, count) : '',
    [...others, ...(note === undefined ? [] : [note])].join('; '),
  ];
}

function ratioCell({ who, ratio, ratios }: NonNullable<Row['beside']>, count: number): string {
  const spread = count > 1 ? ` (${shown(ratios.low)} – ${shown(ratios.high)})` : '';
  return `${shown(ratio)}${spread} × ${who}`;
}

export const COLUMNS = ['what', 'who', 'median', 'middle half', 'ratio', 'also'] as const;

export function printTable(title: string, columns: readonly string[], rows: string[][]): void {
  const widths = columns.map((column, place) =>
    Math.max(column.length, ...rows.map((row) => row[place]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, place) => cell.padEnd(widths[place] ?? 0)).join('  ')}`.trimEnd();
  console.log(`\n${title}\n${line(columns)}`);
  let previous = '';
  for (const row of rows) {
    const [first = '', ...more] = row;
    console.log(line([first === previous ? '' : first, ...more]));
    previous = first;
  }
}
