/**
 * The task that makes one segment of several: without the records that a key map says are superseded, or with all of
 * them, compressed. Batches that stay as they are, are copied in one piece.
 *
 * @module
 */

import { codecs } from '../../codec/registry.ts';
import { KEY_MAP_BITS } from '../../memory/key-map-layout.ts';
import {
  COLUMN_BYTES,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_VALUE_LENGTH,
  OFFSET_ENTRY_BYTES,
  TIME_ENTRY_BYTES,
} from '../../memory/layout.ts';
import { Memory } from '../../memory/memory.ts';
import type { Slab } from '../../memory/slabs.ts';
import type { BatchRow } from '../../record/batch.ts';
import { isCompressed } from '../../record/compression.ts';
import {
  COMPRESSION_MASK,
  COMPRESSION_NAMES,
  DELETE_HORIZON_BIT,
  PRODUCER_ID_POSITION,
  readInt64,
} from '../../record/format.ts';
import { joinPath, type Vfs, type VfsFile } from '../../vfs/vfs.ts';
import type { SegmentState } from '../checkpoint.ts';
import { CLEANED_SUFFIX, segmentFileName } from '../names.ts';
import type { Region } from './key-map.ts';
import { type BatchKind, type CodecChoice, SegmentOutput } from './segment-output.ts';
import { Source, type SourceFile, type SourceProblem } from './source.ts';
import type { WorkContext } from './work-context.ts';

const PRODUCER_BYTES = 14;

/** A segment that is rewritten. */
export interface RewriteSource extends SourceFile {
  /** The number that the map knows its first record by that was taken in. */
  number: number;
}

export interface RewriteArgs {
  /** Says which records are superseded; undefined where all stay, and those that are compressed stay as they are. */
  map: Region | undefined;
  work: Region;
  sources: RewriteSource[];
  /** Records from the first of these offsets to before the second were taken into the map. */
  mappedFrom: number;
  mappedTo: number;
  /** Whether records before those are left out where the map has their key. */
  isKeyed: boolean;
  nowMs: number;
  /** How long deletions are kept from when they are first rewritten; Infinity where none may be forgotten. */
  deleteRetentionMs: number;
  /** Whether what could be forgotten by now is; not so where older records of the key may be there still. */
  mayForget: boolean;
  directory: string;
  batchBytes: number;
  indexIntervalBytes: number;
  /** What records are compressed with that are not compressed. */
  compression: CodecChoice | undefined;
  createdAtMs: number;
  /** Nothing is written, only counted. */
  dryRun: boolean;
  /** Of a dry run: looks at no more than about so many bytes. */
  sampleBytes: number | undefined;
}

export interface Rewritten {
  /** What a checkpoint is to say of the new segment, whose files have `.cleaned` behind their names. */
  state: SegmentState;
  /** How many bytes were read. */
  readBytes: number;
  records: number;
  /** Records that were left out since a later one has their key, or since they are there twice; */
  superseded: number;
  /** and deletions that were forgotten. */
  forgotten: number;
  /** Deletions whose time until they are forgotten begins now. */
  begun: number;
  /** Index of the source with which something is wrong, and what: then nothing else here means anything. */
  broken: { source: number; problem: SourceProblem } | undefined;
}

class Rewrite {
  readonly #memory: Memory;
  readonly #vfs: Vfs;
  readonly #isBlocking: boolean;
  readonly #args: RewriteArgs;
  readonly #output: SegmentOutput;
  /** Address of the bits that are set for records which have been superseded. */
  readonly #bits: number;
  /** The codec for plain records, as attributes have it. */
  readonly #codec: number;
  #kept: Slab | undefined;
  #readBytes = 0;
  /** The offset behind what was looked at, where that is not all. */
  #sampledTo: number | undefined;
  #number = 0;
  #superseded = 0;
  #forgotten = 0;
  #begun = 0;

  constructor(
    memory: Memory,
    { vfs, isBlocking }: WorkContext,
    args: RewriteArgs,
    file: VfsFile | undefined,
  ) {
    this.#memory = memory;
    this.#vfs = vfs;
    this.#isBlocking = isBlocking;
    this.#args = args;
    const { sources, batchBytes, indexIntervalBytes, compression, map } = args;
    this.#bits = map === undefined ? 0 : (memory.i32[(map.address + KEY_MAP_BITS) >> 2] as number);
    this.#codec = compression === undefined ? 0 : COMPRESSION_NAMES.indexOf(compression.codec);
    const baseOffset = (sources[0] as RewriteSource).baseOffset;
    this.#output = new SegmentOutput(memory, {
      baseOffset,
      batchBytes,
      indexIntervalBytes,
      compression,
      file,
      isBlocking,
    });
  }

  async run(): Promise<Rewritten> {
    const { sources } = this.#args;
    let broken: Rewritten['broken'];
    for (const [i, source] of sources.entries()) {
      const problem = await this.#take(source);
      if (problem === undefined) continue;
      broken = { source: i, problem };
      break;
    }
    const endOffset = this.#sampledTo ?? (sources.at(-1) as RewriteSource).nextOffset;
    if (broken === undefined) await this.#output.finish(endOffset);
    return {
      state: this.#state(),
      readBytes: this.#readBytes,
      records: this.#output.records,
      superseded: this.#superseded,
      forgotten: this.#forgotten,
      begun: this.#begun,
      broken,
    };
  }

  /** Writes the indexes beside the segment. */
  async writeIndexes(): Promise<void> {
    const { index } = this.#output;
    const base = this.#output.index;
    await this.#write('index', base.offsetBytes(), index.offsetCount * OFFSET_ENTRY_BYTES);
    await this.#write('timeindex', base.timeBytes(), index.timeCount * TIME_ENTRY_BYTES);
  }

  /** Waits for what is on its way to the disk. */
  async settle(): Promise<void> {
    await this.#output.settle();
  }

  release(): void {
    this.#kept?.release();
    this.#output.release();
  }

  async #write(kind: 'index' | 'timeindex', bytes: Buffer, length: number): Promise<void> {
    const path = cleanedPath(this.#args, kind);
    await this.#vfs.remove(path);
    const file = await this.#vfs.open(path, 'create');
    try {
      if (length > 0) await file.write(bytes, 0);
    } finally {
      await file.close();
    }
  }

  async #take(source: RewriteSource): Promise<SourceProblem | undefined> {
    const file = await this.#vfs.open(source.path, 'read');
    const scan = new Source(this.#memory, file, source, this.#isBlocking);
    this.#number = source.number;
    try {
      for (let row = await scan.next(); row !== undefined; row = await scan.next()) {
        this.#readBytes += row.size;
        await this.#takeRow(row, scan);
        if (scan.problem !== undefined) break;
        if (this.#isSampled(row)) return undefined;
      }
      return scan.problem;
    } finally {
      await scan.close();
      await file.close();
    }
  }

  async #takeRow(row: BatchRow, scan: Source): Promise<void> {
    if (row.recordCount === 0 || this.#isAllDead(row)) return;
    if (this.#args.map === undefined && isCompressed(row.attributes)) {
      await this.#output.copy(row);
    } else if (scan.decode(row)) {
      await this.#takeBatch(row, scan.columns);
    }
  }

  #isSampled({ lastOffset }: BatchRow): boolean {
    const { sampleBytes } = this.#args;
    if (sampleBytes === undefined || this.#readBytes < sampleBytes) return false;
    this.#sampledTo = lastOffset + 1;
    return true;
  }

  /** Whether all records of a batch are known to be superseded, so that nobody has to look at them. */
  #isAllDead(row: BatchRow): boolean {
    const { map, mappedFrom, mappedTo } = this.#args;
    if (map === undefined) return false;
    if (row.baseOffset < mappedFrom || row.lastOffset >= mappedTo) return false;
    const first = this.#number;
    const end = first + row.recordCount;
    for (let i = first; i < end; i++) if (!this.#isDead(i)) return false;
    this.#number = end;
    this.#superseded += row.recordCount;
    return true;
  }

  #isDead(number: number): boolean {
    return (((this.#memory.u8[this.#bits + (number >> 3)] as number) >> (number & 7)) & 1) === 1;
  }

  async #takeBatch(row: BatchRow, columns: number): Promise<void> {
    const { recordCount } = row;
    const kept = this.#keptRoom(recordCount);
    let left = this.#choose(row, columns, kept);
    this.#superseded += recordCount - left;
    const kind = this.#kindOf(row);
    if (this.#args.isKeyed) left = this.#dateTombstones(columns, recordCount, kept, kind, left);
    if (left > 0) await this.#output.add(columns, recordCount, kept, row, kind);
  }

  /** Forgets deletions whose time has come, and gives others their time. Returns how many records stay. */
  #dateTombstones(columns: number, count: number, kept: number, kind: BatchKind, left: number): number {
    const tombstones = left === 0 ? 0 : this.#countTombstones(columns, count, kept);
    let stay = left;
    if (tombstones > 0) {
      const horizonMs = kind.horizonMs ?? this.#args.nowMs + this.#args.deleteRetentionMs;
      if (kind.horizonMs === undefined) this.#begun += tombstones;
      if (this.#args.mayForget && kind.horizonMs !== undefined && horizonMs <= this.#args.nowMs) {
        this.#dropTombstones(columns, count, kept);
        this.#forgotten += tombstones;
        stay -= tombstones;
        kind.horizonMs = undefined;
      } else {
        // One that is never to be forgotten needs no date.
        kind.horizonMs = Number.isSafeInteger(horizonMs) ? horizonMs : undefined;
      }
    } else {
      kind.horizonMs = undefined;
    }
    return stay;
  }

  /** Says of each record whether it stays, as far as keys go. Returns how many do. */
  #choose(row: BatchRow, columns: number, kept: number): number {
    const { map, mappedFrom, mappedTo, isKeyed } = this.#args;
    const { recordCount, baseOffset, lastOffset } = row;
    const { u8, i32, kernels } = this.#memory;
    if (map === undefined) {
      u8.fill(1, kept, kept + recordCount);
      return recordCount;
    }
    const hasClean = isKeyed && baseOffset < mappedFrom;
    if (hasClean) kernels.findKeys(map.address, columns, recordCount, kept);
    const isMapped = baseOffset >= mappedFrom && lastOffset < mappedTo;
    let left = 0;
    for (let i = 0; i < recordCount; i++) {
      const offset = baseOffset + (i32[(columns + i * COLUMN_BYTES + COLUMN_OFFSET_DELTA) >> 2] as number);
      let isKept = true;
      if (isMapped || (offset >= mappedFrom && offset < mappedTo)) isKept = !this.#isDead(this.#number++);
      else if (hasClean && offset < mappedFrom) isKept = u8[kept + i] === 0;
      u8[kept + i] = isKept ? 1 : 0;
      if (isKept) left++;
    }
    return left;
  }

  #isTombstone(columns: number, i: number): boolean {
    const { i32 } = this.#memory;
    const column = columns + i * COLUMN_BYTES;
    const hasKey = (i32[(column + COLUMN_KEY_LENGTH) >> 2] as number) >= 0;
    return hasKey && (i32[(column + COLUMN_VALUE_LENGTH) >> 2] as number) < 0;
  }

  #countTombstones(columns: number, count: number, kept: number): number {
    const { u8 } = this.#memory;
    let tombstones = 0;
    for (let i = 0; i < count; i++) if (u8[kept + i] === 1 && this.#isTombstone(columns, i)) tombstones++;
    return tombstones;
  }

  #dropTombstones(columns: number, count: number, kept: number): void {
    const { u8 } = this.#memory;
    for (let i = 0; i < count; i++) if (this.#isTombstone(columns, i)) u8[kept + i] = 0;
  }

  #kindOf({ attributes, address, baseTimestamp }: BatchRow): BatchKind {
    const { data } = this.#memory;
    const hasHorizon = (attributes & DELETE_HORIZON_BIT) !== 0;
    const rest = attributes & ~DELETE_HORIZON_BIT & ~COMPRESSION_MASK;
    const isOwned = readInt64(data, address + PRODUCER_ID_POSITION) >= 0;
    return {
      attributes: rest,
      compression: isCompressed(attributes) ? attributes & COMPRESSION_MASK : this.#codec,
      producer: isOwned ? this.#memory.copy(address + PRODUCER_ID_POSITION, PRODUCER_BYTES) : undefined,
      horizonMs: hasHorizon ? baseTimestamp : undefined,
    };
  }

  #keptRoom(count: number): number {
    if (this.#kept === undefined || this.#kept.bytes < count) {
      this.#kept?.release();
      this.#kept = undefined;
      this.#kept = this.#memory.slabs.allocate(count, 'records kept');
    }
    return this.#kept.address;
  }

  #state(): SegmentState {
    const { sources, createdAtMs } = this.#args;
    const { index, bytes, records, maxTimestamp, maxTimestampOffset } = this.#output;
    const baseOffset = (sources[0] as RewriteSource).baseOffset;
    const nextOffset = this.#sampledTo ?? (sources.at(-1) as RewriteSource).nextOffset;
    return {
      baseOffset,
      nextOffset,
      maxTimestamp,
      maxTimestampOffset,
      createdAtMs,
      bytes,
      offsetEntries: index.offsetCount,
      timeEntries: index.timeCount,
      offsetCrc: index.offsetCrc(),
      timeCrc: index.timeCrc(),
      absentOffsets: nextOffset - baseOffset - records,
    };
  }
}

function cleanedPath({ directory, sources }: RewriteArgs, kind: 'log' | 'index' | 'timeindex'): string {
  const { baseOffset } = sources[0] as RewriteSource;
  return joinPath(directory, `${segmentFileName(baseOffset, kind)}${CLEANED_SUFFIX}`);
}

/** Removes what a rewrite has left. */
export async function removeCleaned(vfs: Vfs, args: RewriteArgs): Promise<void> {
  for (const kind of ['index', 'timeindex', 'log'] as const) await vfs.remove(cleanedPath(args, kind));
}

/** Syncs what a rewrite has written; only then may it take the place of anything. */
export async function syncCleaned(vfs: Vfs, args: RewriteArgs): Promise<void> {
  const file = await vfs.open(cleanedPath(args, 'log'), 'write');
  try {
    await file.datasync();
  } finally {
    await file.close();
  }
}

/**
 * Rewrites segments into one, which is to be synced before it counts: `syncCleaned`.
 *
 * @throws VarveError `NO_SPACE`, `IO`, `NO_MEMORY`; what was written is removed then, as far as that can be done
 */
export async function rewriteSegments(context: WorkContext, args: RewriteArgs): Promise<Rewritten> {
  const { vfs } = context;
  const { codec } = args.compression ?? {};
  if (codec !== undefined) await codecs.load(codec);
  const memory = Memory.over(context.memory, args.work.address, args.work.bytes);
  let file: VfsFile | undefined;
  let rewrite: Rewrite | undefined;
  try {
    if (!args.dryRun) {
      await removeCleaned(vfs, args);
      file = await vfs.open(cleanedPath(args, 'log'), 'create');
    }
    rewrite = new Rewrite(memory, context, args, file);
    const rewritten = await rewrite.run();
    if (!args.dryRun && rewritten.broken === undefined) await rewrite.writeIndexes();
    if (!args.dryRun && rewritten.broken !== undefined) {
      await rewrite.settle();
      await removeCleaned(vfs, args);
    }
    return rewritten;
  } catch (error) {
    await rewrite?.settle();
    await file?.close().catch(() => undefined);
    if (!args.dryRun) await removeCleaned(vfs, args).catch(() => undefined);
    throw error;
  } finally {
    rewrite?.release();
    await file?.close();
  }
}
