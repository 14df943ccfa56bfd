/**
 * Batches that were made elsewhere: by another program, or by a kernel of ours in the shared memory.
 *
 * @module
 */

import { VarveError } from '../errors.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  COLUMN_BYTES,
  COLUMN_KEY_LENGTH,
  COLUMN_TIMESTAMP,
  ROW_BYTES,
  SCAN_STATUS_ADDRESS,
  SCAN_STATUS_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { type BatchRow, columnsBytes, readRow } from '../record/batch.ts';
import { Expander, isCodecSettled, settleCodec } from '../record/compression.ts';
import {
  ATTRIBUTES_POSITION,
  BATCH_LENGTH_POSITION,
  CONTROL_BIT,
  MAX_TIMESTAMP_POSITION,
  RECORD_COUNT_POSITION,
  readInt64,
} from '../record/format.ts';

const ROWS_MAX = 256;

/** What the writer has to know of a batch. */
export interface FramedBatch {
  size: number;
  records: number;
  maxTimestamp: number;
}

/** Batches that our own kernels have framed, in the shared memory. */
export interface FramedBatches {
  address: number;
  bytes: number;
}

/** Reads the headers of batches that our own kernels have just made; nothing is checked again. */
export function walkFramed(memory: Memory, address: number, bytes: number): FramedBatch[] {
  const { data } = memory;
  const batches: FramedBatch[] = [];
  for (let at = address; at < address + bytes; ) {
    const size = data.getInt32(at + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
    const records = data.getInt32(at + RECORD_COUNT_POSITION);
    batches.push({ size, records, maxTimestamp: readInt64(data, at + MAX_TIMESTAMP_POSITION) });
    at += size;
  }
  return batches;
}

function refuse(position: number, reason: string): RangeError {
  return new RangeError(`the batch at byte ${position} cannot be appended: ${reason}`);
}

function checkRow(
  memory: Memory,
  stored: BatchRow,
  position: number,
  expander: Expander,
  needsKeys: boolean,
): void {
  if ((stored.attributes & CONTROL_BIT) !== 0) {
    throw new VarveError('UNSUPPORTED', `the batch at byte ${position} holds the markers of a transaction`);
  }
  const row = expander.expand(stored);
  if (row === undefined) throw refuse(position, 'its records do not expand, or become too much');
  const deltas = row.lastOffset - row.baseOffset + 1;
  if (row.recordCount === 0) throw refuse(position, 'it is empty');
  if (row.recordCount !== deltas) throw refuse(position, `${row.recordCount} records for ${deltas} offsets`);
  const columns = memory.slabs.allocate(columnsBytes(row.recordCount), 'foreign batch');
  try {
    if (memory.kernels.decodeBatch(row.address, row.size, columns.address) !== row.recordCount) {
      throw refuse(position, 'its records are broken');
    }
    // Reads by time believe the header.
    for (let i = 0; i < row.recordCount; i++) {
      const timestamp = memory.f64[(columns.address + i * COLUMN_BYTES + COLUMN_TIMESTAMP) >> 3] as number;
      if (timestamp > row.maxTimestamp) throw refuse(position, 'it has a record newer than its header says');
      const keyLength = memory.i32[(columns.address + i * COLUMN_BYTES + COLUMN_KEY_LENGTH) >> 2] as number;
      if (needsKeys && keyLength < 0)
        throw refuse(position, 'the log is compacted, and it has a record without key');
    }
  } finally {
    columns.release();
  }
}

/** The attributes of batches from elsewhere, as far as their headers lead from one to the next. */
function attributesOf(bytes: Uint8Array): number[] {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: number[] = [];
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; ) {
    const length = data.getInt32(at + BATCH_LENGTH_POSITION);
    found.push(data.getInt16(at + ATTRIBUTES_POSITION));
    at += Math.max(0, length) + BATCH_PREFIX_BYTES;
  }
  return found;
}

/**
 * Loads the codecs of batches from elsewhere, so that `checkForeign` can look into them.
 *
 * @returns a promise only where there is something to load: the order of calls is the order of records
 */
export function settleCodecs(bytes: Uint8Array): Promise<void> | undefined {
  const unsettled = attributesOf(bytes).filter((attributes) => !isCodecSettled(attributes));
  if (unsettled.length === 0) return undefined;
  return (async () => {
    for (const attributes of unsettled) await settleCodec(attributes);
  })();
}

/**
 * Checks batches from elsewhere, once and for all: lengths, checksums and every record.
 *
 * @param address of the bytes, in the shared memory
 * @param needsKeys whether each record must have a key
 * @throws RangeError where one is not valid
 * @throws VarveError `UNSUPPORTED` where one is valid but cannot be taken, or its codec is not to be had
 */
export function checkForeign(
  memory: Memory,
  address: number,
  bytes: number,
  needsKeys: boolean,
): FramedBatch[] {
  const slab = memory.slabs.allocate(ROWS_MAX * ROW_BYTES + SCAN_STATUS_BYTES, 'foreign batches');
  const status = slab.address + ROWS_MAX * ROW_BYTES;
  const batches: FramedBatch[] = [];
  const expander = new Expander(memory);
  try {
    for (let at = address; at < address + bytes; ) {
      const count = memory.kernels.scanBatches(at, address + bytes - at, slab.address, ROWS_MAX, status);
      for (let i = 0; i < count; i++) {
        const row = readRow(memory, slab.address + i * ROW_BYTES);
        checkRow(memory, row, row.address - address, expander, needsKeys);
        batches.push({ size: row.size, records: row.recordCount, maxTimestamp: row.maxTimestamp });
      }
      at = memory.i32[(status + SCAN_STATUS_ADDRESS) >> 2] as number;
      if (count === 0)
        throw refuse(at - address, 'it is no whole record batch (magic 2), or its checksum is wrong');
    }
  } finally {
    slab.release();
    expander.release();
  }
  return batches;
}

/** How many records batches have together. */
export function countRecords(batches: readonly { records: number }[]): number {
  let count = 0;
  for (const { records } of batches) count += records;
  return count;
}
