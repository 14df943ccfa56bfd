/**
 * Finds the batches that belong to a segment behind a place where its chain of batches breaks.
 *
 * That some bytes are a whole batch does not make them one of this log: a value may hold batches of another
 * log, or of this one. Nor is its base offset to be believed, which no checksum covers. So what is found counts
 * only if other bytes agree with it, on both questions.
 *
 *     ... | batch | x: damage ........ p: | batch | batch | batch | z ...
 *         chain                           '------- a run -------'
 *
 * - *It lies in the log itself, and not in a value*: the header at `x` leads to `p`; or the run ends where the
 *   segment does, or at a known loss; or the header at `z` leads to another batch; or an index names one of its
 *   batches; or it is longer than any value; or a batch says of a position behind `x` that it had been synced,
 *   and what is found behind `z` does not contradict. A run inside of a value ends inside of that value, where
 *   nothing of this follows.
 * - *Its offsets are its own*: two batches of it follow one another, or one of the above names the offset.
 *
 * A run that nothing speaks for is passed over as if it were damaged: better a record that is said to be lost
 * than one that is not what it seems. No byte is thrown away for that.
 *
 * @module
 */

import {
  BATCH_BYTES_MAX,
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  ROW_BYTES,
  SLACK_BYTES,
} from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { type BatchRow, readRow } from '../record/batch.ts';
import { EXPANDED_BYTES_MAX, isCompressed } from '../record/compression.ts';
import {
  ATTRIBUTES_POSITION,
  BATCH_LENGTH_POSITION,
  LAST_DELTA_POSITION,
  MAGIC_POSITION,
  readInt64,
} from '../record/format.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import type { Landmarks } from './landmarks.ts';
import { BatchScan } from './scan.ts';

const WINDOW_BYTES = 4 * 1024 * 1024;
const MAGIC = 2;
/** Offsets are counted from the first of their segment, as 32-bit integers. */
const SEGMENT_OFFSETS_MAX = 2 ** 31 - 1;
/** No record has fewer bytes. */
const RECORD_BYTES_MIN = 7;
/** So many records a byte there can be, and in batches that are compressed. */
const DENSITY_MAX: number = 1 / RECORD_BYTES_MIN;
const COMPRESSED_DENSITY_MAX: number = EXPANDED_BYTES_MAX / RECORD_BYTES_MIN / BATCH_HEADER_BYTES;
/** No value is as long as a run of so many bytes. */
const RUN_BYTES_MAX = 16 * 1024 * 1024;

export interface Search {
  memory: Memory;
  file: VfsFile;
  /** Where the chain breaks. */
  position: number;
  /** The offset that is due there; undefined where that is not known. */
  due: number | undefined;
  /** The least base offset that a batch behind it can have. */
  least: number;
  /** Where the bytes end that are looked at. */
  limit: number;
  landmarks: Landmarks;
  /** Whether to look at everything, for what it says of how far the segment was synced. */
  isThorough: boolean;
}

/** What lies behind a break. */
export interface Behind {
  /** The next batch of the segment. */
  first: { position: number; offset: number } | undefined;
  /** The furthest that a batch behind the break says was synced, where that lies behind the break. */
  syncedPosition: number;
  /** The offset behind the last batch there, as that has it; 0 where it is not to be believed at all. */
  claimedOffset: number;
}

/** Batches end to end. */
interface Run {
  position: number;
  offset: number;
  end: number;
  nextOffset: number;
  count: number;
  isNamed: boolean;
  /** Its first batch is compressed. */
  isCompressed: boolean;
  syncedPosition: number;
}

interface Header {
  baseOffset: number;
  /** Where its batch ends. */
  end: number;
  lastDelta: number;
  isCompressed: boolean;
}

class BehindSearch {
  readonly #search: Search;
  #syncedPosition = 0;
  #claimedOffset = 0;
  #strong: Run | undefined;
  /** One that only its synced positions speak for, as long as nothing contradicts. */
  #weak: Run | undefined;
  /** The offset behind the batch at the break, as its header or an index has it. */
  #next: number | undefined;
  /** The segment is known to have compressed batches: many records may lie in few bytes. */
  #isDense = false;
  /** The batch at the break says that it reaches to the end. */
  #isCovered = false;

  constructor(search: Search) {
    this.#search = search;
  }

  async run(): Promise<Behind> {
    const { position, due, isThorough, landmarks } = this.#search;
    const header = await this.#headerAt(position);
    this.#isDense = header?.isCompressed === true || (await this.#headerAt(0))?.isCompressed === true;
    const named = landmarks.lastOffsetAt(position);
    if (named !== undefined) this.#next = named + 1;
    else if (header !== undefined && due !== undefined) this.#next = due + header.lastDelta + 1;
    const found = await this.#follow(header, this.#next);
    if (found !== undefined && found !== 'end') this.#take(found);
    this.#isCovered = found === 'end' && header?.baseOffset === due;
    if (this.#strong === undefined || isThorough) await this.#searchFrom(this.#strong?.end ?? position + 1);
    return this.#result;
  }

  get #result(): Behind {
    const found = this.#weak ?? this.#strong;
    return {
      first: found === undefined ? undefined : { position: found.position, offset: found.offset },
      syncedPosition: this.#syncedPosition,
      claimedOffset: this.#claimedOffset,
    };
  }

  /** Notes a run that belongs to the segment. */
  #take(run: Run): void {
    this.#witness(run.syncedPosition);
    if (this.#strong !== undefined) return;
    this.#strong = run;
    if (this.#weak !== undefined && this.#weak.nextOffset > run.offset) this.#weak = undefined;
  }

  #witness(syncedPosition: number): void {
    if (syncedPosition > this.#search.position)
      this.#syncedPosition = Math.max(this.#syncedPosition, syncedPosition);
  }

  /** Looks at every byte from a position on. */
  async #searchFrom(from: number): Promise<void> {
    const { memory, file, limit, isThorough } = this.#search;
    const slab = memory.slabs.allocate(WINDOW_BYTES, 'search window');
    const room = slab.bytes - SLACK_BYTES;
    try {
      for (let position = from; position + BATCH_HEADER_BYTES <= limit; ) {
        const window = memory.u8.subarray(slab.address, slab.address + Math.min(room, limit - position));
        const bytes = await file.read(window, position);
        if (bytes < BATCH_HEADER_BYTES) return;
        const hit = this.#hitIn(slab.address, bytes, position);
        if (hit === undefined) {
          if (position + bytes >= limit) return;
          // What the window cut off is whole in the next one, or so large that it was told by its header.
          position += Math.max(1, bytes >> 1);
          continue;
        }
        const run = await this.#walk(hit);
        if (run === undefined) {
          position = hit + 1;
          continue;
        }
        await this.#judge(run);
        if (this.#strong !== undefined && !isThorough) return;
        position = run.end;
      }
    } finally {
      slab.release();
    }
  }

  /** The position of the first batch in a window, or of what may be one that is too large for it. */
  #hitIn(address: number, bytes: number, position: number): number | undefined {
    const { memory, least, limit } = this.#search;
    const found = this.#possibleIn(address, bytes, position);
    const end = found < 0 ? bytes - BATCH_HEADER_BYTES + 1 : found - address;
    const { u8, data } = memory;
    for (let at = 0; at < end; at++) {
      if (u8[address + at + MAGIC_POSITION] !== MAGIC) continue;
      const size = data.getInt32(address + at + BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
      if (size <= bytes >> 1 || size > BATCH_BYTES_MAX || at + size <= bytes) continue;
      if (position + at + size > limit) continue;
      const offset = readInt64(data, address + at);
      const isPossible = offset <= this.#greatestAt(position + at, this.#isCompressedAt(address + at));
      if (offset >= least && isPossible) return position + at;
    }
    return found < 0 ? undefined : position + end;
  }

  /** The address of the first whole batch in a window whose offset is possible, or -1. */
  #possibleIn(address: number, bytes: number, position: number): number {
    const { memory, least } = this.#search;
    const end = address + bytes;
    const greatest = this.#greatestAt(position + bytes, true);
    for (let from = address; from < end; ) {
      const found = memory.kernels.findBatch(from, end - from, least, greatest);
      if (found < 0) return -1;
      const offset = readInt64(memory.data, found);
      if (offset <= this.#greatestAt(position + found - address, this.#isCompressedAt(found))) return found;
      from = found + 1;
    }
    return -1;
  }

  #isCompressedAt(address: number): boolean {
    return isCompressed(this.#search.memory.data.getInt16(address + ATTRIBUTES_POSITION));
  }

  /** The greatest base offset that a batch at a position can have: so many records fit in between. */
  #greatestAt(position: number, isBatchCompressed: boolean): number {
    const { due, position: start, landmarks } = this.#search;
    if (due === undefined) return Number.MAX_SAFE_INTEGER;
    if (landmarks.isSparse) return due + SEGMENT_OFFSETS_MAX;
    const density = isBatchCompressed || this.#isDense ? COMPRESSED_DENSITY_MAX : DENSITY_MAX;
    return due + Math.floor((position - start) * density);
  }

  /** Decides about a run that was come upon by chance. */
  async #judge(run: Run): Promise<void> {
    const { least } = this.#search;
    const isPossible = run.offset >= least && run.offset <= this.#greatestAt(run.position, run.isCompressed);
    if (!isPossible || (this.#strong !== undefined && run.offset < this.#strong.nextOffset)) return;
    this.#witness(run.syncedPosition);
    const { isPlaced, hasOffset } = await this.#evidence(run);
    if (isPlaced) this.#claimedOffset = Math.max(this.#claimedOffset, run.nextOffset);
    if (!hasOffset) return;
    if (isPlaced) this.#take(run);
    else if (!this.#isCovered && this.#strong === undefined && run.syncedPosition > this.#search.position)
      this.#weak ??= run;
  }

  /** What speaks for a run: that it lies where batches of the segment lie, and that its offsets are its own. */
  async #evidence(run: Run): Promise<{ isPlaced: boolean; hasOffset: boolean }> {
    const { limit, landmarks } = this.#search;
    const { end, nextOffset, count, isNamed, offset } = run;
    const hasOffset = count > 1 || isNamed || offset === this.#next;
    const gap = landmarks.gaps.find(({ start }) => start === end);
    const known = end === limit ? landmarks.endOffset : gap?.firstOffset;
    if (known !== undefined) return { isPlaced: known === nextOffset, hasOffset: known === nextOffset };
    if (end === limit || isNamed || end - run.position >= RUN_BYTES_MAX) return { isPlaced: true, hasOffset };
    const header = await this.#headerAt(end);
    const isGoingOn = header?.baseOffset === nextOffset;
    const leads = isGoingOn && (await this.#follow(header, nextOffset + header.lastDelta + 1)) !== undefined;
    return { isPlaced: leads, hasOffset: hasOffset || leads };
  }

  /**
   * Follows headers of batches that are damaged, each of which leads to the next, to a whole one.
   *
   * @param next the offset behind the first of them
   * @returns the run that begins there, or `end` where they lead to the end of what is looked at
   */
  async #follow(first: Header | undefined, next: number | undefined): Promise<Run | 'end' | undefined> {
    let due = next;
    for (let header = first; header !== undefined && due !== undefined; ) {
      if (header.end === this.#search.limit) return 'end';
      const run = await this.#walk(header.end);
      if (run?.offset === due) return run;
      header = await this.#headerAt(header.end);
      if (header?.baseOffset !== due) return undefined;
      due += header.lastDelta + 1;
    }
    return undefined;
  }

  /** What may be the header of a batch. */
  async #headerAt(position: number): Promise<Header | undefined> {
    const { file, limit } = this.#search;
    if (position + BATCH_HEADER_BYTES > limit) return undefined;
    const bytes = new Uint8Array(BATCH_HEADER_BYTES);
    if ((await file.read(bytes, position)) < BATCH_HEADER_BYTES) return undefined;
    const data = new DataView(bytes.buffer);
    const size = data.getInt32(BATCH_LENGTH_POSITION) + BATCH_PREFIX_BYTES;
    const lastDelta = data.getInt32(LAST_DELTA_POSITION);
    const isOne = bytes[MAGIC_POSITION] === MAGIC && size >= BATCH_HEADER_BYTES && lastDelta >= 0;
    if (!isOne || position + size > limit) return undefined;
    const isBatchCompressed = isCompressed(data.getInt16(ATTRIBUTES_POSITION));
    return {
      baseOffset: readInt64(data, 0),
      end: position + size,
      lastDelta,
      isCompressed: isBatchCompressed,
    };
  }

  /** Walks as far as one batch follows the other. */
  async #walk(position: number): Promise<Run | undefined> {
    const { memory, file, limit, landmarks } = this.#search;
    const scan = new BatchScan(memory, file, position, limit);
    let run: Run | undefined;
    try {
      for (let count = await scan.next(); count > 0; count = await scan.next()) {
        for (let i = 0; i < count; i++) {
          const row = readRow(memory, scan.rows + i * ROW_BYTES);
          const at = scan.positionOf(row.address);
          if (run !== undefined && row.baseOffset !== run.nextOffset) return run;
          run = extended(run, row, at, landmarks);
          if (run === undefined || run.end - position >= RUN_BYTES_MAX) return run;
          if (landmarks.gaps.some(({ start }) => start === run?.end)) return run;
        }
      }
    } finally {
      await scan.close();
    }
    return run;
  }
}

/** A run with one more batch; undefined where an index says that it is another one. */
function extended(run: Run | undefined, row: BatchRow, at: number, landmarks: Landmarks): Run | undefined {
  const named = landmarks.lastOffsetAt(at);
  if (named !== undefined && named !== row.lastOffset) return run;
  const before = run ?? {
    position: at,
    offset: row.baseOffset,
    count: 0,
    isNamed: false,
    isCompressed: isCompressed(row.attributes),
    syncedPosition: 0,
  };
  return {
    ...before,
    end: at + row.size,
    nextOffset: row.lastOffset + 1,
    count: before.count + 1,
    isNamed: before.isNamed || named !== undefined,
    // A batch cannot know of bytes behind itself.
    syncedPosition: Math.max(before.syncedPosition, row.leaderEpoch <= at ? row.leaderEpoch : 0),
  };
}

/**
 * Looks for the batches behind a break.
 *
 * @throws VarveError `IO`, `NO_MEMORY`
 */
export async function findBehind(search: Search): Promise<Behind> {
  return await new BehindSearch(search).run();
}
