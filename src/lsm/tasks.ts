/**
 * The work on tables that may run on another thread. Whoever opens the trees of a database says where it runs.
 *
 * @module
 */

import type { MergeTablesArgs } from './compaction/merge-tables.ts';
import type { OutputResult } from './compaction/output.ts';
import type { WriteRunArgs } from './compaction/write-run.ts';
import type { SortCellsArgs } from './sort-cells.ts';

export interface TableWork {
  /** See `sortCells`. */
  sortCells(args: SortCellsArgs): Promise<number>;
  /** See `writeRun`. */
  writeRun(args: WriteRunArgs): Promise<OutputResult>;
  /** See `mergeTables`. */
  mergeTables(args: MergeTablesArgs): Promise<OutputResult>;
  /**
   * Keeps so much working memory for a task, until what is returned is called: a full memtable could not be written to
   * a table where it and others have all there is.
   */
  reserve?(bytes: number): () => void;
}
