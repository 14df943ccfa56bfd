/**
 * Reads one record by its offset: looks up the extent that holds it, takes that from the cache or reads
 * and checks it, and has a kernel find the record in its batch. With index and file at hand it does not
 * leave the thread: for a few pages, a trip to another thread costs more than reading them.
 *
 * @module
 */

import { BATCH_PREFIX_BYTES, ROW_BYTES, SCAN_STATUS_ADDRESS, SCAN_STATUS_BYTES, SLACK_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { checkReadable, columnsBytes, decodeRecord, readRow } from '../record/batch.ts';
import { ATTRIBUTES_POSITION, BATCH_LENGTH_POSITION, LAST_DELTA_POSITION, readInt64 } from '../record/format.ts';
import { LogRecord } from '../record/record.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { describeDamage } from './damage.ts';
import type { ExtentCache } from './extent-cache.ts';
import type { LogMetrics } from './metrics.ts';
import type { Segment } from './segment.ts';
import type { Extent, SegmentIndex } from './segment-index.ts';

const ROWS_MAX = 64;
const ROWS_BYTES = ROWS_MAX * ROW_BYTES + SCAN_STATUS_BYTES + 4;

/** A place in a segment where no batch is, though one should be. */
interface Broken {
  position: number;
  offset: number;
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
   * Reads a record of a segment.
   *
   * @param limit where the bytes of the segment end that may be seen
   * @returns the record, or null where the segment has none with that offset
   * @throws VarveError `CORRUPT`, `UNSUPPORTED`, `IO`
   */
  async read(segment: Segment, offset: number, limit: number): Promise<LogRecord | null> {
    const file = segment.file ?? (await segment.open());
    const index = segment.index ?? (await segment.loadIndex());
    const relativeOffset = offset - segment.baseOffset;
    // Where an extent has many batches, the record is rarely in the one that the entry names.
    const isBefore = index.hasSmallBatches;
    let found = this.#readExtent(segment, file, index, index.extentOf(relativeOffset, isBefore), offset, limit);
    found ??= this.#readExtent(segment, file, index, index.extentOf(relativeOffset, !isBefore), offset, limit);
    if (found === undefined || found instanceof LogRecord) return found ?? null;
    this.#metrics.corruptions++;
    throw await describeDamage(segment, found.position, found.offset, limit);
  }

  /** Gives the memory back. */
  release(): void {
    this.#columns?.release();
    this.#columns = undefined;
  }

  /** @returns undefined where the record is not in the extent */
  #readExtent(
    segment: Segment,
    file: VfsFile,
    index: SegmentIndex,
    extent: Extent,
    offset: number,
    limit: number,
  ): LogRecord | Broken | undefined {
    const key = this.#cache.keyOf(segment.id, extent.entry);
    const cached = this.#cache.find(key);
    if (cached !== undefined) {
      this.#metrics.cacheHits++;
      return this.#find(extent, cached.address, cached.bytes, offset);
    }
    this.#metrics.cacheMisses++;
    const end = Math.min(extent.end ?? limit, limit);
    const bytes = end - extent.start;
    if (bytes <= 0) return undefined;
    const { slabs, u8 } = this.#memory;
    const slab = slabs.allocate(ROWS_BYTES + bytes + SLACK_BYTES, 'point read');
    try {
      const address = slab.address + ROWS_BYTES;
      const read = file.readSync(u8.subarray(address, address + bytes), extent.start);
      const broken = this.#check(segment, index, extent, address, read, bytes, slab.address, offset);
      if (broken !== undefined) return broken;
      if (extent.end === end) this.#cache.add(key, address, bytes);
      return this.#find(extent, address, bytes, offset);
    } finally {
      slab.release();
    }
  }

  /** Checks every batch of an extent that was read from disk. */
  #check(
    segment: Segment,
    index: SegmentIndex,
    extent: Extent,
    address: number,
    read: number,
    bytes: number,
    rows: number,
    offset: number,
  ): Broken | undefined {
    const { kernels, i32 } = this.#memory;
    const status = rows + ROWS_MAX * ROW_BYTES;
    let expected = extent.entry < 0 ? segment.baseOffset : undefined;
    let at = address;
    while (at < address + bytes) {
      const count = kernels.scanBatches(at, address + read - at, rows, ROWS_MAX, status);
      for (let i = 0; i < count; i++) {
        const row = readRow(this.#memory, rows + i * ROW_BYTES);
        const entryOffset = extent.entry >= 0 && row.address === address ? index.lastOffset(extent.entry) : undefined;
        const isWrongEntry = entryOffset !== undefined && row.lastOffset - segment.baseOffset !== entryOffset;
        if (isWrongEntry || (expected !== undefined && row.baseOffset !== expected)) {
          const position = extent.start + (row.address - address);
          if (segment.damaged.some(({ end }) => end === position)) continue;
          return { position, offset: expected ?? offset };
        }
        expected = row.lastOffset + 1;
      }
      at = i32[(status + SCAN_STATUS_ADDRESS) >> 2] as number;
      if (count === 0) return { position: extent.start + (at - address), offset: expected ?? offset };
    }
    return undefined;
  }

  /** Finds a record among checked batches. */
  #find(extent: Extent, address: number, bytes: number, offset: number): LogRecord | Broken | undefined {
    const { data, slabs } = this.#memory;
    const end = address + bytes;
    for (let at = address; at < end; ) {
      const baseOffset = readInt64(data, at);
      if (offset < baseOffset) return undefined;
      const size = data.getInt32(at + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
      if (offset <= baseOffset + data.getInt32(at + LAST_DELTA_POSITION)) {
        checkReadable(data.getInt16(at + ATTRIBUTES_POSITION));
        this.#columns ??= slabs.allocate(columnsBytes(1), 'point read');
        const record = decodeRecord(this.#memory, at, size, baseOffset, offset, this.#columns.address);
        if (record === null) return undefined;
        return record ?? { position: extent.start + (at - address), offset: baseOffset };
      }
      at += size;
    }
    return undefined;
  }
}
