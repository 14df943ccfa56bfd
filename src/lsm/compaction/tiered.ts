/**
 * Size-tiered compaction (RocksDB, "universal"): runs of about the same size are merged, so that data is written
 * anew seldom; there are more runs to be read, and at times there is twice the space taken.
 *
 * It decides only; `compact.ts` carries it out.
 *
 * @module
 */

import type { Choice, Levels } from './choice.ts';
import { findSimilar, mergeRunsChoice, runsOf, type SortedRun } from './runs.ts';

export interface TieredOptions {
  /** With so many runs, merging begins. */
  minRuns: number;
  /** There are no more runs than this for long. */
  maxRuns: number;
  /** A run is merged with newer ones where it is at most so many times as large as they are together. */
  sizeRatio: number;
  /** Everything is merged where all newer runs have so many times the bytes of the oldest. */
  spaceRatio: number;
}

export const DEFAULT_TIERED: TieredOptions = { minRuns: 4, maxRuns: 8, sizeRatio: 1.5, spaceRatio: 2 };

/**
 * Decides what to merge.
 *
 * @returns undefined where there is nothing to do
 */
export function chooseTiered(levels: Levels, options: TieredOptions): Choice | undefined {
  const runs = runsOf(levels);
  const { length } = runs;
  if (length < options.minRuns) return undefined;
  const newer = runs.slice(0, -1).reduce((sum, { bytes }) => sum + bytes, 0);
  const oldest = runs.at(-1) as SortedRun;
  if (newer >= options.spaceRatio * oldest.bytes) return mergeRunsChoice(runs, 0, length - 1);
  const similar = findSimilar(runs, options.sizeRatio);
  if (similar !== undefined) return mergeRunsChoice(runs, similar.from, similar.to);
  // None is like another, so the least are merged: they are the newest.
  return length > options.maxRuns ? mergeRunsChoice(runs, 0, length - options.maxRuns) : undefined;
}
