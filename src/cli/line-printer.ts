/**
 * Prints lines of files as grep does: the file and the number of each before it, matches in colour or alone.
 *
 * @module
 */

import type { GrepResult } from '../scan/grep.ts';
import {
  LINE_FOLLOWS_GAP,
  LINE_IS_CONTEXT,
  ROW_FLAGS,
  ROW_LENGTH,
  ROW_LINE,
  ROW_NUMBERS,
  ROW_POSITION,
  ROW_START,
} from '../scan/line-collector.ts';
import type { Context } from './context.ts';
import type { Output } from './output.ts';

export interface LineStyle {
  hasNames: boolean;
  hasNumbers: boolean;
  /** Whether there is before each line, or each match, how many bytes of the text are before it. */
  hasPositions: boolean;
  /** Whether a zero byte is behind names. */
  endsNames: boolean;
  /** Prints the matches, each on a line of its own. */
  onlyMatching: boolean;
  /** Prints the lines as they are. */
  isPlain: boolean;
  /** Whether there are lines around those that were found: what belongs together is parted then. */
  hasContext: boolean;
}

const LINE_FEED = 10;

export class LinePrinter {
  readonly #stdout: Output;
  readonly #colours: Context['colours'];
  readonly #style: LineStyle;
  #lastName: string | undefined;

  constructor(stdout: Output, colours: Context['colours'], style: LineStyle) {
    this.#stdout = stdout;
    this.#colours = colours;
    this.#style = style;
  }

  /** Prints what was found in a part of a file. */
  print(name: string, { text, rows, places }: GrepResult, linesBefore: number): void {
    if (this.#style.isPlain) {
      if (text.length > 0) this.#stdout.give(text);
      return;
    }
    let place = 0;
    for (let at = 0, row = 0; at < rows.length; at += ROW_NUMBERS, row++) {
      const start = rows[at + ROW_START] as number;
      const length = rows[at + ROW_LENGTH] as number;
      const flags = rows[at + ROW_FLAGS] as number;
      const next = rows[at + ROW_NUMBERS + ROW_START] ?? text.length;
      const spans: number[] = [];
      for (; places[place] === row; place += 3) {
        spans.push(places[place + 1] as number, places[place + 2] as number);
      }
      if ((flags & LINE_FOLLOWS_GAP) !== 0 || this.#isOther(name))
        this.#stdout.line(this.#colours.cyan('--'));
      const isContext = (flags & LINE_IS_CONTEXT) !== 0;
      const line = linesBefore + (rows[at + ROW_LINE] as number) + 1;
      const position = rows[at + ROW_POSITION] as number;
      if (this.#style.onlyMatching) {
        for (let i = 0; i < spans.length; i += 2) {
          this.#stdout.write(this.#prefix(name, line, position + (spans[i] as number), isContext));
          const match = text.subarray(start + (spans[i] as number), start + (spans[i + 1] as number));
          this.#stdout.write(this.#coloured(match));
          this.#stdout.line('');
        }
        continue;
      }
      this.#stdout.write(this.#prefix(name, line, position, isContext));
      this.#writeLine(text.subarray(start, next), length, spans);
    }
  }

  /** Whether lines of another file were printed before, and are to be parted from these. */
  #isOther(name: string): boolean {
    const isOther = this.#lastName !== undefined && this.#lastName !== name;
    this.#lastName = name;
    return isOther && this.#style.hasContext;
  }

  #prefix(name: string, line: number, position: number, isContext: boolean): string {
    const { hasNames, hasNumbers, hasPositions, endsNames } = this.#style;
    const { cyan, magenta, green } = this.#colours;
    const separator = cyan(isContext ? '-' : ':');
    const behindName = endsNames ? '\0' : separator;
    const number = (wanted: boolean, value: number): string =>
      wanted ? green(String(value)) + separator : '';
    return (
      (hasNames ? magenta(name) + behindName : '') + number(hasNumbers, line) + number(hasPositions, position)
    );
  }

  /** @param whole the line with its line end, and what says that it was cut off */
  #writeLine(whole: Uint8Array, length: number, spans: readonly number[]): void {
    let done = 0;
    if (this.#colours.isColorSupported) {
      for (let i = 0; i < spans.length; i += 2) {
        const [from, to] = [spans[i] as number, spans[i + 1] as number];
        this.#stdout.write(whole.subarray(done, from));
        this.#stdout.write(this.#coloured(whole.subarray(from, Math.min(to, length))));
        done = to;
      }
    }
    this.#stdout.write(whole.subarray(done));
    if (whole.at(-1) !== LINE_FEED) this.#stdout.line('');
  }

  #coloured(match: Uint8Array): Uint8Array {
    if (!this.#colours.isColorSupported) return match;
    const { bold, red } = this.#colours;
    const [before = '', behind = ''] = bold(red('\0')).split('\0');
    return Buffer.concat([Buffer.from(before), match, Buffer.from(behind)]);
  }
}
