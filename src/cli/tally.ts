/**
 * Counts what a log holds by reading all of it: records, times, and how often each value of the header
 * `level` occurs. It works on the batches where they lie, and makes nothing per record.
 *
 * @module
 */

import type { Log } from '../log/log.ts';
import { COLUMN_BYTES, COLUMN_HEADERS, COLUMN_HEADERS_COUNT, COLUMN_TIMESTAMP } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { columnsBytes, type RecordBatch } from '../record/batch.ts';
import { COMPRESSION_MASK } from '../record/format.ts';

const LEVEL_KEY: Buffer = Buffer.from('level');
/** Values that are longer, or come when there are so many already, are no levels. */
const LEVEL_BYTES_MAX = 32;
const LEVELS_MAX = 64;

export interface LogTally {
  batches: number;
  records: number;
  /** Bytes of batches. */
  bytes: number;
  /** The oldest and the newest timestamp; infinite where there is no record. */
  minTimestamp: number;
  maxTimestamp: number;
  /** Records by level, the most frequent first. */
  levels: { level: string; records: number }[];
  /** Records in batches whose inside cannot be read here, because they are compressed. */
  unreadRecords: number;
}

interface Level {
  bytes: Uint8Array;
  records: number;
}

/**
 * Reads the whole log.
 *
 * @param onProgress told how many bytes of batches were read so far
 * @throws the signal's reason
 */
export async function tallyLog(
  log: Log,
  memory: Memory,
  signal: AbortSignal,
  onProgress: (bytes: number) => void = () => {},
): Promise<LogTally> {
  const tally: LogTally = {
    batches: 0,
    records: 0,
    bytes: 0,
    minTimestamp: Number.POSITIVE_INFINITY,
    maxTimestamp: Number.NEGATIVE_INFINITY,
    levels: [],
    unreadRecords: 0,
  };
  const counter = new LevelCounter(memory);
  try {
    for await (const batch of log.batches({ signal })) {
      tally.batches++;
      tally.records += batch.recordCount;
      tally.bytes += batch.size;
      if (!counter.add(batch, tally)) tally.unreadRecords += batch.recordCount;
      onProgress(tally.bytes);
    }
  } finally {
    counter.close();
  }
  tally.levels = counter.levels();
  return tally;
}

class LevelCounter {
  readonly #memory: Memory;
  readonly #known: Level[] = [];
  #columns: Slab | undefined;
  #at = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * @returns false where the records cannot be looked at
   * @throws VarveError `CORRUPT` where they are broken
   */
  add(batch: RecordBatch, tally: LogTally): boolean {
    const { bytes, recordCount } = batch;
    if ((batch.attributes & COMPRESSION_MASK) !== 0) {
      tally.minTimestamp = Math.min(tally.minTimestamp, batch.baseTimestamp);
      tally.maxTimestamp = Math.max(tally.maxTimestamp, batch.maxTimestamp);
      return false;
    }
    const columns = this.#room(columnsBytes(recordCount));
    // The batch is a view on the shared memory, so its place there is its address.
    if (this.#memory.kernels.decodeBatch(bytes.byteOffset, bytes.length, columns) < 0) batch.records();
    const { i32, f64 } = this.#memory;
    for (let i = 0; i < recordCount; i++) {
      const column = columns + i * COLUMN_BYTES;
      const timestamp = f64[(column + COLUMN_TIMESTAMP) >> 3] as number;
      if (timestamp < tally.minTimestamp) tally.minTimestamp = timestamp;
      if (timestamp > tally.maxTimestamp) tally.maxTimestamp = timestamp;
      const count = i32[(column + COLUMN_HEADERS_COUNT) >> 2] as number;
      if (count > 0) this.#addHeaders(i32[(column + COLUMN_HEADERS) >> 2] as number, count);
    }
    return true;
  }

  levels(): { level: string; records: number }[] {
    return this.#known
      .map(({ bytes, records }) => ({ level: Buffer.from(bytes).toString(), records }))
      .sort((a, b) => b.records - a.records);
  }

  close(): void {
    this.#columns?.release();
  }

  /** Looks for the first header of that name; the kernels have checked every length. */
  #addHeaders(address: number, count: number): void {
    this.#at = address;
    for (let i = 0; i < count; i++) {
      const keyLength = this.#length();
      const key = this.#at;
      this.#at += keyLength;
      const valueLength = this.#length();
      const value = this.#at;
      this.#at += Math.max(0, valueLength);
      if (keyLength === LEVEL_KEY.length && valueLength >= 0 && this.#equals(LEVEL_KEY, key, keyLength)) {
        this.#count(value, valueLength);
        return;
      }
    }
  }

  #count(address: number, length: number): void {
    for (const level of this.#known) {
      if (this.#equals(level.bytes, address, length)) {
        level.records++;
        return;
      }
    }
    if (length > LEVEL_BYTES_MAX || this.#known.length === LEVELS_MAX) return;
    this.#known.push({ bytes: this.#memory.copy(address, length), records: 1 });
  }

  #equals(expected: Uint8Array, address: number, length: number): boolean {
    if (expected.length !== length) return false;
    const { u8 } = this.#memory;
    for (let i = 0; i < length; i++) if (u8[address + i] !== expected[i]) return false;
    return true;
  }

  /** Reads a zigzag varint; -1 stands for null. */
  #length(): number {
    const { u8 } = this.#memory;
    let zigzag = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = u8[this.#at++] as number;
      zigzag |= (byte & 0x7f) << shift;
      if (byte < 0x80 || shift >= 28) return (zigzag >>> 1) ^ -(zigzag & 1);
    }
  }

  #room(bytes: number): number {
    if (this.#columns === undefined || this.#columns.bytes < bytes) {
      this.#columns?.release();
      this.#columns = undefined;
      this.#columns = this.#memory.slabs.allocate(bytes, 'batch columns');
    }
    return this.#columns.address;
  }
}
