/**
 * Compaction by time: what was flushed in the same window of time becomes one run, which is never merged with
 * those of other windows; whole runs go when they are too old, or when there are too many bytes. For data that is
 * written once and read by time. (Cassandra's time windows, with an end of life.)
 *
 * It decides only; `compact.ts` carries it out.
 *
 * @module
 */

import type { Choice, Levels } from './choice.ts';
import { dropRunsChoice, findSimilar, mergeRunsChoice, runsOf, type SortedRun } from './runs.ts';

export interface TimeWindowOptions {
  windowMs: number;
  /** What was flushed longer ago goes. */
  maxAgeMs: number;
  /** What there is at most; the oldest goes first. 0 for no limit. */
  maxBytes: number;
  /** With so many runs, those of the window that is not over yet are merged. */
  minRuns: number;
}

/** A run is merged with newer ones of its window where it is at most so many times as large as they are together. */
const SIZE_RATIO = 1.5;

/**
 * Decides what to merge, or to drop.
 *
 * @param nowMs milliseconds since the epoch
 * @param snapshots sequence numbers at which somebody reads; what they see does not go
 * @returns undefined where there is nothing to do
 */
export function chooseTimeWindow(
  levels: Levels,
  options: TimeWindowOptions,
  nowMs: number,
  snapshots: readonly number[],
): Choice | undefined {
  const runs = runsOf(levels);
  const end = firstToDrop(runs, options, nowMs, snapshots);
  if (end < runs.length) return dropRunsChoice(runs, end);
  const windowOf = ({ lastMs }: SortedRun): number => Math.floor(lastMs / options.windowMs);
  const current = Math.floor(nowMs / options.windowMs);
  for (let from = 0, to = 0; from < runs.length; from = to) {
    const window = windowOf(runs[from] as SortedRun);
    while (to < runs.length && windowOf(runs[to] as SortedRun) === window) to++;
    if (to - from < 2) continue;
    if (window < current) return mergeRunsChoice(runs, from, to - 1);
    if (to - from < options.minRuns) continue;
    const similar = findSimilar(runs.slice(from, to), SIZE_RATIO);
    if (similar !== undefined) return mergeRunsChoice(runs, from + similar.from, from + similar.to);
    if (to - from >= 2 * options.minRuns) return mergeRunsChoice(runs, from, to - 1);
  }
  return undefined;
}

/** The number of the first run that is to go, with all older ones; how many there are, where none is. */
function firstToDrop(
  runs: readonly SortedRun[],
  { maxAgeMs, maxBytes }: TimeWindowOptions,
  nowMs: number,
  snapshots: readonly number[],
): number {
  let end = runs.length;
  let bytes = runs.reduce((sum, run) => sum + run.bytes, 0);
  for (let i = runs.length - 1; i >= 0; i--) {
    const run = runs[i] as SortedRun;
    const isTooOld = run.lastMs < nowMs - maxAgeMs;
    const isTooMuch = maxBytes > 0 && bytes > maxBytes && i > 0;
    const least = Math.min(...run.tables.map(({ properties }) => properties.smallestSequence));
    if ((!isTooOld && !isTooMuch) || snapshots.some((snapshot) => least < snapshot)) break;
    bytes -= run.bytes;
    end = i;
  }
  return end;
}
