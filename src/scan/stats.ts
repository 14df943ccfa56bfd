/**
 * Counts what is in a log file, a part of it at a time, on whatever thread.
 *
 * The working memory:
 *
 *     +-------+-------+--------+--------+--------+-------+-----------+-----------+-------+------+
 *     | spans | rows  | extras | chosen | parser | tally | components| templates | pages | memo |
 *     +-------+-------+--------+--------+--------+-------+-----------+-----------+-------+------+
 *
 * @module
 */

import { assert } from '../assert.ts';
import {
  FIELDS_BYTES,
  FIELDS_FAILED,
  FIELDS_LINE,
  FIELDS_LINE_LENGTH,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  LEVEL_COUNT,
  MEMO_BYTES,
  PAGE_BYTES,
  PAGE_KEY_BIAS,
  PAGE_SECONDS,
  SLOT_KEY,
  SPAN_ADDRESS,
  SPAN_BYTES,
  TALLY_BYTES,
  TALLY_COMPONENTS,
  TALLY_EARLIEST,
  TALLY_LATEST,
  TALLY_LEVELS,
  TALLY_MEMO,
  TALLY_PAGES,
  TALLY_STATUS_COUNT,
  TALLY_STATUSES,
  TALLY_TEMPLATES,
  TEMPLATE_BYTES_MAX,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { ShapeMemo } from '../memory/shape-memo.ts';
import { Table, type TableShape, tableBytes } from '../memory/table.ts';
import { maskMessage } from '../memory/template.ts';
import {
  createParser,
  EXTRAS_MAX,
  type FormatSpec,
  type LineParser,
  PARSER_WORK_BYTES,
  type ParserOptions,
} from '../parse/parser.ts';
import { type Filter, RowFilter } from './filter.ts';
import type { TextWindow } from './ranges.ts';
import type { ScanKind, Scanner } from './scanner.ts';

/** Lines that go through all steps together, so that what is between them stays in the processor's cache. */
const ROWS = 512;
const COMPONENTS: TableShape = { slots: 1024, limit: 640, stride: 260 };
const TEMPLATES: TableShape = { slots: 4096, limit: 3000, stride: TEMPLATE_BYTES_MAX + 4 };
const PAGES: TableShape = { slots: 512, limit: 350, stride: PAGE_BYTES };

const SPANS_AT = 0;
const ROWS_AT: number = align((ROWS + 1) * SPAN_BYTES);
const EXTRAS_AT: number = ROWS_AT + ROWS * FIELDS_BYTES;
const CHOSEN_AT: number = EXTRAS_AT + ROWS * EXTRAS_MAX * SPAN_BYTES;
const PARSER_AT: number = CHOSEN_AT + align(ROWS * 4);
const TALLY_AT: number = PARSER_AT + PARSER_WORK_BYTES;
const COMPONENTS_AT: number = TALLY_AT + align(TALLY_BYTES);
const TEMPLATES_AT: number = COMPONENTS_AT + align(tableBytes(COMPONENTS));
const PAGES_AT: number = TEMPLATES_AT + align(tableBytes(TEMPLATES));
const MEMO_AT: number = PAGES_AT + align(tableBytes(PAGES));
const WORK_BYTES: number = MEMO_AT + align(MEMO_BYTES);

function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}

const SAMPLE_CHARACTERS = 200;
/** No character has more bytes in UTF-8. */
const CHARACTER_BYTES_MAX = 4;

/** What is to be counted; plain values. */
export interface StatsSpec {
  format: FormatSpec;
  parser: ParserOptions;
  /** Which lines; all unless given. */
  filter: Filter | undefined;
  /** How many of the lines that do not parse are wanted as text, of each part. */
  samples: number;
}

/** A text and how often it was counted. */
export interface Counted {
  text: string;
  count: number;
}

/** A template of messages, with the beginning of the first message that had it. */
export interface CountedTemplate extends Counted {
  example: string;
}

/** What was counted in a part of a text. All but `lines` and `cut` is of the lines that were chosen. */
export interface StatsResult {
  lines: number;
  /** Lines that were cut off, because they are too long. */
  cut: number;
  /** Lines by `FIELDS_STATUS`. */
  statuses: number[];
  /**
   * Of a filter: lines before the first entry, by status, which go with the entry before them, if that was
   * chosen; they are not in `statuses`.
   */
  leading: number[];
  /** Of a filter: whether the last entry was chosen; undefined where there was none. */
  lastChosen: boolean | undefined;
  /** Entries by level code. */
  levels: number[];
  /** Infinite where no line has a time. */
  earliest: number;
  latest: number;
  components: Counted[];
  templates: CountedTemplate[];
  /** What the counts of components and templates may lack. */
  componentsLack: number;
  templatesLack: number;
  /** Lines by second: the number of a page of `PAGE_SECONDS` seconds since 1970, and that many counts. */
  pages: number[];
  seconds: Int32Array;
  /** Lines that do not parse; the number of the line is from 0 for the first of the part. */
  samples: { line: number; text: string }[];
}

class StatsScanner implements Scanner<StatsResult> {
  readonly #memory: MemoryView;
  readonly #work: number;
  readonly #spec: StatsSpec;
  readonly #parser: LineParser;
  readonly #filter: RowFilter | undefined;
  readonly #components: Table;
  readonly #templates: Table;
  readonly #pages: Table;
  readonly #shapes: ShapeMemo;
  #result: StatsResult = emptyResult();
  #seconds: Int32Array[] = [];

  constructor(memory: MemoryView, work: number, spec: StatsSpec) {
    this.#memory = memory;
    this.#work = work;
    this.#spec = spec;
    this.#parser = createParser(spec.format, spec.parser, memory, work + PARSER_AT);
    this.#filter = spec.filter === undefined ? undefined : new RowFilter(memory, spec.filter);
    this.#components = new Table(memory, work + COMPONENTS_AT, COMPONENTS);
    this.#templates = new Table(memory, work + TEMPLATES_AT, TEMPLATES);
    this.#pages = new Table(memory, work + PAGES_AT, PAGES);
    this.#shapes = new ShapeMemo(memory, work + MEMO_AT);
    this.#reset();
  }

  visit({ address, bytes, last, isCut }: TextWindow): boolean {
    const { kernels, i32 } = this.#memory;
    const spans = this.#work + SPANS_AT;
    const rows = this.#work + ROWS_AT;
    const end = address + bytes;
    for (let at = address; at < end; ) {
      const lines = kernels.indexLines(at, end - at, spans, ROWS, last ? 1 : 0);
      if (lines === 0) break;
      const parsed = this.#parser.parse(spans, lines, rows, this.#work + EXTRAS_AT);
      this.#count(rows, lines, parsed);
      at = i32[(spans + lines * SPAN_BYTES + SPAN_ADDRESS) >> 2] as number;
    }
    if (isCut) this.#result.cut++;
    return true;
  }

  take(): StatsResult {
    const { i32, f64 } = this.#memory;
    const tally = this.#work + TALLY_AT;
    const result = this.#result;
    this.#takePages();
    const numbers = (at: number, count: number): number[] =>
      Array.from(i32.subarray((tally + at) >> 2, ((tally + at) >> 2) + count));
    result.statuses = numbers(TALLY_STATUSES, TALLY_STATUS_COUNT);
    result.levels = numbers(TALLY_LEVELS, LEVEL_COUNT);
    result.earliest = f64[(tally + TALLY_EARLIEST) >> 3] as number;
    result.latest = f64[(tally + TALLY_LATEST) >> 3] as number;
    result.components = this.#components.texts().map(({ text, count }) => ({ text: utf8(text), count }));
    result.templates = this.#templates.texts().map(({ text, count }) => {
      return { text: utf8(maskMessage(text)), count, example: utf8(text) };
    });
    result.seconds = joined(this.#seconds);
    this.#reset();
    return result;
  }

  #reset(): void {
    const { i32, f64, u8 } = this.#memory;
    const tally = this.#work + TALLY_AT;
    u8.fill(0, tally, tally + TALLY_BYTES);
    f64[(tally + TALLY_EARLIEST) >> 3] = Number.POSITIVE_INFINITY;
    f64[(tally + TALLY_LATEST) >> 3] = Number.NEGATIVE_INFINITY;
    i32[(tally + TALLY_COMPONENTS) >> 2] = this.#components.address;
    i32[(tally + TALLY_TEMPLATES) >> 2] = this.#templates.address;
    i32[(tally + TALLY_PAGES) >> 2] = this.#pages.address;
    i32[(tally + TALLY_MEMO) >> 2] = this.#shapes.address;
    this.#components.clear();
    this.#templates.clear();
    this.#pages.clear();
    this.#shapes.clear();
    this.#result = emptyResult();
    this.#seconds = [];
    if (this.#filter !== undefined) this.#filter.isChosen = false;
  }

  #count(rows: number, lines: number, parsed: number): void {
    const result = this.#result;
    const filter = this.#filter;
    if (filter === undefined) {
      if (parsed < lines) this.#sample(rows, lines, 0);
      this.#tally(rows, lines, 0);
    } else {
      let first = 0;
      if (result.lastChosen === undefined) first = this.#countLeading(rows, lines);
      const chosen = this.#work + CHOSEN_AT;
      const own = rows + first * FIELDS_BYTES;
      const count = filter.select(own, lines - first, chosen);
      if (first < lines) result.lastChosen = filter.isChosen;
      if (count > 0) this.#sample(own, count, chosen);
      this.#tally(own, count, chosen);
    }
    result.lines += lines;
  }

  /** Counts the lines before the first entry; returns how many there are. */
  #countLeading(rows: number, lines: number): number {
    const { i32 } = this.#memory;
    const { leading } = this.#result;
    let i = 0;
    for (; i < lines; i++) {
      const status = i32[(rows + i * FIELDS_BYTES + FIELDS_STATUS) >> 2] as number;
      if (status === FIELDS_PARSED || status === FIELDS_PLAIN) break;
      leading[status] = (leading[status] ?? 0) + 1;
    }
    return i;
  }

  #tally(rows: number, count: number, chosen: number): void {
    const { kernels } = this.#memory;
    const tally = this.#work + TALLY_AT;
    for (let done = 0; ; ) {
      const firstRow = chosen === 0 ? rows + done * FIELDS_BYTES : rows;
      const more = kernels.tallyRows(firstRow, count - done, chosen === 0 ? 0 : chosen + 4 * done, tally);
      done += more;
      if (done === count) return;
      this.#makeRoom();
    }
  }

  #makeRoom(): void {
    const isFull = this.#components.isFull || this.#templates.isFull || this.#pages.isFull;
    assert(isFull, 'a row is counted, or a table is full');
    if (this.#components.isFull) this.#result.componentsLack += this.#components.reduce();
    if (this.#templates.isFull) {
      this.#result.templatesLack += this.#templates.reduce();
      this.#shapes.clear();
    }
    if (this.#pages.isFull) this.#takePages();
  }

  #takePages(): void {
    const { data, i32 } = this.#memory;
    this.#pages.forEach((slot, text) => {
      const low = data.getUint32(slot + SLOT_KEY, true);
      const high = data.getUint32(slot + SLOT_KEY + 4, true);
      this.#result.pages.push(high * 2 ** 32 + low - PAGE_KEY_BIAS);
      this.#seconds.push(i32.slice(text >> 2, (text >> 2) + PAGE_SECONDS));
    });
    this.#pages.clear();
  }

  /** Takes the text of lines that failed until there are enough. */
  #sample(rows: number, count: number, chosen: number): void {
    const { i32 } = this.#memory;
    const { samples, lines } = this.#result;
    for (let i = 0; i < count && samples.length < this.#spec.samples; i++) {
      const number = chosen === 0 ? i : (i32[(chosen >> 2) + i] as number);
      const row = rows + number * FIELDS_BYTES;
      if (i32[(row + FIELDS_STATUS) >> 2] !== FIELDS_FAILED) continue;
      const address = i32[(row + FIELDS_LINE) >> 2] as number;
      const bytes = i32[(row + FIELDS_LINE_LENGTH) >> 2] as number;
      const start = this.#memory.buffer(address, Math.min(bytes, SAMPLE_CHARACTERS * CHARACTER_BYTES_MAX));
      const line = lines + number + (rows - this.#work - ROWS_AT) / FIELDS_BYTES;
      samples.push({ line, text: start.toString('utf8').slice(0, SAMPLE_CHARACTERS) });
    }
  }
}

function emptyResult(): StatsResult {
  return {
    lines: 0,
    cut: 0,
    statuses: [],
    leading: Array.from({ length: TALLY_STATUS_COUNT }, () => 0),
    lastChosen: undefined,
    levels: [],
    earliest: Number.POSITIVE_INFINITY,
    latest: Number.NEGATIVE_INFINITY,
    components: [],
    templates: [],
    componentsLack: 0,
    templatesLack: 0,
    pages: [],
    seconds: new Int32Array(0),
    samples: [],
  };
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}

function joined(pieces: readonly Int32Array[]): Int32Array {
  const whole = new Int32Array(pieces.length * PAGE_SECONDS);
  for (const [i, piece] of pieces.entries()) whole.set(piece, i * PAGE_SECONDS);
  return whole;
}

export const STATS: ScanKind<StatsSpec, StatsResult> = {
  workBytes: WORK_BYTES,
  create: (memory, work, spec) => new StatsScanner(memory, work, spec),
};
