/**
 * Counts what a log holds by reading all of it: records, times, and how often each value of the header
 * `level` occurs. It works on the batches where they lie, and makes nothing per record.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import { COLUMN_BYTES, COLUMN_HEADERS, COLUMN_HEADERS_COUNT, COLUMN_TIMESTAMP } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { RecordBatch } from '../record/batch.ts';
import { Columns, HeaderCursor } from './columns.ts';

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
  /** Records in batches whose inside cannot be read here, because their codec is not to be had. */
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
  readonly #columns: Columns;
  readonly #headers: HeaderCursor;
  readonly #known: Level[] = [];

  constructor(memory: Memory) {
    this.#memory = memory;
    this.#columns = new Columns(memory);
    this.#headers = new HeaderCursor(memory);
  }

  /**
   * @returns false where the records cannot be looked at
   * @throws VarveError `CORRUPT` where they are broken
   */
  add(batch: RecordBatch, tally: LogTally): boolean {
    const columns = this.#decode(batch);
    if (columns === undefined) {
      tally.minTimestamp = Math.min(tally.minTimestamp, batch.baseTimestamp);
      tally.maxTimestamp = Math.max(tally.maxTimestamp, batch.maxTimestamp);
      return false;
    }
    const { i32, f64 } = this.#memory;
    for (let i = 0; i < batch.recordCount; i++) {
      const column = columns + i * COLUMN_BYTES;
      const timestamp = f64[(column + COLUMN_TIMESTAMP) >> 3] as number;
      if (timestamp < tally.minTimestamp) tally.minTimestamp = timestamp;
      if (timestamp > tally.maxTimestamp) tally.maxTimestamp = timestamp;
      const count = i32[(column + COLUMN_HEADERS_COUNT) >> 2] as number;
      if (count > 0) this.#addHeaders(i32[(column + COLUMN_HEADERS) >> 2] as number, count);
    }
    return true;
  }

  /** Undefined where the codec of the batch is not to be had. */
  #decode(batch: RecordBatch): number | undefined {
    try {
      return this.#columns.decode(batch);
    } catch (error) {
      if (isVarveError(error, 'UNSUPPORTED')) return undefined;
      throw error;
    }
  }

  levels(): { level: string; records: number }[] {
    return this.#known
      .map(({ bytes, records }) => ({ level: Buffer.from(bytes).toString(), records }))
      .sort((a, b) => b.records - a.records);
  }

  close(): void {
    this.#columns.close();
  }

  /** Looks for the first header of that name. */
  #addHeaders(address: number, count: number): void {
    const headers = this.#headers;
    headers.start(address, count);
    while (headers.next()) {
      if (!this.#equals(LEVEL_KEY, headers.keyAddress, headers.keyLength)) continue;
      if (headers.valueLength >= 0) this.#count(headers.valueAddress, headers.valueLength);
      return;
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
}
