/**
 * A record batch in the shared memory, as readers see it: fields from its row, and its records on demand.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { VarveError } from '../errors.ts';
import {
  BATCH_HEADER_BYTES,
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_HEADERS,
  COLUMN_HEADERS_COUNT,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_TIMESTAMP,
  COLUMN_VALUE,
  COLUMN_VALUE_LENGTH,
  ROW_ADDRESS,
  ROW_ATTRIBUTES,
  ROW_BASE_OFFSET,
  ROW_BASE_TIMESTAMP,
  ROW_LAST_DELTA,
  ROW_LEADER_EPOCH,
  ROW_MAX_TIMESTAMP,
  ROW_RECORD_COUNT,
  ROW_SIZE,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { Expander, isCompressed } from './compression.ts';
import { LogRecord } from './record.ts';

/** What a row says of a batch; see `layout.ts`. */
export interface BatchRow {
  address: number;
  /** Header and records, in bytes. */
  size: number;
  baseOffset: number;
  lastOffset: number;
  recordCount: number;
  baseTimestamp: number;
  maxTimestamp: number;
  attributes: number;
  leaderEpoch: number;
}

/** Reads the row at `address`. */
export function readRow(memory: Memory, address: number): BatchRow {
  const { i32, f64 } = memory;
  const word = address >> 2;
  const baseOffset = f64[(address + ROW_BASE_OFFSET) >> 3] as number;
  return {
    address: i32[word + (ROW_ADDRESS >> 2)] as number,
    size: i32[word + (ROW_SIZE >> 2)] as number,
    baseOffset,
    lastOffset: baseOffset + (i32[word + (ROW_LAST_DELTA >> 2)] as number),
    recordCount: i32[word + (ROW_RECORD_COUNT >> 2)] as number,
    baseTimestamp: f64[(address + ROW_BASE_TIMESTAMP) >> 3] as number,
    maxTimestamp: f64[(address + ROW_MAX_TIMESTAMP) >> 3] as number,
    attributes: i32[word + (ROW_ATTRIBUTES >> 2)] as number,
    leaderEpoch: i32[word + (ROW_LEADER_EPOCH >> 2)] as number,
  };
}

/** How many bytes `decodeRecords` needs for the columns of a batch. */
export function columnsBytes(recordCount: number): number {
  return Math.max(1, recordCount) * COLUMN_BYTES;
}

/**
 * Makes the record that a column entry describes.
 *
 * @param column address of the entry
 * @param bytes a copy of the batch's records
 * @param origin the address that the first byte of `bytes` was copied from
 */
function materialize(
  memory: Memory,
  column: number,
  baseOffset: number,
  bytes: Buffer,
  origin: number,
): LogRecord {
  const { i32, f64 } = memory;
  const word = column >> 2;
  const keyLength = i32[word + (COLUMN_KEY_LENGTH >> 2)] as number;
  const valueLength = i32[word + (COLUMN_VALUE_LENGTH >> 2)] as number;
  const headerCount = i32[word + (COLUMN_HEADERS_COUNT >> 2)] as number;
  const offset = baseOffset + (i32[word + (COLUMN_OFFSET_DELTA >> 2)] as number);
  const timestamp = f64[column >> 3] as number;
  let key: Buffer | null = null;
  let value: Buffer | null = null;
  if (keyLength >= 0) {
    const start = (i32[word + (COLUMN_KEY >> 2)] as number) - origin;
    key = bytes.subarray(start, start + keyLength);
  }
  if (valueLength >= 0) {
    const start = (i32[word + (COLUMN_VALUE >> 2)] as number) - origin;
    value = bytes.subarray(start, start + valueLength);
  }
  if (headerCount === 0) return new LogRecord(offset, timestamp, key, value);
  const start = (i32[word + (COLUMN_HEADERS >> 2)] as number) - origin;
  const end = (i32[word + (COLUMN_END >> 2)] as number) - origin;
  return new LogRecord(offset, timestamp, key, value, bytes.subarray(start, end), headerCount);
}

/** Which records of a batch are wanted; the ends are exclusive. */
export interface Selection {
  fromOffset: number;
  toOffset: number;
  fromTimestamp: number;
  toTimestamp: number;
}

const ALL: Selection = { fromOffset: 0, toOffset: Infinity, fromTimestamp: -Infinity, toTimestamp: Infinity };

function isSelected(memory: Memory, column: number, baseOffset: number, selection: Selection): boolean {
  const timestamp = memory.f64[(column + COLUMN_TIMESTAMP) >> 3] as number;
  if (timestamp < selection.fromTimestamp || timestamp >= selection.toTimestamp) return false;
  const offset = baseOffset + (memory.i32[(column + COLUMN_OFFSET_DELTA) >> 2] as number);
  return offset >= selection.fromOffset && offset < selection.toOffset;
}

/**
 * Decodes the records of a batch. Their bytes are copied once, together; nothing is made for a record that
 * is not wanted, and nothing is copied where none is.
 *
 * @param row of a batch that the kernels accepted, and that is not compressed, or was expanded
 * @param columns an address with room for `columnsBytes(row.recordCount)`
 * @param selection which records are wanted; all unless given
 * @returns the records, or undefined where the inside of the batch is broken
 */
export function decodeRecords(
  memory: Memory,
  row: BatchRow,
  columns: number,
  selection: Selection = ALL,
): LogRecord[] | undefined {
  assert(!isCompressed(row.attributes), 'what is decoded was expanded');
  const count = memory.kernels.decodeBatch(row.address, row.size, columns);
  if (count < 0) return undefined;
  assert(count === row.recordCount, 'a batch has as many records as its header says');
  const { baseOffset } = row;
  const end = columns + count * COLUMN_BYTES;
  const isAll = selection === ALL;
  let column = columns;
  while (!isAll && column < end && !isSelected(memory, column, baseOffset, selection)) column += COLUMN_BYTES;
  const records: LogRecord[] = [];
  if (column === end) return records;
  const origin = row.address + BATCH_HEADER_BYTES;
  const bytes = memory.copy(origin, row.size - BATCH_HEADER_BYTES);
  for (; column < end; column += COLUMN_BYTES) {
    if (isAll || isSelected(memory, column, baseOffset, selection)) {
      records.push(materialize(memory, column, baseOffset, bytes, origin));
    }
  }
  return records;
}

/**
 * Decodes one record of an uncompressed batch.
 *
 * @param columns an address with room for `columnsBytes(1)`
 * @param marks address of what `markRecords` noted of the batch, or 0
 * @returns the record, null where the batch has none with that offset, or undefined where it is broken
 */
export function decodeRecord(
  memory: Memory,
  address: number,
  size: number,
  baseOffset: number,
  offset: number,
  columns: number,
  marks = 0,
): LogRecord | null | undefined {
  const { kernels } = memory;
  const delta = offset - baseOffset;
  const found =
    marks === 0
      ? kernels.findRecord(address, size, delta, columns)
      : kernels.findMarked(address, size, delta, marks, columns);
  if (found <= 0) return found === 0 ? null : undefined;
  const { i32, f64 } = memory;
  const word = columns >> 2;
  const timestamp = f64[(columns + COLUMN_TIMESTAMP) >> 3] as number;
  // Each part is copied by itself: mostly there is only one, and a copy of it all would have to be cut.
  const key = copyField(memory, i32[word + (COLUMN_KEY >> 2)], i32[word + (COLUMN_KEY_LENGTH >> 2)]);
  const value = copyField(memory, i32[word + (COLUMN_VALUE >> 2)], i32[word + (COLUMN_VALUE_LENGTH >> 2)]);
  const headerCount = i32[word + (COLUMN_HEADERS_COUNT >> 2)] as number;
  if (headerCount === 0) return new LogRecord(offset, timestamp, key, value);
  const headers = i32[word + (COLUMN_HEADERS >> 2)] as number;
  const end = i32[word + (COLUMN_END >> 2)] as number;
  return new LogRecord(offset, timestamp, key, value, memory.copySmall(headers, end - headers), headerCount);
}

function copyField(memory: Memory, address: number | undefined, length: number | undefined): Buffer | null {
  if (address === undefined || length === undefined || length < 0) return null;
  return memory.copySmall(address, length);
}

/** A batch in a reader's window. It and its views hold until the next step of the iterator. */
export class RecordBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly recordCount: number;
  readonly baseTimestamp: number;
  readonly maxTimestamp: number;
  readonly attributes: number;
  readonly leaderEpoch: number;
  readonly #memory: Memory;
  readonly #row: BatchRow;
  #isCurrent = true;

  constructor(memory: Memory, row: BatchRow) {
    this.baseOffset = row.baseOffset;
    this.lastOffset = row.lastOffset;
    this.recordCount = row.recordCount;
    this.baseTimestamp = row.baseTimestamp;
    this.maxTimestamp = row.maxTimestamp;
    this.attributes = row.attributes;
    this.leaderEpoch = row.leaderEpoch;
    this.#memory = memory;
    this.#row = row;
  }

  /** Size in bytes, header included. */
  get size(): number {
    return this.#row.size;
  }

  /** The batch as it lies on disk, compressed where it is: a view, without a copy. */
  get bytes(): Buffer {
    this.#checkCurrent();
    return this.#memory.buffer(this.#row.address, this.#row.size);
  }

  /**
   * The records, as copies that stay valid.
   *
   * @throws VarveError `UNSUPPORTED` where the codec of a compressed batch is not to be had, `CORRUPT` where its
   * inside is broken
   */
  records(): LogRecord[] {
    this.#checkCurrent();
    const expander = new Expander(this.#memory);
    try {
      const row = expander.expand(this.#row);
      const records = row === undefined ? undefined : this.#decode(row);
      if (records !== undefined) return records;
    } finally {
      expander.release();
    }
    const offsets = { first: this.baseOffset, last: this.lastOffset };
    throw new VarveError('CORRUPT', `the records of the batch at offset ${this.baseOffset} are broken`, {
      offsets,
    });
  }

  #decode(row: BatchRow): LogRecord[] | undefined {
    const columns = this.#memory.slabs.allocate(columnsBytes(row.recordCount), 'batch columns');
    try {
      return decodeRecords(this.#memory, row, columns.address);
    } finally {
      columns.release();
    }
  }

  /** Ends the batch's life: its memory is about to be used for another. */
  expire(): void {
    this.#isCurrent = false;
  }

  #checkCurrent(): void {
    if (!this.#isCurrent) throw new VarveError('CLOSED', 'the batch is gone: its iterator has moved on');
  }
}
