/**
 * What worker threads can do: a closed list of functions over the shared memory. They take plain values
 * (addresses among them), return plain values, and do the same on any thread. Those that read and write files are
 * handed the disk, and are asynchronous.
 *
 * The code of a task is loaded when the first of its kind comes: who searches a log file waits for no code of trees,
 * neither here nor in a worker that starts.
 *
 * @module
 */

import { isMainThread } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import type { MappedSegment, MapSegmentArgs } from '../log/compaction/map-segment.ts';
import type { RewriteArgs, Rewritten } from '../log/compaction/rewrite-segments.ts';
import type { DigestFileArgs } from '../log/digest.ts';
import type { MergeTablesArgs } from '../lsm/compaction/merge-tables.ts';
import type { OutputResult } from '../lsm/compaction/output.ts';
import type { WriteRunArgs } from '../lsm/compaction/write-run.ts';
import type { SortCellsArgs } from '../lsm/sort-cells.ts';
import type { MemoryView } from '../memory/memory.ts';
import type { WindowArgs, WindowResult } from '../parse/window.ts';
import type { CompressBatchesArgs } from '../record/compression.ts';
import type { BlockTimes, BlockTimesSpec } from '../scan/block-times.ts';
import type { GrepResult, GrepSpec } from '../scan/grep.ts';
import type { ScanArgs, ScanKind } from '../scan/scanner.ts';
import type { StatsResult, StatsSpec } from '../scan/stats.ts';
import type { Vfs } from '../vfs/vfs.ts';

/** What a task is given besides its arguments. */
export interface TaskContext {
  /** The memory as this thread sees it. */
  memory: MemoryView;
  /** Address of the task's working memory, aligned to 64 bytes; nobody else's until it is done. */
  work: number;
  vfs: Vfs;
  clock: Clock;
}

/** What each task takes and returns. */
interface TaskTypes {
  /** Text into record batches; see `encodeWindow`. */
  encodeWindow: { args: WindowArgs; result: WindowResult };
  /** Lines of a file that have what is searched for; see `GREP`. */
  grep: { args: ScanArgs<GrepSpec>; result: GrepResult };
  /** From when to when the entries of a part of a file are; see `BLOCK_TIMES`. */
  blockTimes: { args: ScanArgs<BlockTimesSpec>; result: BlockTimes };
  /** What is in a part of a file; see `STATS`. */
  stats: { args: ScanArgs<StatsSpec>; result: StatsResult };
  /** Cells of a memtable into a run; see `sortCells`. */
  sortCells: { args: SortCellsArgs; result: number };
  /** A memtable into a table; see `writeRun`. */
  writeRun: { args: WriteRunArgs; result: OutputResult };
  /** Batches into smaller ones, where they lie; see `compressBatches`. */
  compressBatches: { args: CompressBatchesArgs; result: number[] };
  /** The digest of a file; see `digestFile`. */
  digestFile: { args: DigestFileArgs; result: Uint8Array | undefined };
  /** Tables into tables; see `mergeTables`. */
  mergeTables: { args: MergeTablesArgs; result: OutputResult };
  /** Keys of a segment into a map; see `mapSegment`. */
  mapSegment: { args: MapSegmentArgs; result: MappedSegment };
  /** Segments into one; see `rewriteSegments`. */
  rewriteSegments: { args: RewriteArgs; result: Rewritten };
}

export type TaskName = keyof TaskTypes;
export type TaskArgs<N extends TaskName> = TaskTypes[N]['args'];
export type TaskResult<N extends TaskName> = TaskTypes[N]['result'];

/** A task whose code was loaded. */
export interface Task<N extends TaskName> {
  /** How much working memory it needs. */
  workBytes: number | ((args: TaskArgs<N>) => number);
  run(context: TaskContext, args: TaskArgs<N>): TaskResult<N> | Promise<TaskResult<N>>;
}

type Loaders = { [N in TaskName]: () => Promise<Task<N>> };

const LOADERS: Loaders = {
  encodeWindow: async () => {
    const { encodeWindow, WINDOW_WORK_BYTES } = await import('../parse/window.ts');
    return {
      workBytes: WINDOW_WORK_BYTES,
      run: ({ memory, work }, args) => encodeWindow(memory, work, args),
    };
  },
  grep: async () => scanTask((await import('../scan/grep.ts')).GREP),
  blockTimes: async () => scanTask((await import('../scan/block-times.ts')).BLOCK_TIMES),
  stats: async () => scanTask((await import('../scan/stats.ts')).STATS),
  sortCells: async () => {
    const { sortCells, sortCellsBytes } = await import('../lsm/sort-cells.ts');
    return { workBytes: sortCellsBytes, run: ({ memory, work }, args) => sortCells(memory, work, args) };
  },
  compressBatches: async () => {
    const { compressBatches } = await import('../record/compression.ts');
    return { workBytes: 0, run: ({ memory }, args) => compressBatches(memory, args) };
  },
  digestFile: async () => {
    const { DIGEST_WORK_BYTES, digestFile } = await import('../log/digest.ts');
    return { workBytes: DIGEST_WORK_BYTES, run: digestFile };
  },
  writeRun: async () => {
    const { writeRun, writeRunBytes } = await import('../lsm/compaction/write-run.ts');
    return { workBytes: writeRunBytes, run: writeRun };
  },
  mergeTables: async () => {
    const { mergeTables, mergeTablesBytes } = await import('../lsm/compaction/merge-tables.ts');
    return { workBytes: mergeTablesBytes, run: mergeTables };
  },
  mapSegment: async () => {
    const { mapSegment } = await import('../log/compaction/map-segment.ts');
    return { workBytes: 0, run: (context, args) => mapSegment(blocking(context), args) };
  },
  rewriteSegments: async () => {
    const { rewriteSegments } = await import('../log/compaction/rewrite-segments.ts');
    return { workBytes: 0, run: (context, args) => rewriteSegments(blocking(context), args) };
  },
};

/** A thread of the pool may wait for the disk; that of the program may not. */
function blocking<T extends object>(context: T): T & { isBlocking: boolean } {
  return { ...context, isBlocking: !isMainThread };
}

interface ScanTask<S, R> {
  workBytes: number;
  run(context: TaskContext, args: ScanArgs<S>): R;
}

async function scanTask<S, R>(kind: ScanKind<S, R>): Promise<ScanTask<S, R>> {
  const { runScan, SCAN_BYTES } = await import('../scan/scanner.ts');
  return { workBytes: SCAN_BYTES, run: ({ memory, work }, args) => runScan(memory, work, args, kind) };
}

const loading = new Map<TaskName, Promise<unknown>>();
const loaded = new Map<TaskName, unknown>();

/** The task of a name, where its code was loaded. */
export function loadedTask<N extends TaskName>(name: N): Task<N> | undefined {
  return loaded.get(name) as Task<N> | undefined;
}

/** Loads the code of a task, once. */
export async function loadTask<N extends TaskName>(name: N): Promise<Task<N>> {
  let task = loading.get(name);
  if (task === undefined) {
    task = LOADERS[name]();
    loading.set(name, task);
  }
  const value = (await task) as Task<N>;
  loaded.set(name, value);
  return value;
}

/** How much working memory a task needs. */
export function taskBytes<N extends TaskName>({ workBytes }: Task<N>, args: TaskArgs<N>): number {
  return typeof workBytes === 'number' ? workBytes : workBytes(args);
}
