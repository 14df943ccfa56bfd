/**
 * The task that puts the cells of a frozen memtable in order: for those that nobody has read in order before, so
 * that the calling thread need not.
 *
 * @module
 */

import { RUN_ENTRY_BYTES, SORT_ROW_BYTES, SORT_SCRATCH_BYTES } from '../memory/lsm-layout.ts';
import type { MemoryView } from '../memory/memory.ts';

/** What is sorted, as plain values. */
export interface SortCellsArgs {
  /** The parts of the arena. They must not change until the task is over. */
  chunks: { address: number; end: number }[];
  /** How many cells there are at most. */
  cells: number;
  /** Where the run goes: room for an entry a cell. */
  run: number;
}

/** How much working memory the task takes. */
export function sortCellsBytes({ cells }: SortCellsArgs): number {
  return SORT_SCRATCH_BYTES + 2 * SORT_ROW_BYTES * cells;
}

/**
 * Makes a run of all cells that are puts or deletions of a key.
 *
 * @returns how many they are
 */
export function sortCells(memory: MemoryView, work: number, { chunks, run }: SortCellsArgs): number {
  let count = 0;
  for (const { address, end } of chunks) {
    count += memory.kernels.gatherCells(address, end, run + count * RUN_ENTRY_BYTES);
  }
  if (count > 1) memory.kernels.sortRun(run, count, work);
  return count;
}
