/**
 * Sorted runs: what strategies merge that do not look at single tables. Each table of level 0 is one, and each
 * level below it; together they are in the order of their age.
 *
 * @module
 */

import type { TableFile } from '../table/table-file.ts';
import { BOTTOM, bytesOf, type Choice, type Levels } from './choice.ts';

export interface SortedRun {
  level: number;
  tables: readonly TableFile[];
  bytes: number;
  /** When the last flush was made that its entries come from. */
  lastMs: number;
}

/** The runs that there are, the newest first. */
export function runsOf(levels: Levels): SortedRun[] {
  const [newest = [], ...below] = levels;
  const runs = newest.map((table) => runOf(0, [table]));
  for (const [i, tables] of below.entries()) if (tables.length > 0) runs.push(runOf(i + 1, tables));
  return runs;
}

function runOf(level: number, tables: readonly TableFile[]): SortedRun {
  const lastMs = tables.reduce((last, { properties }) => Math.max(last, properties.lastMs), 0);
  return { level, tables, bytes: bytesOf(tables), lastMs };
}

/**
 * Has runs that follow each other become one.
 *
 * @param from the newest of them, by its number
 * @param to the oldest of them
 */
export function mergeRunsChoice(runs: readonly SortedRun[], from: number, to: number): Choice {
  const older = runs[to + 1];
  // It must lie above what is older, and below what is newer, which is at most in the levels of the inputs.
  const outputLevel = older === undefined ? BOTTOM : Math.max(0, older.level - 1);
  return {
    kind: 'merge',
    inputs: inputsOf(runs.slice(from, to + 1)),
    outputLevel,
    isBottom: older === undefined,
  };
}

/** Has the oldest runs go, from one on. */
export function dropRunsChoice(runs: readonly SortedRun[], from: number): Choice {
  return { kind: 'drop', inputs: inputsOf(runs.slice(from)), outputLevel: 0, isBottom: true };
}

function inputsOf(runs: readonly SortedRun[]): Choice['inputs'] {
  const byLevel = new Map<number, TableFile[]>();
  for (const { level, tables } of runs) byLevel.set(level, [...(byLevel.get(level) ?? []), ...tables]);
  return [...byLevel].map(([level, tables]) => ({ level, tables }));
}

/**
 * Finds runs of about the same size that follow each other, the newest of them first: each is at most so much
 * larger than all before it together.
 *
 * @returns the numbers of the first and the last; undefined where there are no two of them
 */
export function findSimilar(
  runs: readonly SortedRun[],
  sizeRatio: number,
): { from: number; to: number } | undefined {
  for (let from = 0; from + 1 < runs.length; from++) {
    let { bytes } = runs[from] as SortedRun;
    let to = from;
    for (
      let next = runs[to + 1];
      next !== undefined && next.bytes <= bytes * sizeRatio;
      next = runs[to + 1]
    ) {
      bytes += next.bytes;
      to++;
    }
    if (to > from) return { from, to };
  }
  return undefined;
}
