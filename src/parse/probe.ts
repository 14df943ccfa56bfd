/**
 * Small looks at text, on the thread that asks: which format it is, and which times its lines have.
 *
 * @module
 */

import {
  FIELDS_BYTES,
  FIELDS_CONTINUATION,
  FIELDS_LEVEL_CODE,
  FIELDS_LEVEL_LENGTH,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  LEVEL_OTHER,
  SPAN_ADDRESS,
  SPAN_BYTES,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { type LineFormat, TELLING_FORMATS } from './formats.ts';
import {
  createParser,
  EXTRAS_MAX,
  type FormatSpec,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from './parser.ts';

const ROWS = 128;
const FIELDS_AT: number = (ROWS + 8) * SPAN_BYTES;
const PARSER_AT: number = FIELDS_AT + ROWS * FIELDS_BYTES;
const EXTRAS_AT: number = PARSER_AT + PARSER_WORK_BYTES;
/** The first look for the last time: most often the last line has one. */
const TAIL_BYTES = 4096;
const TAIL_GROWTH = 16;

/** Working memory that the functions here need. */
export const PROBE_WORK_BYTES: number = EXTRAS_AT + ROWS * EXTRAS_MAX * SPAN_BYTES;

/** What is looked at to find out a format. */
const GUESS_BYTES_MAX: number = 64 * 1024;

/** What a text seems to be. */
export interface Guess {
  format: LineFormat;
  /** The share of the first lines that are of the format: from 0 to 1. */
  confidence: number;
}

/** Text in the shared memory, which starts with a line; `SLACK_BYTES` behind it can be read. */
export interface Text {
  address: number;
  bytes: number;
}

/** How the lines of a text are read. */
export interface Reading {
  format: FormatSpec;
  options: ParserOptions;
}

/**
 * Guesses the format of a text from its first lines (128 of them, and 64 KiB, at most): the one that takes
 * most of them apart, if that is more than half; else `plain`. Lines of a stack trace do not count.
 *
 * @param work address of `PROBE_WORK_BYTES`, aligned to 64 bytes
 * @param options what formats leave open: 29 February is a date only in some years
 */
export function guessFormat(
  memory: MemoryView,
  work: number,
  text: Text,
  options: ParserOptions = {},
): Guess {
  const { kernels } = memory;
  const bytes = Math.min(text.bytes, GUESS_BYTES_MAX);
  // A line that is cut off is looked at only where there is no other.
  const count =
    kernels.indexLines(text.address, bytes, work, ROWS, bytes === text.bytes ? 1 : 0) ||
    kernels.indexLines(text.address, bytes, work, ROWS, 1);
  const rows = work + FIELDS_AT;
  let best: Guess = { format: 'plain', confidence: 1 };
  let most = 0.5;
  for (const format of TELLING_FORMATS) {
    const parser = createParser(format, options, memory, work + PARSER_AT);
    const parsed = parser.parse(work, count, rows, work + EXTRAS_AT);
    const share = parsed / Math.max(1, count - continuations(memory, rows, count));
    if (share <= most) continue;
    most = share;
    best = { format, confidence: share };
  }
  return best;
}

function continuations({ i32 }: MemoryView, rows: number, count: number): number {
  let found = 0;
  for (let i = 0; i < count; i++) {
    if (i32[(rows + i * FIELDS_BYTES + FIELDS_STATUS) >> 2] === FIELDS_CONTINUATION) found++;
  }
  return found;
}

/**
 * Whether one of the first lines has a level: in some formats it may be left out.
 *
 * @param work as in `guessFormat`
 */
export function hasLevel(memory: MemoryView, work: number, reading: Reading, text: Text): boolean {
  const { kernels, i32 } = memory;
  const parser = createParser(reading.format, reading.options, memory, work + PARSER_AT);
  const rows = work + FIELDS_AT;
  const count = kernels.indexLines(text.address, Math.min(text.bytes, GUESS_BYTES_MAX), work, ROWS, 1);
  parser.parse(work, count, rows, work + EXTRAS_AT);
  for (let row = rows; row < rows + count * FIELDS_BYTES; row += FIELDS_BYTES) {
    if (i32[(row + FIELDS_LEVEL_CODE) >> 2] !== LEVEL_OTHER) return true;
    if (i32[(row + FIELDS_LEVEL_LENGTH) >> 2] !== 0) return true;
  }
  return false;
}

/**
 * The time of the first line that has one, or undefined where none has.
 *
 * @param work as in `guessFormat`
 */
export function firstTime(
  memory: MemoryView,
  work: number,
  reading: Reading,
  text: Text,
): number | undefined {
  return timesOf(memory, work, reading, text, 'first');
}

/**
 * The time of the last line that has one, or undefined where none has.
 *
 * @param work as in `guessFormat`
 */
export function lastTime(memory: MemoryView, work: number, reading: Reading, text: Text): number | undefined {
  const end = text.address + text.bytes;
  for (let tailBytes = TAIL_BYTES; ; tailBytes *= TAIL_GROWTH) {
    const start = Math.max(text.address, end - tailBytes);
    const isWhole = start === text.address;
    // What follows the first line end in the tail starts with a line.
    const skipped = isWhole ? 0 : memory.buffer(start, end - start).indexOf(10) + 1;
    const tail = { address: start + skipped, bytes: end - start - skipped };
    const time = isWhole || skipped > 0 ? timesOf(memory, work, reading, tail, 'last') : undefined;
    if (time !== undefined || isWhole) return time;
  }
}

const DAY_MS = 86_400_000;
const YEAR_MS: number = 365 * DAY_MS;

/** About where that year begins, before a line was looked at; see `firstYear`. */
export function roughYear(year: number | undefined, now: number): number {
  return year === undefined ? now + DAY_MS - YEAR_MS : new Date(0).setUTCFullYear(year);
}

/**
 * Where the year begins that times without one are in (`ParserOptions.yearFrom`). Where the year of the first
 * line is given, it begins a day before that line; then a file may go on into the next year. Else it ends
 * tomorrow.
 *
 * @param work as in `guessFormat`
 * @param text the beginning of the file
 * @param year of the first line
 * @param now the present, or when the file was written last
 */
export function firstYear(
  memory: MemoryView,
  work: number,
  reading: Reading,
  text: Text,
  year: number | undefined,
  now: number,
): number {
  const yearFrom = roughYear(year, now);
  if (year === undefined) return yearFrom;
  const options = { ...reading.options, yearFrom };
  const first = firstTime(memory, work, { format: reading.format, options }, text);
  return first === undefined ? yearFrom : first - DAY_MS;
}

function timesOf(
  memory: MemoryView,
  work: number,
  { format, options }: Reading,
  text: Text,
  which: 'first' | 'last',
): number | undefined {
  const { kernels, i32, f64 } = memory;
  const parser = createParser(format, options, memory, work + PARSER_AT);
  const rows = work + FIELDS_AT;
  const end = text.address + text.bytes;
  let found: number | undefined;
  for (let at = text.address; at < end; ) {
    const count = kernels.indexLines(at, end - at, work, ROWS, 1);
    if (parser.parse(work, count, rows, work + EXTRAS_AT) > 0) {
      for (let i = 0; i < count; i++) {
        const time = f64[(rows + i * FIELDS_BYTES + FIELDS_TIMESTAMP) >> 3] as number;
        if (Number.isNaN(time)) continue;
        found = time;
        if (which === 'first') return found;
      }
    }
    at = i32[(work + count * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
  }
  return found;
}

/**
 * Where the last entry of a text begins, which may go on behind it; the end of the text where lines are not
 * joined, or where all of it is one entry.
 *
 * @param work as in `guessFormat`
 * @param text whole lines
 * @returns a number of bytes
 */
export function lastEntryStart(memory: MemoryView, work: number, reading: Reading, text: Text): number {
  const { kernels, i32 } = memory;
  const parser = createParser(reading.format, reading.options, memory, work + PARSER_AT);
  if (!parser.joins) return text.bytes;
  const rows = work + FIELDS_AT;
  // The lines of the tail are gone through from its first line on: the last one that begins an entry is kept.
  for (let tailBytes = TAIL_BYTES; ; tailBytes *= TAIL_GROWTH) {
    const start = Math.max(0, text.bytes - tailBytes);
    const skipped = start === 0 ? 0 : memory.buffer(text.address + start, text.bytes - start).indexOf(10) + 1;
    let found = 0;
    for (let at = text.address + start + skipped; skipped > 0 || start === 0; ) {
      const count = kernels.indexLines(at, text.address + text.bytes - at, work, ROWS, 0);
      if (count === 0) break;
      parser.parse(work, count, rows, work + EXTRAS_AT);
      for (let i = 0; i < count; i++) {
        if (i32[(rows + i * FIELDS_BYTES + FIELDS_STATUS) >> 2] === FIELDS_CONTINUATION) continue;
        found = (i32[(work + i * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number) - text.address;
      }
      at = i32[(work + count * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
    }
    if (found > 0) return found;
    if (start === 0) return text.bytes;
  }
}
