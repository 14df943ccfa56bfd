/**
 * Aligned tables for the terminal. A cell may hold colours and wide characters; columns are as wide as
 * their widest cell, two spaces apart, and lines carry no trailing blanks.
 *
 * @module
 */

import { stripVTControlCharacters } from 'node:util';

export interface Column {
  title: string;
  /** Numbers stand on the right; `left` unless told. */
  align?: 'left' | 'right';
}

/** Characters that terminals draw two cells wide: East Asian scripts and pictographs. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1faff}\u{20000}-\u{3fffd}]/u;
/** Characters that take no cell: combining marks, joiners, variation selectors. */
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** How many cells of a terminal `text` takes; colours take none. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) {
    if (character >= ' ' && character <= '~') width++;
    else if (!ZERO_WIDTH.test(character)) width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** `text` with blanks up to `width` cells. */
export function pad(text: string, width: number, align: 'left' | 'right' = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? blanks + text : text + blanks;
}

/**
 * A table that is printed a block at a time, for one that is too long to be looked at first: its columns
 * only ever grow.
 */
export class TableWriter {
  readonly #columns: readonly Column[];
  readonly #style: (text: string) => string;
  readonly #widths: number[];
  #isBegun = false;

  /** @param style applied to the line of titles */
  constructor(columns: readonly Column[], style: (text: string) => string = (text) => text) {
    this.#columns = columns;
    this.#style = style;
    this.#widths = columns.map((column) => displayWidth(column.title));
  }

  /**
   * Lays out the next rows, the first time below the titles.
   *
   * @param rows one array of cells a row, as many as columns; missing cells are empty
   * @returns lines, each ending in a newline
   */
  block(rows: readonly (readonly string[])[]): string {
    for (const row of rows) {
      for (const [index, cell] of row.entries()) {
        this.#widths[index] = Math.max(this.#widths[index] ?? 0, displayWidth(cell));
      }
    }
    const lines = rows.map((row) => this.#line(row));
    if (!this.#isBegun) lines.unshift(this.#style(this.#line(this.#columns.map((column) => column.title))));
    this.#isBegun = true;
    return lines.map((line) => `${line}\n`).join('');
  }

  #line(cells: readonly string[]): string {
    return this.#columns
      .map((column, index) => pad(cells[index] ?? '', this.#widths[index] ?? 0, column.align))
      .join('  ')
      .trimEnd();
  }
}

/** Lays out a whole table; see {@link TableWriter}. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style?: (text: string) => string,
): string {
  return new TableWriter(columns, style).block(rows);
}

/**
 * Lays out facts, one a line: a name and its value.
 *
 * @param facts pairs; a pair whose value is undefined is left out
 * @returns lines, each ending in a newline
 */
export function renderFacts(
  facts: readonly (readonly [string, string | undefined])[],
  style: (text: string) => string = (text) => text,
): string {
  const known = facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined);
  const width = known.reduce((widest, [name]) => Math.max(widest, displayWidth(name)), 0);
  return known
    .map(([name, value]) => `${style(pad(name, width))}  ${value}`.trimEnd())
    .join('\n')
    .concat('\n');
}
