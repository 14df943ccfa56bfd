/**
 * Reads one record by its offset: looks up the extent that holds it, takes that from the cache or reads
 * and checks it, and has a kernel find the record in its batch. With index and file at hand it does not
 * leave the thread: for a few pages, a trip to another thread costs more than reading them.
 *
 * @module
 */

import {
  BATCH_PREFIX_BYTES,
  MARK_BYTES,
  MARK_RECORDS,
  ROW_BYTES,
  SCAN_STATUS_ADDRESS,
  SCAN_STATUS_BYTES,
  SLACK_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { type BatchRow, columnsBytes, decodeRecord, readRow } from '../record/batch.ts';
import { Expander, isCompressed, settleCodec } from '../record/compression.ts';
import {
  ATTRIBUTES_POSITION,
  BATCH_LENGTH_POSITION,
  LAST_DELTA_POSITION,
  readInt64,
} from '../record/format.ts';
import { LogRecord } from '../record/record.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { describeDamage } from './damage.ts';
import { batchAt, compressionIn, expandExtent } from './expand-extent.ts';
import type { ExtentCache } from './extent-cache.ts';
import type { LogMetrics } from './metrics.ts';
import type { Segment } from './segment.ts';
import type { Extent, SegmentIndex } from './segment-index.ts';

const ROWS_MAX = 64;
const ROWS_BYTES = ROWS_MAX * ROW_BYTES + SCAN_STATUS_BYTES + 4;

/** No record has fewer bytes than 7: so many bytes of batch there are for each byte of marks, at least. */
const BYTES_PER_MARK_BYTE: number = (7 * MARK_RECORDS) / MARK_BYTES;

/** A multiple of 8, which an address of words needs. */
function align(bytes: number): number {
  return (bytes + 7) & ~7;
}

/** A whole batch whose records are not what its header says. */
interface Broken {
  position: number;
  offset: number;
}

/** Batches whose codecs have to be loaded first. */
interface Unsettled {
  unsettled: number[];
}

export class PointReader {
  readonly #memory: Memory;
  readonly #cache: ExtentCache;
  readonly #metrics: LogMetrics;
  #columns: Slab | undefined;

  constructor(memory: Memory, cache: ExtentCache, metrics: LogMetrics) {
    this.#memory = memory;
    this.#cache = cache;
    this.#metrics = metrics;
  }

  /**
   * Reads a record of a segment whose file and indexes are at hand.
   *
   * @param limit where the bytes of the segment end that may be seen
   * @returns the record, or undefined where it takes `read` to find it or to say why it cannot be had
   */
  readNow(segment: Segment, offset: number, limit: number): LogRecord | undefined {
    const { file, index } = segment;
    if (file === undefined || index === undefined) return undefined;
    // Where an extent has many batches, the record is rarely in the one that the entry names.
    const extent = index.extentOf(offset - segment.baseOffset, index.hasSmallBatches);
    // Pinned, the segment keeps its indexes also while memory is asked for.
    segment.pin();
    try {
      const found = this.#readExtent(segment, file, index, extent, offset, limit);
      return found instanceof LogRecord ? found : undefined;
    } finally {
      void segment.unpin();
    }
  }

  /**
   * Reads a record of a segment.
   *
   * @param limit where the bytes of the segment end that may be seen
   * @returns the record, or undefined where something is damaged next to it: then it takes a reader to find it
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `IO`
   */
  async read(segment: Segment, offset: number, limit: number): Promise<LogRecord | undefined> {
    const file = segment.file ?? (await segment.open());
    const index = segment.index ?? (await segment.loadIndex());
    const relativeOffset = offset - segment.baseOffset;
    const first = index.extentOf(relativeOffset, index.hasSmallBatches);
    const found = await this.#settleAndRead(segment, file, index, first, offset, limit);
    if (found instanceof LogRecord) return found;
    const second = index.extentOf(relativeOffset, !index.hasSmallBatches);
    const other = await this.#settleAndRead(segment, file, index, second, offset, limit);
    if (other instanceof LogRecord) return other;
    const broken = found ?? other;
    if (broken === undefined) return undefined;
    this.#metrics.corruptions++;
    throw await describeDamage(segment, broken.position, broken.offset, limit, offset);
  }

  /** Gives the memory back. */
  release(): void {
    this.#columns?.release();
    this.#columns = undefined;
  }

  /** Reads an extent, and its codecs before it where they have not been loaded. */
  async #settleAndRead(
    segment: Segment,
    file: VfsFile,
    index: SegmentIndex,
    extent: Extent,
    offset: number,
    limit: number,
  ): Promise<LogRecord | Broken | undefined> {
    for (;;) {
      const found = this.#readExtent(segment, file, index, extent, offset, limit);
      if (found === undefined || found instanceof LogRecord || 'position' in found) return found;
      for (const attributes of found.unsettled) await settleCodec(attributes);
    }
  }

  /** @returns undefined where the record is not in the extent, or the extent is damaged */
  #readExtent(
    segment: Segment,
    file: VfsFile,
    index: SegmentIndex,
    extent: Extent,
    offset: number,
    limit: number,
  ): LogRecord | Broken | Unsettled | undefined {
    // Before the cache is asked, which may have to give memory for it.
    this.#columns ??= this.#memory.slabs.allocate(columnsBytes(1), 'point read');
    const cached = this.#cache.find(segment.id, extent.entry);
    if (cached !== undefined) {
      this.#metrics.cacheHits++;
      return this.#find(extent, cached.address, cached.bytes, offset, cached.marks);
    }
    this.#metrics.cacheMisses++;
    const end = Math.min(extent.end ?? limit, limit);
    const bytes = end - extent.start;
    if (bytes <= 0) return undefined;
    const { slabs, u8 } = this.#memory;
    const marksAt = align(ROWS_BYTES + bytes + SLACK_BYTES);
    const slab = slabs.allocate(marksAt + Math.ceil(bytes / BYTES_PER_MARK_BYTE), 'point read');
    try {
      const address = slab.address + ROWS_BYTES;
      const read = file.readSync(u8.subarray(address, address + bytes), extent.start);
      if (!this.#check(segment, index, extent, address, read, bytes, slab.address)) return undefined;
      const compression = compressionIn(this.#memory, address, bytes);
      if (compression !== false) {
        if (compression !== true) return compression;
        return this.#expandAndFind(segment, extent, address, bytes, offset, extent.end === end);
      }
      if (extent.end === end) {
        const marks = slab.address + marksAt;
        this.#cache.add(segment.id, extent.entry, address, bytes, marks, this.#mark(address, bytes, marks));
      }
      return this.#find(extent, address, bytes, offset);
    } finally {
      slab.release();
    }
  }

  /** Finds a record in an extent with compressed batches, and caches what they expand to. */
  #expandAndFind(
    segment: Segment,
    extent: Extent,
    address: number,
    bytes: number,
    offset: number,
    isWhole: boolean,
  ): LogRecord | Broken | undefined {
    const plain = expandExtent(this.#memory, address, bytes);
    if (plain === undefined) return this.#findAlone(extent, address, bytes, offset);
    try {
      if (isWhole) {
        const marks = plain.marks;
        const marksBytes = this.#mark(plain.address, plain.bytes, marks);
        this.#cache.add(segment.id, extent.entry, plain.address, plain.bytes, marks, marksBytes);
      }
      return this.#find(extent, plain.address, plain.bytes, offset);
    } finally {
      plain.slab.release();
    }
  }

  /** Finds a record in an extent of which only the batch that has it is expanded. */
  #findAlone(extent: Extent, address: number, bytes: number, offset: number): LogRecord | Broken | undefined {
    const { data } = this.#memory;
    let at = address;
    while (at < address + bytes && offset > readInt64(data, at) + data.getInt32(at + LAST_DELTA_POSITION)) {
      at += data.getInt32(at + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
    }
    if (at >= address + bytes || offset < readInt64(data, at)) return undefined;
    const broken = { position: extent.start + (at - address), offset: readInt64(data, at) };
    const expander = new Expander(this.#memory);
    try {
      const batch = expander.expand(batchAt(this.#memory, at));
      if (batch === undefined) return broken;
      const found = this.#find(extent, batch.address, batch.size, offset);
      return found === undefined || found instanceof LogRecord ? found : broken;
    } finally {
      expander.release();
    }
  }

  /** Whether every batch of an extent that was read from disk is what it must be. */
  #check(
    segment: Segment,
    index: SegmentIndex,
    extent: Extent,
    address: number,
    read: number,
    bytes: number,
    rows: number,
  ): boolean {
    const { kernels, i32 } = this.#memory;
    const status = rows + ROWS_MAX * ROW_BYTES;
    let expected = extent.entry < 0 ? segment.baseOffset : undefined;
    for (let at = address; at < address + bytes; ) {
      const count = kernels.scanBatches(at, address + read - at, rows, ROWS_MAX, status);
      if (count === 0) return false;
      for (let i = 0; i < count; i++) {
        const row = readRow(this.#memory, rows + i * ROW_BYTES);
        if (!isExpected(segment, index, extent, row, expected)) return false;
        expected = row.lastOffset + 1;
      }
      at = i32[(status + SCAN_STATUS_ADDRESS) >> 2] as number;
    }
    return true;
  }

  /**
   * Notes where the records of an extent begin, if it is one batch: walking through a large one costs a
   * wait for the memory at every record.
   *
   * @returns how many bytes of marks there are
   */
  #mark(address: number, bytes: number, marks: number): number {
    const { data, kernels } = this.#memory;
    const isOneBatch = data.getInt32(address + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES === bytes;
    const isPlain = !isCompressed(data.getInt16(address + ATTRIBUTES_POSITION));
    return isOneBatch && isPlain ? Math.max(0, kernels.markRecords(address, bytes, marks)) * MARK_BYTES : 0;
  }

  /** Finds a record among checked batches; `marks` is 0 or the address of the marks of the only one. */
  #find(
    extent: Extent,
    address: number,
    bytes: number,
    offset: number,
    marks = 0,
  ): LogRecord | Broken | undefined {
    const { data } = this.#memory;
    const end = address + bytes;
    for (let at = address; at < end; ) {
      const baseOffset = readInt64(data, at);
      if (offset < baseOffset) return undefined;
      const size = data.getInt32(at + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
      if (offset <= baseOffset + data.getInt32(at + LAST_DELTA_POSITION)) {
        const record = decodeRecord(
          this.#memory,
          at,
          size,
          baseOffset,
          offset,
          (this.#columns as Slab).address,
          marks,
        );
        if (record === null) return undefined;
        return record ?? { position: extent.start + (at - address), offset: baseOffset };
      }
      at += size;
    }
    return undefined;
  }
}

/** Whether a batch is the one that comes next in an extent; its first is the one that the index names. */
function isExpected(
  segment: Segment,
  index: SegmentIndex,
  extent: Extent,
  row: BatchRow,
  expected: number | undefined,
): boolean {
  if (expected === undefined && extent.entry >= 0) {
    return row.lastOffset - segment.baseOffset === index.lastOffset(extent.entry);
  }
  return row.baseOffset === expected;
}
