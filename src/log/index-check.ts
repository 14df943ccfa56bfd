/**
 * Whether the index files of a sealed segment are what was written, and say the truth: each entry is
 * followed along the batches that it is about. How far apart the entries are is not asked, since that is
 * an option of whoever wrote them.
 *
 * @module
 */

import { isVarveError } from '../errors.ts';
import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { readInt64 } from '../record/format.ts';
import type { SegmentState } from './checkpoint.ts';
import type { Segment } from './segment.ts';

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
  #lastTimestamp = -Infinity;

  private constructor(segment: Segment) {
    this.#segment = segment;
  }

  /** Reads the index files of a segment. Of one that has none, or has known damage, nothing is asked. */
  static async open(segment: Segment): Promise<IndexCheck> {
    const check = new IndexCheck(segment);
    const { state } = segment;
    if (!segment.isSealed || state === undefined || segment.damaged.length > 0) return check;
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
    this.#maxTimestamp = Math.max(this.#maxTimestamp, maxTimestamp);
    const offsets = this.#offsets;
    if (offsets !== undefined && this.#offsetsMet < offsets.byteLength) {
      const at = this.#offsetsMet;
      const isMet = offsets.getInt32(at) === lastOffset && offsets.getInt32(at + 4) === position;
      if (isMet) this.#offsetsMet += OFFSET_ENTRY_BYTES;
    }
    const times = this.#times;
    if (times === undefined || this.#timesMet >= times.byteLength) return;
    const timestamp = readInt64(times, this.#timesMet);
    const isMet = timestamp === this.#maxTimestamp && times.getInt32(this.#timesMet + 8) === lastOffset;
    if (!isMet || timestamp <= this.#lastTimestamp) return;
    this.#lastTimestamp = timestamp;
    this.#timesMet += TIME_ENTRY_BYTES;
  }

  /**
   * What is wrong, once all batches were observed.
   *
   * @param isDamaged whether some could not be: entries that were not met then say nothing about the file
   */
  problems(isDamaged: boolean): IndexProblem[] {
    if (!isDamaged) {
      this.#checkMet('index', this.#offsets, this.#offsetsMet);
      this.#checkMet('timeindex', this.#times, this.#timesMet);
    }
    return this.#problems;
  }

  #checkMet(kind: 'index' | 'timeindex', view: DataView | undefined, met: number): void {
    if (view === undefined || met === view.byteLength) return;
    const file = this.#segment.pathOf(kind);
    const message = `${file} has an entry at position ${met} that is not true of the log`;
    this.#problems.push({ file, position: met, message });
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
