/**
 * What worker threads can do: a closed list of functions over the shared memory. They take plain values
 * (addresses among them), return plain values, and do the same on any thread. Those that read and write files are
 * handed the disk, and are asynchronous.
 *
 * @module
 */

import { isMainThread } from 'node:worker_threads';
import type { Clock } from '../clock.ts';
import { type MappedSegment, type MapSegmentArgs, mapSegment } from '../log/compaction/map-segment.ts';
import { type RewriteArgs, type Rewritten, rewriteSegments } from '../log/compaction/rewrite-segments.ts';
import { type MergeTablesArgs, mergeTables, mergeTablesBytes } from '../lsm/compaction/merge-tables.ts';
import type { OutputResult } from '../lsm/compaction/output.ts';
import { type WriteRunArgs, writeRun, writeRunBytes } from '../lsm/compaction/write-run.ts';
import { type SortCellsArgs, sortCells, sortCellsBytes } from '../lsm/sort-cells.ts';
import type { MemoryView } from '../memory/memory.ts';
import { encodeWindow, WINDOW_WORK_BYTES, type WindowArgs, type WindowResult } from '../parse/window.ts';
import { type CompressBatchesArgs, compressBatches } from '../record/compression.ts';
import { BLOCK_TIMES, type BlockTimes, type BlockTimesSpec } from '../scan/block-times.ts';
import { GREP, type GrepResult, type GrepSpec } from '../scan/grep.ts';
import { runScan, SCAN_BYTES, type ScanArgs } from '../scan/scanner.ts';
import { STATS, type StatsResult, type StatsSpec } from '../scan/stats.ts';
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

/** The tasks that wait for something, so that they cannot be run in the middle of something else. */
type AsynchronousTaskName = 'compressBatches' | 'writeRun' | 'mergeTables' | 'mapSegment' | 'rewriteSegments';
export type SynchronousTaskName = Exclude<TaskName, AsynchronousTaskName>;

interface Task<N extends TaskName, R> {
  /** How much working memory it needs. */
  workBytes: number | ((args: TaskArgs<N>) => number);
  run(context: TaskContext, args: TaskArgs<N>): R;
}

type Tasks = {
  [N in SynchronousTaskName]: Task<N, TaskResult<N>>;
} & {
  [N in AsynchronousTaskName]: Task<N, Promise<TaskResult<N>>>;
};

/** A thread of the pool may wait for the disk; that of the program may not. */
function blocking<T extends object>(context: T): T & { isBlocking: boolean } {
  return { ...context, isBlocking: !isMainThread };
}

const TASKS: Tasks = {
  encodeWindow: {
    workBytes: WINDOW_WORK_BYTES,
    run: ({ memory, work }, args) => encodeWindow(memory, work, args),
  },
  grep: {
    workBytes: SCAN_BYTES,
    run: ({ memory, work }, args) => runScan(memory, work, args, GREP),
  },
  blockTimes: {
    workBytes: SCAN_BYTES,
    run: ({ memory, work }, args) => runScan(memory, work, args, BLOCK_TIMES),
  },
  stats: {
    workBytes: SCAN_BYTES,
    run: ({ memory, work }, args) => runScan(memory, work, args, STATS),
  },
  sortCells: {
    workBytes: sortCellsBytes,
    run: ({ memory, work }, args) => sortCells(memory, work, args),
  },
  compressBatches: { workBytes: 0, run: ({ memory }, args) => compressBatches(memory, args) },
  writeRun: { workBytes: writeRunBytes, run: writeRun },
  mergeTables: { workBytes: mergeTablesBytes, run: mergeTables },
  mapSegment: { workBytes: 0, run: (context, args) => mapSegment(blocking(context), args) },
  rewriteSegments: { workBytes: 0, run: (context, args) => rewriteSegments(blocking(context), args) },
};

/** How much working memory a task needs. */
export function taskBytes<N extends TaskName>(name: N, args: TaskArgs<N>): number {
  const { workBytes } = TASKS[name] as Task<N, unknown>;
  return typeof workBytes === 'number' ? workBytes : workBytes(args);
}

/** Runs the task of a name on this thread, and waits for it. */
export async function runTask<N extends TaskName>(
  context: TaskContext,
  name: N,
  args: TaskArgs<N>,
): Promise<TaskResult<N>> {
  const task = TASKS[name] as Task<N, TaskResult<N> | Promise<TaskResult<N>>>;
  return task.run(context, args);
}

/** Runs a task at once, on this thread. */
export function runTaskHere<N extends SynchronousTaskName>(
  context: TaskContext,
  name: N,
  args: TaskArgs<N>,
): TaskResult<N> {
  const task = TASKS[name] as Task<N, TaskResult<N>>;
  return task.run(context, args);
}
