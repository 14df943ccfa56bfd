/**
 * Writes a segment of the records that stay. Batches follow one another without a hole in their offsets: where
 * records are left out, a batch begins before its first record, or ends behind its last. So whoever reads can tell
 * what was removed from what was lost.
 *
 * @module
 */

import type { CodecName } from '../../codec/codec.ts';
import { codecs } from '../../codec/registry.ts';
import { BATCH_RECORDS_MAX, SLAB_BYTES_MIN } from '../../limits.ts';
import {
  GATHERED_BASE_OFFSET,
  GATHERED_BASE_TIMESTAMP,
  GATHERED_BYTES,
  GATHERED_COUNT,
  GATHERED_COUNT_MAX,
  GATHERED_END,
  GATHERED_FULL,
  GATHERED_LAST_DELTA,
  GATHERED_MAX_TIMESTAMP,
  GATHERED_NEXT,
} from '../../memory/key-map-layout.ts';
import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_KEY,
  COLUMN_TIMESTAMP,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
} from '../../memory/layout.ts';
import type { Memory } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';
import type { BatchRow } from '../../record/batch.ts';
import { compressBatchesNow } from '../../record/compression.ts';
import {
  ATTRIBUTES_POSITION,
  BASE_OFFSET_POSITION,
  BASE_SEQUENCE_POSITION,
  BASE_TIMESTAMP_POSITION,
  BATCH_LENGTH_POSITION,
  COMPRESSION_NAMES,
  CRC_POSITION,
  DELETE_HORIZON_BIT,
  LAST_DELTA_POSITION,
  LEADER_EPOCH_POSITION,
  LOG_APPEND_TIME_BIT,
  MAGIC_POSITION,
  MAX_TIMESTAMP_POSITION,
  PRODUCER_EPOCH_POSITION,
  PRODUCER_ID_POSITION,
  RECORD_COUNT_POSITION,
  writeInt64,
} from '../../record/format.ts';
import type { VfsFile } from '../../vfs/vfs.ts';
import { SegmentIndex } from '../segment-index.ts';

const MAGIC = 2;
/** What is written at once: little enough to be in the cache still. */
const BUFFER_BYTES = 256 * 1024;
/** So much is on its way to the disk while more is made: it has not to be waited for in the end. */
const SYNC_BYTES = 8 * 1024 * 1024;
/** What Kafka says of a batch without records. */
const NO_TIMESTAMP = -1;

/** A codec, and how much it is to try. */
export interface CodecChoice {
  codec: CodecName;
  level: number | undefined;
}

/** What a batch says of itself beside its records. */
export interface BatchKind {
  /** Attributes, without compression and without the bit of the horizon. */
  attributes: number;
  /** How the records are to be compressed, as attributes have it: 0 for not at all. */
  compression: number;
  /** A copy of the 14 bytes that say who produced it; undefined where nobody in particular did. */
  producer: Buffer | undefined;
  /** When deletions in it may be forgotten; undefined where there are none. */
  horizonMs: number | undefined;
}

export interface OutputOptions {
  baseOffset: number;
  /** A batch is full at this many bytes of records. */
  batchBytes: number;
  indexIntervalBytes: number;
  /** The level for batches of its codec; others have that which is usual. */
  compression: CodecChoice | undefined;
  /** Where the bytes go; nowhere where it is only counted. */
  file: VfsFile | undefined;
  /** Whether this thread may wait for the disk. */
  isBlocking: boolean;
}

export class SegmentOutput {
  readonly index: SegmentIndex;
  /** Bytes so far. */
  bytes = 0;
  records = 0;
  maxTimestamp: number = -Infinity;
  maxTimestampOffset = 0;
  readonly #memory: Memory;
  readonly #options: OutputOptions;
  readonly #gathered: Slab;
  #buffer: Slab;
  /** Whether there is one: there may be no memory for a larger one. */
  #hasBuffer = true;
  /** Where the batch begins that is being gathered, or would. */
  #at: number;
  /** The file position of the buffer's first byte. */
  #position = 0;
  /** Up to where the file was synced, or is being. */
  #syncedTo = 0;
  #isSyncing = false;
  #syncing: Promise<void> = Promise.resolve();
  #open: BatchKind | undefined;
  /** The offset that the next batch begins with. */
  #due: number;

  constructor(memory: Memory, options: OutputOptions) {
    this.#memory = memory;
    this.#options = options;
    this.#due = options.baseOffset;
    this.index = new SegmentIndex(memory, options.indexIntervalBytes);
    this.#gathered = memory.slabs.allocate(GATHERED_BYTES, 'gathered batch');
    this.#buffer = memory.slabs.allocate(BUFFER_BYTES, 'compaction buffer');
    this.#at = this.#buffer.address;
  }

  /**
   * Adds records of a batch.
   *
   * @param columns what was decoded of it
   * @param kept a byte for each record: 0 where it is left out
   * @param row of the batch
   */
  async add(
    columns: number,
    count: number,
    kept: number,
    { baseOffset, lastOffset }: BatchRow,
    kind: BatchKind,
  ): Promise<void> {
    const isOwned = kind.producer !== undefined;
    // Sequence numbers are counted from the first offset of a batch: it stays what it was, in one piece.
    if (isOwned) await this.#coverUpTo(baseOffset);
    else if (this.#open !== undefined && !canJoin(this.#open, kind)) this.#closeBatch();
    const { kernels } = this.#memory;
    const gathered = this.#gathered.address;
    let i = this.#nextKept(kept, 0, count);
    while (i < count) {
      if (this.#open === undefined) {
        const first = columns + i * COLUMN_BYTES;
        await this.#openBatch(first, kind, isOwned ? columns + (count - 1) * COLUMN_BYTES : first);
      }
      i = kernels.gatherRecords(gathered, columns, count, i, kept, baseOffset);
      i = this.#nextKept(kept, i, count);
      if (i < count) this.#closeBatch();
    }
    if (isOwned && this.#open !== undefined) this.#closeBatch(lastOffset);
  }

  /** Adds a batch as it is. It begins where the last one ended, or behind a hole. */
  async copy({ address, size, baseOffset, lastOffset, recordCount, maxTimestamp }: BatchRow): Promise<void> {
    await this.#coverUpTo(baseOffset);
    await this.#makeRoom(size);
    const { u8, data } = this.#memory;
    const at = this.#at;
    u8.copyWithin(at, address, address + size);
    // All before it will have been synced when this segment is one; no checksum covers this.
    data.setInt32(at + LEADER_EPOCH_POSITION, this.bytes);
    this.#note(size, lastOffset, recordCount, maxTimestamp);
    this.#at = at + size;
  }

  /** Closes what is open, and has the offsets up to one covered by a batch. */
  async #coverUpTo(offset: number): Promise<void> {
    if (this.#open !== undefined) this.#closeBatch(offset - 1);
    if (this.#due >= offset) return;
    await this.#makeRoom(0);
    this.#begin({ attributes: 0, compression: 0, producer: undefined, horizonMs: undefined }, NO_TIMESTAMP);
    this.#closeBatch(offset - 1);
  }

  /**
   * Ends the segment.
   *
   * @param endOffset the offset behind it
   */
  async finish(endOffset: number): Promise<void> {
    await this.#coverUpTo(endOffset);
    await this.#flush();
    await this.#syncing;
    this.index.reserve(0);
    this.index.seal();
  }

  /** Gives the memory back. */
  release(): void {
    this.index.release();
    this.#gathered.release();
    if (this.#hasBuffer) this.#buffer.release();
  }

  #nextKept(kept: number, from: number, count: number): number {
    const { u8 } = this.#memory;
    let i = from;
    while (i < count && u8[kept + i] === 0) i++;
    return i;
  }

  /** Begins a batch whose first record is that of a column, and that has room for all up to another. */
  async #openBatch(column: number, kind: BatchKind, last: number): Promise<void> {
    const { i32, f64 } = this.#memory;
    const others = (last - column) / COLUMN_BYTES;
    const bytes =
      (i32[(last + COLUMN_END) >> 2] as number) -
      (i32[(column + COLUMN_KEY) >> 2] as number) +
      others * RECORD_OVERHEAD_MAX;
    await this.#makeRoom(bytes);
    const full = Math.max(this.#options.batchBytes, others === 0 ? 0 : bytes);
    this.#begin(kind, kind.horizonMs ?? (f64[(column + COLUMN_TIMESTAMP) >> 3] as number), full, others + 1);
  }

  #begin(
    kind: BatchKind,
    baseTimestamp: number,
    fullBytes: number = this.#options.batchBytes,
    records = 0,
  ): void {
    const { i32, f64 } = this.#memory;
    const { address } = this.#gathered;
    const start = this.#at + BATCH_HEADER_BYTES;
    i32[(address + GATHERED_NEXT) >> 2] = start;
    i32[(address + GATHERED_END) >> 2] = this.#buffer.address + this.#buffer.bytes - SLACK_BYTES;
    i32[(address + GATHERED_FULL) >> 2] = start + fullBytes + RECORD_OVERHEAD_MAX;
    i32[(address + GATHERED_COUNT) >> 2] = 0;
    i32[(address + GATHERED_COUNT_MAX) >> 2] = Math.max(BATCH_RECORDS_MAX, records);
    i32[(address + GATHERED_LAST_DELTA) >> 2] = 0;
    f64[(address + GATHERED_BASE_OFFSET) >> 3] = this.#due;
    f64[(address + GATHERED_BASE_TIMESTAMP) >> 3] = baseTimestamp;
    f64[(address + GATHERED_MAX_TIMESTAMP) >> 3] = -Infinity;
    this.#open = kind;
  }

  /** Frames the batch that is being gathered. */
  #closeBatch(last?: number): void {
    const { i32, f64, data, kernels, u8 } = this.#memory;
    const { address } = this.#gathered;
    const { attributes, producer, horizonMs } = this.#open as BatchKind;
    const at = this.#at;
    const end = i32[(address + GATHERED_NEXT) >> 2] as number;
    const records = i32[(address + GATHERED_COUNT) >> 2] as number;
    const baseOffset = f64[(address + GATHERED_BASE_OFFSET) >> 3] as number;
    const lastOffset = last ?? baseOffset + (i32[(address + GATHERED_LAST_DELTA) >> 2] as number);
    const maxTimestamp =
      records === 0 ? NO_TIMESTAMP : (f64[(address + GATHERED_MAX_TIMESTAMP) >> 3] as number);
    const size = end - at;
    writeInt64(data, at + BASE_OFFSET_POSITION, baseOffset);
    data.setInt32(at + BATCH_LENGTH_POSITION, size - BATCH_PREFIX_BYTES);
    // All before it will have been synced when this segment is one.
    data.setInt32(at + LEADER_EPOCH_POSITION, this.bytes);
    data.setUint8(at + MAGIC_POSITION, MAGIC);
    data.setInt16(at + ATTRIBUTES_POSITION, attributes | (horizonMs === undefined ? 0 : DELETE_HORIZON_BIT));
    data.setInt32(at + LAST_DELTA_POSITION, lastOffset - baseOffset);
    writeInt64(data, at + BASE_TIMESTAMP_POSITION, f64[(address + GATHERED_BASE_TIMESTAMP) >> 3] as number);
    writeInt64(data, at + MAX_TIMESTAMP_POSITION, maxTimestamp);
    writeInt64(data, at + PRODUCER_ID_POSITION, -1);
    data.setInt16(at + PRODUCER_EPOCH_POSITION, -1);
    data.setInt32(at + BASE_SEQUENCE_POSITION, -1);
    if (producer !== undefined) u8.set(producer, at + PRODUCER_ID_POSITION);
    data.setInt32(at + RECORD_COUNT_POSITION, records);
    data.setInt32(at + CRC_POSITION, kernels.crc32c(at + ATTRIBUTES_POSITION, size - ATTRIBUTES_POSITION, 0));
    const stored = this.#compress(at, size);
    this.#note(stored, lastOffset, records, maxTimestamp);
    this.#at = at + stored;
    this.#open = undefined;
  }

  /** Takes a batch that lies in the buffer into the index. */
  #note(size: number, lastOffset: number, records: number, maxTimestamp: number): void {
    const relative = lastOffset - this.#options.baseOffset;
    this.index.reserve(1);
    this.index.observe(this.bytes, size, relative, maxTimestamp);
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp;
      this.maxTimestampOffset = relative;
    }
    this.bytes += size;
    this.records += records;
    this.#due = lastOffset + 1;
  }

  /** Compresses the batch as its kind says. Returns its size. */
  #compress(at: number, size: number): number {
    const name = COMPRESSION_NAMES[this.#open?.compression ?? 0];
    const codec = name === undefined || name === 'none' ? undefined : codecs.loaded(name as CodecName);
    if (codec === undefined) return size;
    const { compression } = this.#options;
    const level = compression?.codec === codec.name ? compression.level : undefined;
    const args = { address: at, sizes: [size], codec: codec.name, level };
    return compressBatchesNow(this.#memory, args, codec)[0] ?? size;
  }

  /** Makes room for a batch with a record of `bytes`, and for as many others as it takes. */
  async #makeRoom(bytes: number): Promise<void> {
    const need =
      BATCH_HEADER_BYTES + Math.max(bytes, this.#options.batchBytes) + 3 * RECORD_OVERHEAD_MAX + SLACK_BYTES;
    if (this.#at + need <= this.#buffer.address + this.#buffer.bytes) return;
    await this.#flush();
    if (need <= this.#buffer.bytes) return;
    const { slabs } = this.#memory;
    this.#buffer.release();
    this.#hasBuffer = false;
    this.#buffer = slabs.allocate(need + SLAB_BYTES_MIN, 'compaction buffer');
    this.#hasBuffer = true;
    this.#at = this.#buffer.address;
  }

  /** Writes what lies in the buffer. */
  async #flush(): Promise<void> {
    const { address } = this.#buffer;
    const bytes = this.#at - address;
    const { file, isBlocking } = this.#options;
    if (bytes > 0 && file !== undefined) {
      const view = this.#memory.buffer(address, bytes);
      if (isBlocking) file.writeSync(view, this.#position);
      else await file.write(view, this.#position);
    }
    this.#position += bytes;
    this.#at = address;
    if (file !== undefined && this.#position - this.#syncedTo >= SYNC_BYTES) this.#syncAhead(file);
  }

  /** What fails is told at the end. */
  #syncAhead(file: VfsFile): void {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    this.#syncedTo = this.#position;
    const syncing = file.datasync().finally(() => {
      this.#isSyncing = false;
    });
    syncing.catch(() => undefined);
    this.#syncing = Promise.all([this.#syncing, syncing]).then(() => undefined);
    this.#syncing.catch(() => undefined);
  }

  /** Waits for the disk, also where that does not matter any more. */
  async settle(): Promise<void> {
    await this.#syncing.catch(() => undefined);
  }
}

/** Whether records of one kind may go into a batch of another. */
function canJoin(open: BatchKind, kind: BatchKind): boolean {
  if (open.producer !== undefined || kind.producer !== undefined) return false;
  // The time of all of its records is that of the batch.
  if ((kind.attributes & LOG_APPEND_TIME_BIT) !== 0) return false;
  // Those that have no deletions do not mind when they are forgotten.
  const hasSameHorizon = kind.horizonMs === undefined || kind.horizonMs === open.horizonMs;
  const isAlike = open.attributes === kind.attributes && open.compression === kind.compression;
  return isAlike && hasSameHorizon;
}
