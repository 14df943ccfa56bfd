/**
 * Whether the index files of a segment are what was written, and what the log yields. How far apart the
 * entries of the offset index are is not asked, since that is an option of whoever wrote them; but given
 * those, the time index is determined to the byte: it is made once more and compared.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { readInt64 } from '../record/format.ts';
import type { SegmentState } from './checkpoint.ts';
import type { Segment } from './segment.ts';
import { lastOffsetAt } from './segment-index.ts';

/** What is wrong with an index file. */
export interface IndexProblem {
  file: string;
  position: number;
  message: string;
}

function viewOf(bytes: Buffer | undefined): DataView | undefined {
  return bytes === undefined ? undefined : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function crcOf(memory: Memory, bytes: Buffer): number {
  const slab = memory.slabs.allocate(bytes.length, 'verify');
  memory.u8.set(bytes, slab.address);
  const crc = memory.kernels.crc32c(slab.address, bytes.length, 0) >>> 0;
  slab.release();
  return crc;
}

export class IndexCheck {
  readonly #segment: Segment;
  readonly #problems: IndexProblem[] = [];
  #offsets: DataView | undefined;
  #times: DataView | undefined;
  /** The entries that were met so far, in bytes. */
  #offsetsMet = 0;
  #timesMet = 0;
  #maxTimestamp = -Infinity;
  #maxTimestampOffset = 0;
  #lastTimestamp = -Infinity;
  /** The time index made once more: where its next entry would be, and the first that is another one. */
  #timesMade = 0;
  #madeTimestamp = -Infinity;
  #otherTime: number | undefined;

  private constructor(segment: Segment) {
    this.#segment = segment;
  }

  /** Reads the index files of a segment. Of one that has none nothing is asked. */
  static async open(segment: Segment): Promise<IndexCheck> {
    const check = new IndexCheck(segment);
    const { state } = segment;
    if (state === undefined) return check;
    check.#offsets = viewOf(await check.#read('index', state));
    check.#times = viewOf(await check.#read('timeindex', state));
    return check;
  }

  /**
   * Takes in the next batch.
   *
   * @param position where it begins
   * @param lastOffset relative to the base offset of the segment
   */
  observe(position: number, lastOffset: number, maxTimestamp: number): void {
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp;
      this.#maxTimestampOffset = lastOffset;
    }
    const offsets = this.#offsets;
    if (offsets !== undefined && this.#offsetsMet < offsets.byteLength) {
      const at = this.#offsetsMet;
      const isMet = offsets.getInt32(at) === lastOffset && offsets.getInt32(at + 4) === position;
      if (isMet) {
        this.#offsetsMet += OFFSET_ENTRY_BYTES;
        this.#makeTime();
      }
    }
    const times = this.#times;
    if (times === undefined || this.#timesMet >= times.byteLength) return;
    const timestamp = readInt64(times, this.#timesMet);
    const isMet = timestamp === this.#maxTimestamp && times.getInt32(this.#timesMet + 8) === lastOffset;
    if (!isMet || timestamp <= this.#lastTimestamp) return;
    this.#lastTimestamp = timestamp;
    this.#timesMet += TIME_ENTRY_BYTES;
  }

  /** The relative offset of the last record in the batch that begins at a position, where an entry names it. */
  lastOffsetAt(position: number): number | undefined {
    const offsets = this.#offsets;
    if (offsets === undefined) return undefined;
    return lastOffsetAt(offsets, 0, offsets.byteLength / OFFSET_ENTRY_BYTES, position);
  }

  /**
   * What is wrong, once all batches were observed.
   *
   * @param isDamaged whether some could not be: entries that were not met then say nothing about the file
   */
  problems(isDamaged: boolean): IndexProblem[] {
    if (!isDamaged) {
      const offsetBytes = this.#offsets?.byteLength ?? 0;
      if (this.#offsetsMet < offsetBytes) this.#report('index', this.#offsetsMet);
      const position = this.#otherTimePosition();
      if (position !== undefined) this.#report('timeindex', position);
    }
    return this.#problems;
  }

  /** The next entry of the time index, if there is one here: as when it was written. */
  #makeTime(): void {
    const times = this.#times;
    if (times === undefined || this.#maxTimestamp <= this.#madeTimestamp) return;
    const at = this.#timesMade;
    this.#timesMade += TIME_ENTRY_BYTES;
    this.#madeTimestamp = this.#maxTimestamp;
    const isSame =
      at < times.byteLength &&
      readInt64(times, at) === this.#maxTimestamp &&
      times.getInt32(at + 8) === this.#maxTimestampOffset;
    if (!isSame) this.#otherTime ??= at;
  }

  /** Where the time index is not what it should be. */
  #otherTimePosition(): number | undefined {
    const [offsets, times] = [this.#offsets, this.#times];
    if (times === undefined) return undefined;
    // Where the entries of the one are not known, it is only asked whether those of the other are true.
    if (offsets === undefined || this.#offsetsMet < offsets.byteLength)
      return this.#timesMet < times.byteLength ? this.#timesMet : undefined;
    if (this.#segment.isSealed) this.#makeTime();
    return this.#otherTime ?? (this.#timesMade < times.byteLength ? this.#timesMade : undefined);
  }

  #report(kind: 'index' | 'timeindex', position: number): void {
    const file = this.#segment.pathOf(kind);
    const message = `${file} is not what the log yields at position ${position}; it will be made again`;
    this.#problems.push({ file, position, message });
  }

  /** The bytes of an index file, where it is what was written. */
  async #read(kind: 'index' | 'timeindex', state: SegmentState): Promise<Buffer | undefined> {
    const { memory, vfs } = this.#segment.context;
    const path = this.#segment.pathOf(kind);
    const entries =
      kind === 'index' ? state.offsetEntries * OFFSET_ENTRY_BYTES : state.timeEntries * TIME_ENTRY_BYTES;
    const crc = kind === 'index' ? state.offsetCrc : state.timeCrc;
    const report = (message: string): undefined => {
      this.#problems.push({ file: path, position: 0, message });
    };
    try {
      const file = await vfs.open(path, 'read');
      try {
        const stored = Buffer.alloc(await file.size());
        await file.read(stored, 0);
        if (stored.length === entries && crcOf(memory, stored) === crc) return stored;
      } finally {
        await file.close();
      }
      return report(`${path} is not what was written; it will be made again`);
    } catch (error) {
      if (!isVarveError(error)) throw error;
      return report(`${path} cannot be read (${error.code}); it will be made again`);
    }
  }
}
