import type { Revocation } from '../../core/revocation.js';
import { type Entry, fieldsOf, markerOf, readEntry } from '../fleet/wire.js';

/** An entry that says nothing: it gives readers a place to go on from. */
export const MARK = lineOf(markerOf());

/** The text of a message: a line for each fact, names and values in turn. */
export function textOf(facts: readonly Revocation[]): string {
  return facts.map((fact) => lineOf(fieldsOf(fact))).join('\n');
}

/**
 * Reads the text of a message.
 *
 * @param writtenAt when it was written, by the clock of its readers
 * @param retainMs how long an entry matters that does not say so itself
 */
export function entriesIn(text: string, writtenAt: number, retainMs: number): Entry[] {
  return text.split('\n').map((line) => readEntry(line.split(' '), writtenAt, retainMs));
}

/** The facts among the entries of a message. */
export function factsIn(text: string, writtenAt: number, retainMs: number): Revocation[] {
  return entriesIn(text, writtenAt, retainMs).flatMap((entry) =>
    entry.is === 'fact' ? [entry.fact] : [],
  );
}

function lineOf(fields: readonly string[]): string {
  return fields.join(' ');
}
