/**
 * From when to when the entries of a part of a file are, block by block: what a time index is made of.
 *
 * A block begins with a line that begins an entry, so that an entry and the lines that belong to it are never
 * in two blocks. Lines before the first entry of a part belong to the last block of the part before it.
 *
 * @module
 */

import {
  FIELDS_BYTES,
  FIELDS_LINE,
  FIELDS_PARSED,
  FIELDS_STATUS,
  SPAN_ADDRESS,
  SPAN_BYTES,
  TALLY_BYTES,
  TALLY_EARLIEST,
  TALLY_LATEST,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import {
  createParser,
  EXTRAS_MAX,
  type FormatSpec,
  type LineParser,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from '../parse/parser.ts';
import type { TextWindow } from './ranges.ts';
import type { ScanKind, Scanner } from './scanner.ts';

/** Lines that go through all steps together. */
const ROWS = 512;

const align = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const ROWS_AT: number = align((ROWS + 1) * SPAN_BYTES);
const EXTRAS_AT: number = ROWS_AT + ROWS * FIELDS_BYTES;
const PARSER_AT: number = EXTRAS_AT + ROWS * EXTRAS_MAX * SPAN_BYTES;
const TALLY_AT: number = PARSER_AT + PARSER_WORK_BYTES;
const WORK_BYTES: number = TALLY_AT + align(TALLY_BYTES);

/** How lines are read, and how large a block is; plain values. */
export interface BlockTimesSpec {
  format: FormatSpec;
  parser: ParserOptions;
  /** A block is closed by the first entry that begins so many bytes behind its start. */
  blockBytes: number;
}

/** Entries from one position on, up to the next block. */
export interface Block {
  position: number;
  /** Lines before it: in the part, or in the whole text. */
  line: number;
  /** Infinite where none has a time. */
  earliest: number;
  latest: number;
}

export interface BlockTimes {
  blocks: Block[];
  lines: number;
  /** Position of the last entry that begins with a whole line, and the lines before it; undefined where there is none. */
  lastEntry: { position: number; line: number } | undefined;
}

class BlockTimesScanner implements Scanner<BlockTimes> {
  readonly #memory: MemoryView;
  readonly #work: number;
  readonly #blockBytes: number;
  readonly #parser: LineParser;
  #result: BlockTimes = { blocks: [], lines: 0, lastEntry: undefined };

  constructor(memory: MemoryView, work: number, { format, parser, blockBytes }: BlockTimesSpec) {
    this.#memory = memory;
    this.#work = work;
    this.#blockBytes = blockBytes;
    this.#parser = createParser(format, parser, memory, work + PARSER_AT);
  }

  visit({ address, bytes, position, last, isCut }: TextWindow): boolean {
    const { kernels, i32 } = this.#memory;
    const spans = this.#work;
    const rows = this.#work + ROWS_AT;
    const end = address + bytes;
    for (let at = address; at < end; ) {
      const lines = kernels.indexLines(at, end - at, spans, ROWS, last ? 1 : 0);
      if (lines === 0) break;
      this.#parser.parse(spans, lines, rows, this.#work + EXTRAS_AT);
      at = i32[(spans + lines * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
      // The last line of the text may not be whole yet.
      const whole = at === end && last && !isCut ? lines - 1 : lines;
      this.#add(rows, lines, whole, position - address);
    }
    return true;
  }

  /** @param shift from addresses to positions */
  #add(rows: number, lines: number, whole: number, shift: number): void {
    const { kernels, i32, f64, u8 } = this.#memory;
    const result = this.#result;
    let first = 0;
    while (first < whole && !this.#isEntry(rows, first)) first++;
    if (first < whole) {
      const position = (i32[(rows + first * FIELDS_BYTES + FIELDS_LINE) >> 2] as number) + shift;
      const block = result.blocks.at(-1);
      if (block === undefined || position - block.position >= this.#blockBytes) {
        const line = result.lines + first;
        result.blocks.push({ position, line, earliest: Infinity, latest: -Infinity });
      }
      let lastRow = whole - 1;
      while (!this.#isEntry(rows, lastRow)) lastRow--;
      const lastPosition = (i32[(rows + lastRow * FIELDS_BYTES + FIELDS_LINE) >> 2] as number) + shift;
      result.lastEntry = { position: lastPosition, line: result.lines + lastRow };
    }
    const tally = this.#work + TALLY_AT;
    u8.fill(0, tally, tally + TALLY_BYTES);
    f64[(tally + TALLY_EARLIEST) >> 3] = Infinity;
    f64[(tally + TALLY_LATEST) >> 3] = -Infinity;
    kernels.tallyRows(rows, lines, 0, tally);
    const block = result.blocks.at(-1);
    if (block !== undefined) {
      block.earliest = Math.min(block.earliest, f64[(tally + TALLY_EARLIEST) >> 3] as number);
      block.latest = Math.max(block.latest, f64[(tally + TALLY_LATEST) >> 3] as number);
    }
    result.lines += lines;
  }

  #isEntry(rows: number, row: number): boolean {
    return this.#memory.i32[(rows + row * FIELDS_BYTES + FIELDS_STATUS) >> 2] === FIELDS_PARSED;
  }

  take(): BlockTimes {
    const result = this.#result;
    this.#result = { blocks: [], lines: 0, lastEntry: undefined };
    return result;
  }
}

export const BLOCK_TIMES: ScanKind<BlockTimesSpec, BlockTimes> = {
  workBytes: WORK_BYTES,
  create: (memory, work, spec) => new BlockTimesScanner(memory, work, spec),
};
