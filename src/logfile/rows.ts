/**
 * The lines of log files, taken apart, some hundreds at a time, on the thread that asks: what is parsed here is
 * what will be looked at here. Parsing is faster than making anything of it, so other threads would not help.
 *
 * @module
 */

import { FIELDS_BYTES, FIELDS_LINE, SLACK_BYTES, SPAN_ADDRESS, SPAN_BYTES } from '../memory/layout.ts';
import { EntryReader } from '../parse/entry.ts';
import { createParser, EXTRAS_MAX, type LineParser, PARSER_WORK_BYTES } from '../parse/parser.ts';
import { RowFilter } from '../scan/filter.ts';
import { type LineRange, readRange, type TextWindow } from '../scan/ranges.ts';
import { SCAN_LINE_BYTES_MAX } from '../scan/scanner.ts';
import type { TextInput } from '../text/inputs.ts';
import type { PlainText, TextSource } from '../text/source.ts';
import { WindowReader } from '../text/windows.ts';
import { fail, findInputs, type IndexUse, type OpenedLog, openLog, type Reading } from './reading.ts';
import { plainOf, planSample } from './sample.ts';
import { rangesToRead } from './time-index.ts';

/** Lines that are taken apart together. */
const ROWS = 1024;
const STREAM_WINDOW_BYTES: number = 256 * 1024;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const ROWS_AT: number = align((ROWS + 1) * SPAN_BYTES);
const EXTRAS_AT: number = ROWS_AT + ROWS * FIELDS_BYTES;
const CHOSEN_AT: number = EXTRAS_AT + ROWS * EXTRAS_MAX * SPAN_BYTES;
const PARSER_AT: number = CHOSEN_AT + align(ROWS * 4);
const WORK_BYTES: number = PARSER_AT + PARSER_WORK_BYTES;

/** Some lines of a text, in the shared memory until the next are asked for. */
export interface RowBatch {
  log: OpenedLog;
  parser: LineParser;
  /** Makes entries of rows. */
  reader: EntryReader;
  /** Address of the rows of fields, and behind the last line of each its next (`SPAN_BYTES` each, from `spans` on). */
  rows: number;
  spans: number;
  /** Address of the extras: as many spans a row as the parser has extra names. */
  extras: number;
  /** How many lines there are. */
  count: number;
  /** Address of the numbers of the rows that were chosen, i32, and how many there are; address 0 for all rows. */
  chosen: number;
  chosenCount: number;
  /** To be added to an address to get its position in the text. */
  shift: number;
  /** Lines before these in the text; undefined where that is not known. */
  firstLine: number | undefined;
  /** Whether the last of the lines is only the beginning of one that is too long. */
  isCut: boolean;
  /** Whether an entry may go on behind these lines: false at the end of what is read in one piece. */
  isContinued: boolean;
}

/** How the lines of a file are gone through. */
export interface RowOptions extends IndexUse {
  /** Reads only this share of each file. */
  sample: { share: number; seed: number } | undefined;
}

/**
 * Goes through all lines of all texts, in order.
 *
 * @throws as `logStats` does
 */
export async function* readRows(
  source: TextInput,
  reading: Reading,
  how: RowOptions,
): AsyncGenerator<RowBatch, void, undefined> {
  const { options } = reading;
  options.signal?.throwIfAborted();
  const inputs = await findInputs(source, reading);
  const total = inputs.reduce<number | undefined>(
    (sum, { bytes }) => (sum === undefined || bytes === undefined ? undefined : sum + bytes),
    0,
  );
  let before = 0;
  for (const input of inputs) {
    let log: OpenedLog | undefined;
    let read = 0;
    try {
      log = await openLog(input, reading);
      const onProgress = (bytes: number): void => {
        read = bytes;
        options.onProgress?.(before + bytes, total);
      };
      yield* new RowReader(log, reading).run(how, onProgress);
    } catch (error) {
      fail(options, error);
    } finally {
      await log?.source.close();
    }
    before += read;
  }
}

/** Some whole lines, and what is known of their place. */
interface Piece extends TextWindow {
  firstLine: number | undefined;
  isFirst: boolean;
  isLast: boolean;
}

class RowReader {
  readonly #log: OpenedLog;
  readonly #reading: Reading;

  constructor(log: OpenedLog, reading: Reading) {
    this.#log = log;
    this.#reading = reading;
  }

  async *run(
    how: RowOptions,
    onProgress: (bytes: number) => void,
  ): AsyncGenerator<RowBatch, void, undefined> {
    const { runtime, filter } = this.#reading;
    const { memory } = runtime;
    const work = memory.slabs.allocate(WORK_BYTES, 'rows');
    try {
      const at = work.address;
      const parser = createParser(this.#log.format, this.#log.parser, memory, at + PARSER_AT);
      const reader = new EntryReader(memory, parser);
      const rowFilter = filter === undefined ? undefined : new RowFilter(memory, filter);
      let line: number | undefined = 0;
      for await (const piece of this.#pieces(how)) {
        if (piece.isFirst) {
          line = piece.firstLine;
          if (rowFilter !== undefined) rowFilter.isChosen = false;
        }
        const end = piece.address + piece.bytes;
        for (let next = piece.address; next < end; ) {
          const count = memory.kernels.indexLines(next, end - next, at, ROWS, piece.last ? 1 : 0);
          if (count === 0) break;
          const rows = at + ROWS_AT;
          parser.parse(at, count, rows, at + EXTRAS_AT);
          next = memory.i32[(at + count * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
          const chosen = rowFilter === undefined ? 0 : at + CHOSEN_AT;
          yield {
            log: this.#log,
            parser,
            reader,
            rows,
            spans: at,
            extras: at + EXTRAS_AT,
            count,
            chosen,
            chosenCount: rowFilter === undefined ? count : rowFilter.select(rows, count, chosen),
            shift: piece.position - piece.address,
            firstLine: line,
            isCut: piece.isCut && next >= end,
            isContinued: !piece.isLast || next < end,
          };
          if (line !== undefined) line += count;
        }
        onProgress(piece.position + piece.bytes - (this.#log.source.plain?.start ?? 0));
      }
    } finally {
      work.release();
    }
  }

  #pieces(how: RowOptions): AsyncGenerator<Piece, void, undefined> {
    const { source } = this.#log;
    const { plain } = source;
    if (how.sample !== undefined) return this.#samplePieces(plainOf(source), how.sample);
    return plain === undefined ? this.#streamPieces(source) : this.#filePieces(plain, how);
  }

  async *#filePieces(plain: PlainText, how: RowOptions): AsyncGenerator<Piece, void, undefined> {
    for (const { from, to, line } of await rangesToRead(this.#log, plain, this.#reading, how)) {
      yield* this.#rangePieces(plain, { start: from, end: to, from, to }, line);
    }
  }

  async *#samplePieces(
    plain: PlainText,
    { share, seed }: { share: number; seed: number },
  ): AsyncGenerator<Piece, void, undefined> {
    for (const range of planSample(plain, share, seed).ranges)
      yield* this.#rangePieces(plain, range, undefined);
  }

  /** The windows of a range, one at a time: each is read when the one before is done with. */
  async *#rangePieces(
    plain: PlainText,
    range: LineRange,
    firstLine: number | undefined,
  ): AsyncGenerator<Piece, void, undefined> {
    const { runtime, options } = this.#reading;
    const { memory, clock } = runtime;
    const slab = memory.slabs.allocate(SCAN_LINE_BYTES_MAX + SLACK_BYTES, 'text');
    const room = { address: slab.address, bytes: SCAN_LINE_BYTES_MAX + SLACK_BYTES };
    try {
      let isFirst = true;
      for (let { from } = range; from < range.to; isFirst = false) {
        options.signal?.throwIfAborted();
        let window: TextWindow | undefined;
        readRange(memory, room, plain.file, { ...range, from }, (found) => {
          window = found;
          return false;
        });
        if (window === undefined) break;
        from = window.position + window.bytes;
        const isLast = from >= range.to;
        yield { ...window, firstLine: isFirst ? firstLine : undefined, isFirst, isLast };
        await new Promise<void>((resolve) => clock.nextTurn(resolve));
      }
    } finally {
      slab.release();
    }
  }

  async *#streamPieces(source: TextSource): AsyncGenerator<Piece, void, undefined> {
    const { runtime, options } = this.#reading;
    const reader = new WindowReader({
      memory: runtime.memory,
      source,
      windowBytes: STREAM_WINDOW_BYTES,
      lineBytesMax: SCAN_LINE_BYTES_MAX,
      outstanding: () => 0,
    });
    let position = 0;
    for (let isFirst = true; ; isFirst = false) {
      options.signal?.throwIfAborted();
      const window = await reader.next();
      if (window === undefined) break;
      try {
        const { isCut, last } = window;
        const bytes = isCut ? Math.min(window.textBytes, SCAN_LINE_BYTES_MAX) : window.textBytes;
        const { address } = window.text;
        const firstLine = isFirst ? 0 : undefined;
        yield { address, bytes, position, last, isCut, firstLine, isFirst, isLast: reader.isOver };
        position = reader.textPosition;
      } finally {
        window.release();
      }
    }
  }
}

/** Address of the first byte of a line, and of the one behind its line end. */
export function lineBounds(
  i32: Int32Array,
  { rows, spans }: RowBatch,
  row: number,
): [start: number, end: number] {
  const start = i32[(rows + row * FIELDS_BYTES + FIELDS_LINE) >> 2] as number;
  return [start, i32[(spans + (row + 1) * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number];
}
