/**
 * The two faces of reading: records, as copies, and batches, in place. Both are plain iterators and not
 * async generators, whose bookkeeping costs more than decoding a record.
 *
 * @module
 */

import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { type BatchRow, columnsBytes, decodeRecords, RecordBatch, type Selection } from '../record/batch.ts';
import { Expander } from '../record/compression.ts';
import type { LogRecord } from '../record/record.ts';
import type { ResolvedReadOptions } from './read-options.ts';
import type { LogReader } from './reader.ts';

/** Makes the reader when the first step is taken. */
export type OpenReader = (options: ResolvedReadOptions) => Promise<LogReader>;

/** Tells where a broken batch is. */
export type DescribeBroken = (baseOffset: number, lastOffset: number) => Error;

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined };

/** What both have in common: one reader, opened late and closed once, and steps one after another. */
abstract class Stream<T> implements AsyncIterableIterator<T> {
  protected readonly memory: Memory;
  protected readonly options: ResolvedReadOptions;
  readonly #open: OpenReader;
  #reader: LogReader | undefined;
  #isDone = false;
  /** The last step that is on its way, and how many are. */
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  constructor(memory: Memory, options: ResolvedReadOptions, open: OpenReader) {
    this.memory = memory;
    this.options = options;
    this.#open = open;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T>> {
    // Steps asked for at once are taken one after the other, in the order of the calls.
    if (this.#pending > 0) return this.#queue(this.#last.then(() => this.#step()));
    const ready = this.takeReady();
    return ready === undefined ? this.#queue(this.#step()) : Promise.resolve({ done: false, value: ready });
  }

  async return(): Promise<IteratorResult<T>> {
    await this.#last;
    await this.#finish();
    return DONE;
  }

  #queue(step: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> {
    this.#pending++;
    const over = (): void => {
      this.#pending--;
    };
    this.#last = step.then(over, over);
    return step;
  }

  /** The next value, where it can be had without reading. */
  protected abstract takeReady(): T | undefined;
  /** Reads on until there is a value. */
  protected abstract advance(reader: LogReader): Promise<T | undefined>;
  /** Gives back what it holds. */
  protected abstract release(): void;

  async #step(): Promise<IteratorResult<T>> {
    const ready = this.takeReady();
    if (ready !== undefined) return { done: false, value: ready };
    if (this.#isDone) return DONE;
    try {
      this.#reader ??= await this.#open(this.options);
      const value = await this.advance(this.#reader);
      if (value !== undefined) return { done: false, value };
    } catch (error) {
      await this.#finish();
      throw error;
    }
    await this.#finish();
    return DONE;
  }

  async #finish(): Promise<void> {
    if (this.#isDone) return;
    this.#isDone = true;
    this.release();
    await this.#reader?.close();
  }
}

export class RecordStream extends Stream<LogRecord> {
  readonly #describeBroken: DescribeBroken;
  readonly #expander: Expander;
  #columns: Slab | undefined;
  #records: LogRecord[] = [];
  #index = 0;
  #left: number;

  constructor(
    memory: Memory,
    options: ResolvedReadOptions,
    open: OpenReader,
    describeBroken: DescribeBroken,
  ) {
    super(memory, options, open);
    this.#describeBroken = describeBroken;
    this.#expander = new Expander(memory);
    this.#left = options.limit;
  }

  protected takeReady(): LogRecord | undefined {
    if (this.#index === this.#records.length || this.#left <= 0) return undefined;
    this.#left--;
    return this.#records[this.#index++];
  }

  protected async advance(reader: LogReader): Promise<LogRecord | undefined> {
    while (this.#left > 0) {
      const row = reader.nextReady() ?? (await reader.next());
      if (row === undefined) return undefined;
      if (row.maxTimestamp < this.options.fromTimestamp) continue;
      const records = this.#decode(row, this.#selectFrom(row, reader.fromOffset));
      if (records === undefined) throw this.#describeBroken(row.baseOffset, row.lastOffset);
      this.#records = records;
      this.#index = 0;
      const record = this.takeReady();
      if (record !== undefined) return record;
    }
    return undefined;
  }

  #decode(stored: BatchRow, selection: Selection | undefined): LogRecord[] | undefined {
    const row = this.#expander.expand(stored);
    if (row === undefined) return undefined;
    this.#reserve(columnsBytes(row.recordCount));
    return decodeRecords(this.memory, row, (this.#columns as Slab).address, selection);
  }

  /** Which records of a batch are wanted; undefined for all of them. */
  #selectFrom(row: BatchRow, fromOffset: number): Selection | undefined {
    const { toOffset, fromTimestamp, toTimestamp } = this.options;
    const hasTime = fromTimestamp !== -Infinity || toTimestamp !== Infinity;
    if (!hasTime && row.baseOffset >= fromOffset && row.lastOffset < toOffset) return undefined;
    return { fromOffset, toOffset, fromTimestamp, toTimestamp };
  }

  protected release(): void {
    this.#records = [];
    this.#columns?.release();
    this.#columns = undefined;
    this.#expander.release();
  }

  #reserve(bytes: number): void {
    if (this.#columns !== undefined && this.#columns.bytes >= bytes) return;
    this.#columns?.release();
    this.#columns = undefined;
    this.#columns = this.memory.slabs.allocate(bytes, 'read columns');
  }
}

export class BatchStream extends Stream<RecordBatch> {
  #reader: LogReader | undefined;
  #current: RecordBatch | undefined;
  #left: number;

  constructor(memory: Memory, options: ResolvedReadOptions, open: OpenReader) {
    super(memory, options, open);
    this.#left = options.limit;
  }

  protected takeReady(): RecordBatch | undefined {
    if (this.#reader === undefined || this.#left <= 0) return undefined;
    const row = this.#reader.nextReady();
    // One that is too old is passed over by `advance`, which gets the row behind it.
    return row === undefined || row.maxTimestamp < this.options.fromTimestamp ? undefined : this.#take(row);
  }

  protected async advance(reader: LogReader): Promise<RecordBatch | undefined> {
    this.#current?.expire();
    this.#current = undefined;
    this.#reader = reader;
    // The log may be closed between two steps: then the memory goes to others.
    reader.onClose = () => this.#current?.expire();
    while (this.#left > 0) {
      const row = reader.nextReady() ?? (await reader.next());
      if (row === undefined) return undefined;
      if (row.maxTimestamp >= this.options.fromTimestamp) return this.#take(row);
    }
    return undefined;
  }

  protected release(): void {
    this.#current?.expire();
    this.#reader = undefined;
  }

  #take(row: BatchRow): RecordBatch {
    this.#current?.expire();
    this.#left -= row.recordCount;
    this.#current = new RecordBatch(this.memory, row);
    return this.#current;
  }
}
