/**
 * The two sparse indexes of a segment, in the shared memory and byte for byte as they go to disk, which
 * is as Kafka has them. All integers are big-endian; offsets are relative to the segment's base offset.
 *
 *     .index:      | last offset i32 | position i32 |                  8 bytes an entry
 *     .timeindex:  | timestamp i64            | offset i32 |          12 bytes an entry
 *
 * An entry of the first is the last offset of a batch and where in the `.log` it begins. An entry of the
 * second says that no record up to that offset is younger than the timestamp; timestamps strictly grow.
 * One of each is made for the first batch that begins more than `indexIntervalBytes` behind the batch of
 * the last entry. So the batches from one entry's position to the next one's make an extent: what a
 * single read by offset looks at.
 *
 * Indexes are derived data: `observe`d for the same batches, they are the same again.
 *
 * @module
 */

import { SLAB_BYTES_MIN } from '../limits.ts';
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import type { Slab } from '../memory/slabs.ts';
import { readInt64, writeInt64 } from '../record/format.ts';

/** A part of a segment between two index entries. */
export interface Extent {
  /** Index of the entry it starts at, or -1 for the one before the first entry. */
  entry: number;
  /** First byte in the `.log`. */
  start: number;
  /** The byte behind it, or undefined where it reaches to the end of the segment. */
  end: number | undefined;
}

/**
 * Looks up the batch that begins at a position.
 *
 * @param at where in `data` the offset index lies
 * @param count how many entries it has
 * @returns the relative offset of its last record, or undefined where no entry names it
 */
export function lastOffsetAt(
  data: DataView,
  at: number,
  count: number,
  position: number,
): number | undefined {
  let low = 0;
  for (let high = count; low < high; ) {
    const middle = (low + high) >>> 1;
    if (data.getInt32(at + middle * OFFSET_ENTRY_BYTES + 4) < position) low = middle + 1;
    else high = middle;
  }
  const entry = at + low * OFFSET_ENTRY_BYTES;
  return low < count && data.getInt32(entry + 4) === position ? data.getInt32(entry) : undefined;
}

export class SegmentIndex {
  readonly #memory: Memory;
  readonly #intervalBytes: number;
  #offsets: Slab;
  #times: Slab;
  #offsetCount = 0;
  #timeCount = 0;
  #sinceEntryBytes = 0;
  #maxTimestamp = -Infinity;
  #maxTimestampOffset = 0;
  #lastTimestamp = -Infinity;

  /** @throws VarveError `NO_MEMORY` */
  constructor(
    memory: Memory,
    intervalBytes: number,
    offsetBytes: number = SLAB_BYTES_MIN,
    timeBytes: number = SLAB_BYTES_MIN,
  ) {
    this.#memory = memory;
    this.#intervalBytes = intervalBytes;
    this.#offsets = memory.slabs.allocate(Math.max(offsetBytes, SLAB_BYTES_MIN), 'offset index');
    try {
      this.#times = memory.slabs.allocate(Math.max(timeBytes, SLAB_BYTES_MIN), 'time index');
    } catch (error) {
      this.#offsets.release();
      throw error;
    }
  }

  get offsetCount(): number {
    return this.#offsetCount;
  }

  get timeCount(): number {
    return this.#timeCount;
  }

  /** Bytes that the two take on disk. */
  get bytes(): number {
    return this.#offsetCount * OFFSET_ENTRY_BYTES + this.#timeCount * TIME_ENTRY_BYTES;
  }

  /**
   * Makes room for the entries of `batches` more batches and the last of the time index, so that
   * `observe` and `seal` cannot fail.
   *
   * @throws VarveError `NO_MEMORY`
   */
  reserve(batches: number): void {
    const entries = batches + 1;
    this.#offsets = this.#grown(
      this.#offsets,
      this.#offsetCount * OFFSET_ENTRY_BYTES,
      entries * OFFSET_ENTRY_BYTES,
    );
    this.#times = this.#grown(this.#times, this.#timeCount * TIME_ENTRY_BYTES, entries * TIME_ENTRY_BYTES);
  }

  /**
   * Takes in the next batch of the segment, for which room was reserved.
   *
   * @param position where it begins
   * @param size in bytes
   * @param lastOffset relative to the base offset of the segment
   */
  observe(position: number, size: number, lastOffset: number, maxTimestamp: number): void {
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp;
      this.#maxTimestampOffset = lastOffset;
    }
    if (this.#sinceEntryBytes > this.#intervalBytes) {
      const entry = this.#offsets.address + this.#offsetCount * OFFSET_ENTRY_BYTES;
      this.#memory.data.setInt32(entry, lastOffset);
      this.#memory.data.setInt32(entry + 4, position);
      this.#offsetCount++;
      this.#addTime();
      this.#sinceEntryBytes = 0;
    }
    this.#sinceEntryBytes += size;
  }

  /** Ends the time index with the newest timestamp, when the segment is sealed. */
  seal(): void {
    this.#addTime();
  }

  /** The offset index as it goes to disk: a view. */
  offsetBytes(): Buffer {
    return this.#memory.buffer(this.#offsets.address, this.#offsetCount * OFFSET_ENTRY_BYTES);
  }

  /** The time index as it goes to disk: a view. */
  timeBytes(): Buffer {
    return this.#memory.buffer(this.#times.address, this.#timeCount * TIME_ENTRY_BYTES);
  }

  /** The checksum of the offset index (unsigned). */
  offsetCrc(): number {
    const bytes = this.#offsetCount * OFFSET_ENTRY_BYTES;
    return this.#memory.kernels.crc32c(this.#offsets.address, bytes, 0) >>> 0;
  }

  /** The checksum of the time index (unsigned). */
  timeCrc(): number {
    return this.#memory.kernels.crc32c(this.#times.address, this.#timeCount * TIME_ENTRY_BYTES, 0) >>> 0;
  }

  /**
   * Takes over what was read from disk.
   *
   * @param fill reads the two files into the views it is given
   * @param state how `observe` goes on: the segment's newest timestamp, its offset, and the bytes of log
   * since the last entry
   */
  async load(
    offsetCount: number,
    timeCount: number,
    fill: (offsets: Buffer, times: Buffer) => Promise<void>,
    state: { maxTimestamp: number; maxTimestampOffset: number; segmentBytes: number },
  ): Promise<void> {
    this.#offsetCount = offsetCount;
    this.#timeCount = timeCount;
    await fill(this.offsetBytes(), this.timeBytes());
    this.#maxTimestamp = state.maxTimestamp;
    this.#maxTimestampOffset = state.maxTimestampOffset;
    this.#sinceEntryBytes = state.segmentBytes - (offsetCount === 0 ? 0 : this.position(offsetCount - 1));
    if (timeCount > 0) this.#lastTimestamp = this.#timestamp(timeCount - 1);
  }

  /** Where the batch of an entry begins; 0 for entry -1. */
  position(entry: number): number {
    return entry < 0 ? 0 : this.#memory.data.getInt32(this.#offsets.address + entry * OFFSET_ENTRY_BYTES + 4);
  }

  /** The relative offset of the last record in the batch of an entry. */
  lastOffset(entry: number): number {
    return this.#memory.data.getInt32(this.#offsets.address + entry * OFFSET_ENTRY_BYTES);
  }

  /** The relative offset of the last record in the batch that begins at a position, where an entry names it. */
  lastOffsetAt(position: number): number | undefined {
    return lastOffsetAt(this.#memory.data, this.#offsets.address, this.#offsetCount, position);
  }

  /** Whether there are several batches to an entry, as far as the distance of the entries tells. */
  get hasSmallBatches(): boolean {
    return (
      this.#offsetCount > 0 &&
      this.position(this.#offsetCount - 1) < this.#offsetCount * this.#intervalBytes * 2
    );
  }

  /**
   * The extent that holds a record, or its predecessor: an entry names the last offset of its batch only,
   * so the record may lie in the batch of the first entry that reaches it, or behind the one before.
   *
   * @param relativeOffset of the record
   * @param isBefore to get that predecessor
   */
  extentOf(relativeOffset: number, isBefore: boolean): Extent {
    const { kernels } = this.#memory;
    const found = kernels.offsetLowerBound(this.#offsets.address, this.#offsetCount, relativeOffset);
    const entry = found === this.#offsetCount || isBefore ? found - 1 : found;
    const end = entry + 1 < this.#offsetCount ? this.position(entry + 1) : undefined;
    return { entry, start: this.position(entry), end };
  }

  /** The last entry before `relativeOffset`, from whose batch to walk towards it; -1 for the beginning. */
  entryBefore(relativeOffset: number): number {
    const { kernels } = this.#memory;
    return kernels.offsetLowerBound(this.#offsets.address, this.#offsetCount, relativeOffset) - 1;
  }

  /** A relative offset before which every record is older than `timestamp`. */
  offsetBefore(timestamp: number): number {
    const { kernels, data } = this.#memory;
    const entry = kernels.timeLowerBound(this.#times.address, this.#timeCount, timestamp) - 1;
    return entry < 0 ? 0 : data.getInt32(this.#times.address + entry * TIME_ENTRY_BYTES + 8) + 1;
  }

  /** Gives the memory back. */
  release(): void {
    this.#offsets.release();
    this.#times.release();
  }

  #timestamp(entry: number): number {
    return readInt64(this.#memory.data, this.#times.address + entry * TIME_ENTRY_BYTES);
  }

  #addTime(): void {
    if (this.#maxTimestamp <= this.#lastTimestamp) return;
    const entry = this.#times.address + this.#timeCount * TIME_ENTRY_BYTES;
    writeInt64(this.#memory.data, entry, this.#maxTimestamp);
    this.#memory.data.setInt32(entry + 8, this.#maxTimestampOffset);
    this.#lastTimestamp = this.#maxTimestamp;
    this.#timeCount++;
  }

  /** The slab, or a larger one with the same `used` bytes, so that `more` fit. */
  #grown(slab: Slab, used: number, more: number): Slab {
    if (used + more <= slab.bytes) return slab;
    const larger = this.#memory.slabs.allocate(Math.max(slab.bytes * 2, used + more), slab.owner);
    this.#memory.u8.copyWithin(larger.address, slab.address, slab.address + used);
    slab.release();
    return larger;
  }
}
