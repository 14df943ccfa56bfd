/**
 * Rows into entries: an entry is a line and the continuations behind it. Rows are taken some hundreds at a time,
 * and the last entry of them may go on in the next; so who takes rows keeps its lines for the next time, and
 * takes the others.
 *
 * @module
 */

import { FIELDS_BYTES, FIELDS_CONTINUATION, FIELDS_STATUS } from '../memory/layout.ts';

/**
 * How many of some rows are of entries that are whole: all up to the last that begins an entry. Where none
 * but the first does, it is all of them: an entry has no more lines than are taken at a time.
 *
 * @param rows `count` rows of a format that joins lines, as its parser filled them
 */
export function wholeEntries(i32: Int32Array, rows: number, count: number): number {
  for (let i = count - 1; i > 0; i--) {
    if (i32[(rows + i * FIELDS_BYTES + FIELDS_STATUS) >> 2] !== FIELDS_CONTINUATION) return i;
  }
  return count;
}

/** How many rows, from number `first` on, are of one entry. */
export function entryRows(i32: Int32Array, rows: number, count: number, first: number): number {
  let next = first + 1;
  while (next < count && i32[(rows + next * FIELDS_BYTES + FIELDS_STATUS) >> 2] === FIELDS_CONTINUATION)
    next++;
  return next - first;
}
