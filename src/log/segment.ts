/**
 * A segment: one `.log` file with its indexes, and what is known about it. Files and indexes of sealed
 * segments are opened and loaded when they are first read. A reader pins the segment it is in, so that it
 * stays readable when it is removed meanwhile.
 *
 * @module
 */

import { assert } from '../assert.ts';
import { VarveError } from '../errors.ts';
import { OFFSET_ENTRY_BYTES, ROW_BYTES, TIME_ENTRY_BYTES } from '../memory/layout.ts';
import type { Memory } from '../memory/memory.ts';
import { readRow } from '../record/batch.ts';
import { joinPath, type Vfs, type VfsFile } from '../vfs/vfs.ts';
import type { SegmentState } from './checkpoint.ts';
import { type SegmentFileKind, segmentFileName } from './names.ts';
import { BatchScan } from './scan.ts';
import { SegmentIndex } from './segment-index.ts';

/** What segments of a log share. */
export interface SegmentContext {
  memory: Memory;
  vfs: Vfs;
  directory: string;
  indexIntervalBytes: number;
}

/** Damaged bytes in a `.log` that reads step over: what `skipAnyCorrupted` met, and what a repair has noted. */
export interface DamagedRange {
  start: number;
  end: number;
  firstOffset: number;
  lastOffset: number;
}

let lastId = 0;

export class Segment {
  /** A number of its own in this process, for caches. */
  readonly id: number = ++lastId;
  readonly context: SegmentContext;
  readonly baseOffset: number;
  readonly createdAtMs: number;
  /** The offset behind its last record. */
  nextOffset: number;
  /** Where its last batch ends. */
  bytes = 0;
  /** Where zeros end that were written ahead of its batches; Infinity where there was no room for them. */
  zeroedBytes = 0;
  maxTimestamp: number = -Infinity;
  maxTimestampOffset = 0;
  isSealed = false;
  damaged: DamagedRange[] = [];
  /** Offsets in it that have no record, since compaction removed it. */
  absentOffsets = 0;
  /** How far it is known to be synced: by this handle, or by what its batches say. */
  syncedPosition = 0;
  /** Entries and checksums that the index files must have, once they are not to change any more. */
  state: SegmentState | undefined;
  /** The file, where it is open. */
  file: VfsFile | undefined;
  /** The indexes, where they are loaded. */
  index: SegmentIndex | undefined;
  #isIndexStale = false;
  #pins = 0;
  #isLeaving = false;
  /** What works on its files, and has to end before they go. */
  #busy: Promise<void> = Promise.resolve();
  #opening: Promise<VfsFile> | undefined;
  #loading: Promise<SegmentIndex> | undefined;
  /** The path of the `.log`, as long as that has not its own name. */
  #swapPath: string | undefined;

  constructor(context: SegmentContext, baseOffset: number, createdAtMs: number) {
    this.context = context;
    this.baseOffset = baseOffset;
    this.nextOffset = baseOffset;
    this.createdAtMs = createdAtMs;
  }

  /** Takes over what a checkpoint says of a segment that is whole. */
  static fromState(context: SegmentContext, state: SegmentState, isSealed: boolean): Segment {
    const segment = new Segment(context, state.baseOffset, state.createdAtMs);
    segment.nextOffset = state.nextOffset;
    segment.bytes = state.bytes;
    segment.syncedPosition = state.bytes;
    segment.maxTimestamp = state.maxTimestamp;
    segment.maxTimestampOffset = state.maxTimestampOffset;
    segment.absentOffsets = state.absentOffsets;
    segment.isSealed = isSealed;
    segment.state = state;
    return segment;
  }

  /** The path of the `.log`. */
  get path(): string {
    return this.#swapPath ?? this.pathOf('log');
  }

  /** Says that the `.log` has another name for now, or its own again. */
  set swapPath(path: string | undefined) {
    this.#swapPath = path;
  }

  /** Whether the `.log` has another name for now. */
  get isSwap(): boolean {
    return this.#swapPath !== undefined;
  }

  /** The path of one of its files. */
  pathOf(kind: SegmentFileKind): string {
    return joinPath(this.context.directory, segmentFileName(this.baseOffset, kind));
  }

  /** Bytes that its indexes take on disk. */
  get indexBytes(): number {
    if (this.index !== undefined) return this.index.bytes;
    if (this.state === undefined) return 0;
    return this.state.offsetEntries * OFFSET_ENTRY_BYTES + this.state.timeEntries * TIME_ENTRY_BYTES;
  }

  /** Whether somebody reads it. */
  get isPinned(): boolean {
    return this.#pins > 0;
  }

  /** Whether it is being removed, or was. */
  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  /** Its files stay until a promise has settled, which never rejects. */
  keepUntil(busy: Promise<void>): void {
    this.#busy = busy;
  }

  /**
   * Notes a batch that was written or recovered; the index has room for it.
   *
   * @param absent offsets of it that have no record
   */
  observe(position: number, size: number, lastOffset: number, maxTimestamp: number, absent = 0): void {
    assert(this.index !== undefined, 'a segment that grows has its index');
    const relativeOffset = lastOffset - this.baseOffset;
    this.index.observe(position, size, relativeOffset, maxTimestamp);
    if (maxTimestamp > this.maxTimestamp) {
      this.maxTimestamp = maxTimestamp;
      this.maxTimestampOffset = relativeOffset;
    }
    this.bytes = position + size;
    this.nextOffset = lastOffset + 1;
    this.absentOffsets += absent;
  }

  /** Opens the file for reading, unless it is open. */
  async open(): Promise<VfsFile> {
    if (this.file !== undefined) return this.file;
    this.#opening ??= this.context.vfs.open(this.path, 'read');
    try {
      this.file = await this.#opening;
      return this.file;
    } finally {
      this.#opening = undefined;
    }
  }

  /** Loads the indexes, unless they are; rebuilds them where the files are missing or not what they were. */
  async loadIndex(): Promise<SegmentIndex> {
    if (this.index !== undefined) return this.index;
    this.#loading ??= this.#readIndex();
    try {
      this.index = await this.#loading;
      return this.index;
    } finally {
      this.#loading = undefined;
    }
  }

  /** Keeps the segment readable until `unpin`. */
  pin(): void {
    this.#pins++;
  }

  /** Lets go of it. Returns a promise only where that takes time. */
  unpin(): Promise<void> | undefined {
    assert(this.#pins > 0, 'a segment is unpinned as often as it was pinned');
    this.#pins--;
    return this.#isLeaving && this.#pins === 0 ? this.release() : undefined;
  }

  /** Removes its files; who has pinned it reads on. Recovery removes what is left of them after a failure. */
  async drop(): Promise<void> {
    this.#isLeaving = true;
    const { vfs } = this.context;
    await this.#busy;
    try {
      if (this.#pins > 0) await this.open();
      // The log goes last: without it, nobody would look for the others.
      for (const kind of ['index', 'timeindex', 'digest'] as const) await vfs.remove(this.pathOf(kind));
      await vfs.remove(this.path);
    } finally {
      if (this.#pins === 0) await this.release();
    }
  }

  /** Another one has taken its place; who has pinned it reads on, from the file that is open. */
  async retire(): Promise<void> {
    this.#isLeaving = true;
    if (this.#pins === 0) await this.release();
  }

  /** Gives back memory and the file; they are taken again when they are needed. */
  async release(): Promise<void> {
    this.releaseIndex();
    const file = this.file;
    this.file = undefined;
    await file?.close();
  }

  /** Like `release`, once nobody reads it any more. */
  releaseWhenUnpinned(): void {
    this.#isLeaving = true;
  }

  releaseIndex(): void {
    this.index?.release();
    this.index = undefined;
  }

  /** What a checkpoint says of it. The indexes must be loaded or have been written. */
  snapshot(): SegmentState {
    const { index } = this;
    if (index === undefined) {
      assert(this.state !== undefined, 'a segment without indexes in memory has them on disk');
      return this.state;
    }
    return {
      baseOffset: this.baseOffset,
      nextOffset: this.nextOffset,
      maxTimestamp: this.maxTimestamp,
      maxTimestampOffset: this.maxTimestampOffset,
      createdAtMs: this.createdAtMs,
      bytes: this.bytes,
      offsetEntries: index.offsetCount,
      timeEntries: index.timeCount,
      offsetCrc: index.offsetCrc(),
      timeCrc: index.timeCrc(),
      absentOffsets: this.absentOffsets,
    };
  }

  /** Whether the index files are missing, or not what they should be, as far as anybody has noticed. */
  get isIndexStale(): boolean {
    return this.#isIndexStale;
  }

  /** Makes the index files again, from the log if need be. */
  async repairIndex(): Promise<void> {
    await this.loadIndex();
    // While it is being written, its memory may not be given to others.
    this.state = undefined;
    await this.writeIndex();
  }

  /** Writes the index files; they are not synced, since they are worth nothing that cannot be made again. */
  async writeIndex(): Promise<void> {
    const index = this.index;
    assert(index !== undefined, 'the indexes are in memory');
    const state = this.snapshot();
    this.#isIndexStale = true;
    try {
      await this.#replace('index', index.offsetBytes());
      await this.#replace('timeindex', index.timeBytes());
      this.#isIndexStale = false;
    } finally {
      // Only now may the memory of the indexes be given to others. Files that are not what the state says
      // are made again, so it holds even where they could not be written.
      this.state = state;
    }
  }

  async #replace(kind: 'index' | 'timeindex', bytes: Buffer): Promise<void> {
    const { vfs } = this.context;
    const path = this.pathOf(kind);
    const isThere = (await vfs.stat(path)) !== undefined;
    const file = await vfs.open(path, isThere ? 'write' : 'create');
    try {
      await file.write(bytes, 0);
      await file.truncate(bytes.length);
    } finally {
      await file.close();
    }
  }

  async #readIndex(): Promise<SegmentIndex> {
    const { state } = this;
    const loaded = state === undefined ? undefined : await this.#loadFiles(state).catch(() => undefined);
    if (loaded !== undefined) return loaded;
    if (this.isSealed) this.#isIndexStale = true;
    return await this.#rebuildIndex();
  }

  async #loadFiles(state: SegmentState): Promise<SegmentIndex | undefined> {
    const { memory, vfs, indexIntervalBytes } = this.context;
    const index = new SegmentIndex(
      memory,
      indexIntervalBytes,
      state.offsetEntries * OFFSET_ENTRY_BYTES,
      state.timeEntries * TIME_ENTRY_BYTES,
    );
    async function fill(path: string, target: Buffer): Promise<void> {
      const file = await vfs.open(path, 'read');
      try {
        await file.read(target, 0);
      } finally {
        await file.close();
      }
    }
    try {
      await index.load(
        state.offsetEntries,
        state.timeEntries,
        async (offsets, times) => {
          await fill(this.pathOf('index'), offsets);
          await fill(this.pathOf('timeindex'), times);
        },
        {
          maxTimestamp: this.maxTimestamp,
          maxTimestampOffset: this.maxTimestampOffset,
          segmentBytes: this.bytes,
        },
      );
      if (index.offsetCrc() === state.offsetCrc && index.timeCrc() === state.timeCrc) return index;
    } catch (error) {
      index.release();
      throw error;
    }
    index.release();
    return undefined;
  }

  /** Makes the indexes from the log. Damage in it that is not known is left for whoever reads there. */
  async #rebuildIndex(): Promise<SegmentIndex> {
    const { memory, indexIntervalBytes } = this.context;
    const index = new SegmentIndex(memory, indexIntervalBytes);
    try {
      const known = this.damaged.filter(({ start, end }) => end > start);
      let run = { position: 0, offset: this.baseOffset };
      for (const { start, end, lastOffset } of known) {
        await this.#indexRun(index, run, start);
        run = { position: end, offset: lastOffset + 1 };
      }
      await this.#indexRun(index, run, this.bytes);
      if (this.isSealed) index.seal();
      return index;
    } catch (error) {
      index.release();
      throw error;
    }
  }

  /** Takes the batches of a part into an index, up to the first that does not belong there. */
  async #indexRun(
    index: SegmentIndex,
    from: { position: number; offset: number },
    limit: number,
  ): Promise<void> {
    const { memory } = this.context;
    const scan = new BatchScan(memory, await this.open(), from.position, limit, true);
    let { offset } = from;
    try {
      for (let count = await scan.next(); count > 0; count = await scan.next()) {
        index.reserve(count);
        for (let i = 0; i < count; i++) {
          const row = readRow(memory, scan.rows + i * ROW_BYTES);
          if (row.baseOffset !== offset) return;
          offset = row.lastOffset + 1;
          index.observe(
            scan.positionOf(row.address),
            row.size,
            row.lastOffset - this.baseOffset,
            row.maxTimestamp,
          );
        }
      }
    } finally {
      await scan.close();
    }
  }
}

/** The error for bytes in a segment that are not what was written. */
export function corruptSegment(segment: Segment, position: number, first: number, last: number): VarveError {
  const range = last >= first ? `offsets ${first} to ${last}` : 'no offset';
  return new VarveError(
    'CORRUPT',
    `${segment.path} is damaged at position ${position}; ${range} cannot be read`,
    { file: segment.path, position, offsets: { first, last } },
  );
}
