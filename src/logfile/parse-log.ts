/**
 * The entries of log files: one after the other, or in batches of columns.
 *
 * @module
 */

import { LEVEL_NAMES, type Level } from '../levels.ts';
import {
  FIELDS_BYTES,
  FIELDS_CONTINUATION,
  FIELDS_LEVEL,
  FIELDS_LEVEL_CODE,
  FIELDS_LINE,
  FIELDS_NANOSECONDS,
  FIELDS_PARSED,
  FIELDS_PLAIN,
  FIELDS_STATUS,
  FIELDS_TIMESTAMP,
  SPAN_LENGTH,
} from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import { integerOption } from '../options.ts';
import type { Entry, EntryReader } from '../parse/entry.ts';
import type { TextInput } from '../text/inputs.ts';
import {
  checkIndexOptions,
  checkReading,
  INDEX_OPTIONS,
  type LogReadOptions,
  type Reading,
  type TimeIndexOptions,
} from './reading.ts';
import { type RowBatch, type RowOptions, readRows } from './rows.ts';
import { checkShare } from './sample.ts';

export interface ParseLogOptions extends LogReadOptions, TimeIndexOptions {
  /** Reads only this share of each file, from 0 (exclusive) to 1: blocks of it, spread over the file. */
  sample?: number | undefined;
  /** What the choice of blocks follows from; 1 unless given. */
  seed?: number | undefined;
}

const MORE_OPTIONS: readonly string[] = [...INDEX_OPTIONS, 'sample', 'seed'];
const LINE_FEED = '\n';
/** What of the lines that belong to an entry is kept. */
const MORE_BYTES_MAX: number = 2 * 1024 * 1024;

/** An entry of a log file; or a line that is none. Texts are made of its bytes when they are asked for. */
export class LogEntry {
  /** What the file is called. */
  readonly file: string;
  /** Whether it was too long, and is cut off: a line after 2 MiB, and what belongs to an entry too. */
  readonly isCut: boolean;
  readonly #entry: Entry;
  /** Lines that belong to it, each with a line feed before it. */
  readonly #more: string;

  constructor(file: string, entry: Entry, more: string, isCut: boolean) {
    this.file = file;
    this.isCut = isCut;
    this.#entry = entry;
    this.#more = more;
  }

  /** Its first line, from 1 on; undefined where lines were not counted: in samples. */
  get line(): number | undefined {
    return this.#entry.line;
  }

  /** Position of its first byte in the text. */
  get position(): number {
    return this.#entry.position;
  }

  /** False for a line that is not of the format. */
  get isParsed(): boolean {
    return this.#entry.isParsed;
  }

  /** Milliseconds since the epoch. */
  get timestamp(): number | undefined {
    return this.#entry.timestamp;
  }

  /** What the time says beyond milliseconds, from 0 to 999,999. */
  get nanoseconds(): number {
    return this.#entry.nanoseconds;
  }

  /** The time as ISO-8601 in UTC, with as many digits as it has. */
  get iso(): string | undefined {
    return this.#entry.iso;
  }

  /** The level on the one scale; `OTHER` for a word that is not on it, undefined where the line has none. */
  get level(): Level | undefined {
    return this.#entry.level;
  }

  /** The level as it is written. */
  get levelText(): string | undefined {
    return this.#entry.levelText;
  }

  get component(): string | undefined {
    return this.#entry.component;
  }

  get pid(): string | undefined {
    return this.#entry.pid;
  }

  /** The message, with the lines that belong to it. */
  get message(): string {
    return this.#entry.message + this.#more;
  }

  /** Other fields of the format, by name; those that the line has. */
  get fields(): Readonly<Record<string, unknown>> {
    return this.#entry.fields;
  }

  /** The text as it is, with the lines that belong to it, without the last line end. */
  get raw(): string {
    return this.#entry.raw + this.#more;
  }

  toJSON(): Record<string, unknown> {
    const { timestamp, iso, level, component, pid, message, fields, file, line, position, isParsed, isCut } =
      this;
    return {
      time: iso,
      timestamp,
      level,
      component,
      pid,
      message,
      ...(Object.keys(fields).length > 0 && { fields }),
      file,
      line,
      position,
      ...(!isParsed && { isParsed }),
      ...(isCut && { isCut }),
    };
  }
}

/** What is known of an entry, until it is known to be whole. */
interface OpenEntry {
  entry: Entry;
  more: string;
  isCut: boolean;
}

/**
 * Reads the entries of log files, one file after the other. Lines of a stack trace belong to the entry before
 * them; a line that is not of the format is an entry of its own, with `isParsed` false.
 *
 * @param source what is read
 * @throws TypeError, RangeError at the first step, where an argument is wrong
 * @throws the signal's reason where it was aborted
 * @throws VarveError where something cannot be read, and `onFailure` is not given
 */
export async function* parseLog(
  source: TextInput,
  options: ParseLogOptions = {},
): AsyncGenerator<LogEntry, void, undefined> {
  for await (const { entry } of readEntries(source, options)) yield entry;
}

/** An entry, with the name of its format and of the other fields that entries of it may have. */
export interface FormattedEntry {
  entry: LogEntry;
  format: string;
  fieldNames: readonly string[] | undefined;
}

/** The same, with what is known of the format of each. */
export async function* readEntries(
  source: TextInput,
  options: ParseLogOptions,
): AsyncGenerator<FormattedEntry, void, undefined> {
  const { reading, how } = checkParse(options);
  const { memory } = reading.runtime;
  let open: OpenEntry | undefined;
  // What is open is closed as an entry of the text it was read from, also where nothing of that comes any more.
  let last: { log: RowBatch['log']; batch: LogColumns } | undefined;
  const close = ({ entry, more, isCut }: OpenEntry): FormattedEntry => {
    const { file, format, fieldNames } = (last as { batch: LogColumns }).batch;
    return { entry: new LogEntry(file, entry, more, isCut), format, fieldNames };
  };
  for await (const rows of readRows(source, reading, how)) {
    const batch = new LogColumns(memory, rows);
    if (open !== undefined && last?.log !== rows.log) {
      yield close(open);
      open = undefined;
    }
    last = { log: rows.log, batch };
    for (let i = 0; i < batch.count; i++) {
      if (open !== undefined && batch.isContinuation(i)) {
        const isTooMuch: boolean = open.more.length + batch.bytes(i) > MORE_BYTES_MAX;
        if (!isTooMuch) open.more += LINE_FEED + batch.raw(i);
        open.isCut ||= isTooMuch || batch.isCut(i);
        continue;
      }
      if (open !== undefined) yield close(open);
      open = { entry: batch.entry(i), more: '', isCut: batch.isCut(i) };
    }
    if (!batch.isContinued && open !== undefined) {
      yield close(open);
      open = undefined;
    }
  }
  if (open !== undefined) yield close(open);
}

/**
 * Reads the lines of log files in batches: times and levels as columns, texts where they lie. Lines are those
 * that were chosen, where a filter is given. A batch holds until the next step of the iterator; what its
 * methods return is the caller's.
 *
 * @throws as `parseLog` does
 */
export async function* columns(
  source: TextInput,
  options: ParseLogOptions = {},
): AsyncGenerator<LogColumns, void, undefined> {
  const { reading, how } = checkParse(options);
  const { memory } = reading.runtime;
  for await (const batch of readRows(source, reading, how)) yield new LogColumns(memory, batch);
}

/** Some lines of a log file. */
export class LogColumns {
  /** How many lines there are. */
  readonly count: number;
  /** What the file is called. */
  readonly file: string;
  readonly format: string;
  /** Milliseconds since the epoch; NaN where the line has no time. */
  readonly times: Float64Array;
  /** What the time says beyond milliseconds. */
  readonly nanoseconds: Int32Array;
  /** Places in `levelNames`. */
  readonly levels: Uint8Array;
  /** False where the entry of the last line cannot go on in the next batch. */
  readonly isContinued: boolean;
  readonly #memory: MemoryView;
  readonly #batch: RowBatch;
  readonly #reader: EntryReader;
  /** The entry that was made last: most often several things are asked of one. */
  #last: Entry | undefined;
  #lastNumber = -1;

  constructor(memory: MemoryView, batch: RowBatch) {
    this.#memory = memory;
    this.#batch = batch;
    this.#reader = batch.reader;
    this.count = batch.chosenCount;
    this.file = batch.log.input.name;
    this.format = batch.parser.name;
    this.isContinued = batch.isContinued;
    this.times = new Float64Array(this.count);
    this.nanoseconds = new Int32Array(this.count);
    this.levels = new Uint8Array(this.count);
    const { i32, f64 } = memory;
    for (let i = 0; i < this.count; i++) {
      const row = this.#row(i);
      this.times[i] = f64[(row + FIELDS_TIMESTAMP) >> 3] as number;
      this.nanoseconds[i] = i32[(row + FIELDS_NANOSECONDS) >> 2] as number;
      this.levels[i] = i32[(row + FIELDS_LEVEL_CODE) >> 2] as number;
    }
  }

  /** The names of the other fields that a line may have; undefined where these are whatever its keys are. */
  get fieldNames(): readonly string[] | undefined {
    const { hasEscapes, extraNames } = this.#batch.parser;
    return hasEscapes ? undefined : extraNames;
  }

  /** Names of levels. */
  get levelNames(): readonly string[] {
    return LEVEL_NAMES;
  }

  /** Whether the line is of the format. */
  isParsed(i: number): boolean {
    const status = this.#status(i);
    return status === FIELDS_PARSED || status === FIELDS_PLAIN;
  }

  /** Whether the line belongs to the entry before it. */
  isContinuation(i: number): boolean {
    return this.#status(i) === FIELDS_CONTINUATION;
  }

  /** Whether the line is too long, and cut off. */
  isCut(i: number): boolean {
    const { isCut, count } = this.#batch;
    return isCut && this.#number(i) === count - 1;
  }

  /** Number of the line in the text, from 1 on; undefined where lines were not counted. */
  line(i: number): number | undefined {
    const { firstLine } = this.#batch;
    return firstLine === undefined ? undefined : firstLine + this.#number(i) + 1;
  }

  /** Position of the line in the text. */
  position(i: number): number {
    return (this.#memory.i32[(this.#row(i) + FIELDS_LINE) >> 2] as number) + this.#batch.shift;
  }

  /** How many bytes the line has, without its end. */
  bytes(i: number): number {
    return this.#memory.i32[(this.#row(i) + FIELDS_LINE + SPAN_LENGTH) >> 2] as number;
  }

  /** Whether the line says a level. */
  hasLevel(i: number): boolean {
    return this.#memory.i32[(this.#row(i) + FIELDS_LEVEL + SPAN_LENGTH) >> 2] !== 0;
  }

  /** The line as an entry, which may be kept; without lines that belong to it. */
  entry(i: number): Entry {
    if (this.#last === undefined || this.#lastNumber !== i) {
      const { rows, extras } = this.#batch;
      const place = { position: this.position(i), line: this.line(i) };
      this.#last = this.#reader.read(rows, this.#number(i), 1, extras, place);
      this.#lastNumber = i;
    }
    return this.#last;
  }

  /** The line, without its end. */
  raw(i: number): string {
    const address = this.#memory.i32[(this.#row(i) + FIELDS_LINE) >> 2] as number;
    return this.#memory.buffer(address, this.bytes(i)).toString('utf8');
  }

  /** The level as it is written. */
  levelText(i: number): string | undefined {
    return this.entry(i).levelText;
  }

  component(i: number): string | undefined {
    return this.entry(i).component;
  }

  pid(i: number): string | undefined {
    return this.entry(i).pid;
  }

  /** The message; of a line in which nothing is looked for, or that is not of the format, all of it. */
  message(i: number): string {
    return this.entry(i).message;
  }

  /** All other fields that the line has. */
  fields(i: number): Readonly<Record<string, unknown>> {
    return this.entry(i).fields;
  }

  #number(i: number): number {
    const { chosen } = this.#batch;
    return chosen === 0 ? i : (this.#memory.i32[(chosen >> 2) + i] as number);
  }

  #row(i: number): number {
    return this.#batch.rows + this.#number(i) * FIELDS_BYTES;
  }

  #status(i: number): number {
    return this.#memory.i32[(this.#row(i) + FIELDS_STATUS) >> 2] as number;
  }
}

/** Checks the options of a call that reads entries. */
export function checkParse(options: ParseLogOptions): { reading: Reading; how: RowOptions } {
  const reading = checkReading('options', options, MORE_OPTIONS);
  const { sample } = options;
  const seed = integerOption('seed', options.seed, 1, 0, 2 ** 31 - 1);
  return {
    reading,
    how: {
      ...checkIndexOptions(options),
      sample: sample === undefined || checkShare(sample) === 1 ? undefined : { share: sample, seed },
    },
  };
}
