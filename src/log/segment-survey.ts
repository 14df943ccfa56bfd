/**
 * Reads a segment from its first byte to its last and notes what is there: whole batches, known losses, holes
 * with whole batches behind them, and what lies behind the last whole one. Every record is decoded. Nothing
 * is judged here, and nothing changed: `judge.ts` says what it means.
 *
 * @module
 */

import { isVarveError, type VarveError } from '../errors.ts';
import { ROW_BYTES } from '../memory/layout.ts';
import type { Slab } from '../memory/slabs.ts';
import { type BatchRow, columnsBytes, readRow } from '../record/batch.ts';
import { Expander, isCodecSettled, settleCodec } from '../record/compression.ts';
import type { VfsFile } from '../vfs/vfs.ts';
import { findBehind } from './behind.ts';
import { type Gap, nextGap } from './gaps.ts';
import type { IndexCheck } from './index-check.ts';
import type { Landmarks } from './landmarks.ts';
import { BatchScan } from './scan.ts';
import type { DamagedRange, Segment } from './segment.ts';
import { isZero } from './segment-scan.ts';

/** What is there up to some place in a segment. */
export interface Contents {
  /** Where the last whole batch ends. */
  bytes: number;
  /** The offset behind its last record. */
  nextOffset: number;
  batches: number;
  records: number;
  maxTimestamp: number;
  /** Relative offset of the batch that has it. */
  maxTimestampOffset: number;
}

/** Bytes that are no whole batch, with whole batches behind them. */
export interface Hole extends DamagedRange {
  /** What was there before it. */
  before: Contents;
  /** How far the segment was synced, as batches behind it say. */
  syncedBehind: number;
}

export interface SegmentSurvey extends Contents {
  baseOffset: number;
  path: string;
  /** Length of the file. */
  fileBytes: number;
  /** How much of it was looked at. */
  limit: number;
  /** How far it was synced, as its batches say. */
  syncedPosition: number;
  holes: Hole[];
  /** Known losses that are what was noted. */
  gaps: Gap[];
  /** Whether there are only zeros behind the last whole batch. */
  hasZeroTail: boolean;
  /** What was there where an offset came that a later segment begins with, if more came. */
  atBase: Map<number, Contents>;
  /** Why the rest of it could not be read. */
  unreadable: VarveError | undefined;
}

export interface SegmentSurveyOptions {
  segment: Segment;
  fileBytes: number;
  /** Where the bytes end that belong to the segment. */
  limit: number;
  gaps: readonly Gap[];
  /** Base offsets of the segments behind. */
  later: ReadonlySet<number>;
  index: IndexCheck | undefined;
}

class Walk {
  readonly #options: SegmentSurveyOptions;
  readonly #file: VfsFile;
  readonly #found: SegmentSurvey;
  /** Where the next batch should begin, and with which offset. */
  #position = 0;
  #offset: number;
  #columns: Slab | undefined;
  readonly #expander: Expander;
  /** A batch has fewer records than offsets. */
  #isSparse = false;

  constructor(options: SegmentSurveyOptions, file: VfsFile) {
    const { segment, fileBytes, limit } = options;
    this.#options = options;
    this.#file = file;
    this.#expander = new Expander(segment.context.memory);
    this.#offset = segment.baseOffset;
    this.#found = {
      baseOffset: segment.baseOffset,
      path: segment.path,
      fileBytes,
      limit,
      bytes: 0,
      nextOffset: segment.baseOffset,
      batches: 0,
      records: 0,
      maxTimestamp: -Infinity,
      maxTimestampOffset: 0,
      syncedPosition: 0,
      holes: [],
      gaps: [],
      hasZeroTail: false,
      atBase: new Map(),
      unreadable: undefined,
    };
  }

  async run(): Promise<SegmentSurvey> {
    const { memory } = this.#options.segment.context;
    const { limit, fileBytes } = this.#options;
    const found = this.#found;
    try {
      do await this.#walkRun();
      while (this.#position < limit && (this.#stepOver() || (await this.#search())));
      found.hasZeroTail =
        found.bytes < fileBytes && (await isZero(memory, this.#file, found.bytes, fileBytes));
    } catch (error) {
      // What the disk cannot read is as good as damaged; it is for who looks at the report to know.
      if (!isVarveError(error, 'IO')) throw error;
      found.unreadable = error;
    } finally {
      this.#columns?.release();
      this.#expander.release();
    }
    this.#noteSynced();
    return found;
  }

  /** Takes in batches as long as one follows the other. */
  async #walkRun(): Promise<void> {
    const { memory } = this.#options.segment.context;
    const scan = new BatchScan(memory, this.#file, this.#position, this.#options.limit, true);
    try {
      for (let count = await scan.next(); count > 0; count = await scan.next()) {
        for (let i = 0; i < count; i++) {
          const row = readRow(memory, scan.rows + i * ROW_BYTES);
          if (!isCodecSettled(row.attributes)) await settleCodec(row.attributes);
          if (row.baseOffset !== this.#offset || !this.#isWhole(row)) return;
          this.#take(row);
        }
      }
    } finally {
      await scan.close();
    }
  }

  #take(row: BatchRow): void {
    const found = this.#found;
    const { segment, index, later } = this.#options;
    const at = this.#position;
    if (later.has(this.#offset)) found.atBase.set(this.#offset, contentsOf(found));
    const lastOffset = row.lastOffset - segment.baseOffset;
    index?.observe(at, lastOffset, row.maxTimestamp);
    this.#position = at + row.size;
    this.#offset = row.lastOffset + 1;
    found.bytes = this.#position;
    found.nextOffset = this.#offset;
    found.batches++;
    found.records += row.recordCount;
    this.#isSparse ||= row.recordCount <= row.lastOffset - row.baseOffset;
    if (row.maxTimestamp > found.maxTimestamp) {
      found.maxTimestamp = row.maxTimestamp;
      found.maxTimestampOffset = lastOffset;
    }
    // A batch cannot know of bytes behind itself.
    found.syncedPosition = Math.max(found.syncedPosition, Math.min(row.leaderEpoch, at));
    const hole = found.holes.at(-1);
    if (hole !== undefined) hole.syncedBehind = Math.max(hole.syncedBehind, row.leaderEpoch);
  }

  /** Steps over a known loss that begins here. */
  #stepOver(): boolean {
    const { segment, gaps, limit } = this.#options;
    const gap = nextGap(gaps, segment.baseOffset, this.#position);
    if (gap?.start !== this.#position || gap.firstOffset !== this.#offset || gap.end > limit) return false;
    this.#found.gaps.push(gap);
    this.#position = this.#found.bytes = gap.end;
    this.#offset = this.#found.nextOffset = gap.lastOffset + 1;
    return true;
  }

  /** Goes on at the next whole batch, if there is one. */
  async #search(): Promise<boolean> {
    const { segment, limit } = this.#options;
    const { holes } = this.#found;
    const { memory } = segment.context;
    const from = this.#position;
    const behind = await findBehind({
      memory,
      file: this.#file,
      position: from,
      due: this.#offset,
      least: this.#offset,
      limit,
      landmarks: this.#landmarks,
      isThorough: false,
    });
    if (behind.first === undefined) return false;
    const { position, offset } = behind.first;
    const last = holes.at(-1);
    if (last?.end === from) {
      // What was found there was no batch after all.
      last.end = position;
      last.lastOffset = offset - 1;
    } else {
      const before = contentsOf(this.#found);
      const range = { start: from, end: position, firstOffset: this.#offset, lastOffset: offset - 1 };
      holes.push({ ...range, before, syncedBehind: 0 });
    }
    this.#position = position;
    this.#offset = offset;
    return true;
  }

  get #landmarks(): Landmarks {
    const { segment, limit, gaps, index } = this.#options;
    const { state } = segment;
    return {
      isSparse: segment.absentOffsets > 0 || this.#isSparse,
      endOffset: state !== undefined && state.bytes === limit ? state.nextOffset : undefined,
      gaps: gaps.filter(({ baseOffset, start, end }) => baseOffset === segment.baseOffset && end > start),
      lastOffsetAt(position) {
        const last = index?.lastOffsetAt(position);
        return last === undefined ? undefined : segment.baseOffset + last;
      },
    };
  }

  /** What is synced behind one hole is synced behind all before it. */
  #noteSynced(): void {
    const { holes } = this.#found;
    // Where nothing followed after all, it belongs to the tail.
    if ((holes.at(-1)?.end ?? 0) > this.#found.bytes) holes.pop();
    let synced = 0;
    for (const hole of holes.toReversed()) {
      synced = Math.max(synced, hole.syncedBehind);
      hole.syncedBehind = synced;
    }
  }

  /** A compressed batch as it was; where its codec is not to be had here, it is taken on trust. */
  #expand(row: BatchRow): BatchRow | 'broken' | 'unknown' {
    try {
      return this.#expander.expand(row) ?? 'broken';
    } catch (error) {
      if (isVarveError(error, 'UNSUPPORTED')) return 'unknown';
      throw error;
    }
  }

  /** Whether the records inside a batch are what its header says. */
  #isWhole(stored: BatchRow): boolean {
    const row = this.#expand(stored);
    if (row === 'broken' || row === 'unknown') return row === 'unknown';
    const { address, size, recordCount } = row;
    const { memory } = this.#options.segment.context;
    const bytes = columnsBytes(recordCount);
    if (this.#columns === undefined || this.#columns.bytes < bytes) {
      this.#columns?.release();
      this.#columns = undefined;
      this.#columns = memory.slabs.allocate(bytes, 'verify');
    }
    return memory.kernels.decodeBatch(address, size, this.#columns.address) === recordCount;
  }
}

function contentsOf(found: Contents): Contents {
  const { bytes, nextOffset, batches, records, maxTimestamp, maxTimestampOffset } = found;
  return { bytes, nextOffset, batches, records, maxTimestamp, maxTimestampOffset };
}

/**
 * Surveys a segment.
 *
 * @throws VarveError `NOT_FOUND` where the file is gone; `NO_MEMORY`
 */
export async function surveySegment(options: SegmentSurveyOptions): Promise<SegmentSurvey> {
  return await new Walk(options, await options.segment.open()).run();
}
