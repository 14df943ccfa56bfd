/**
 * What a strategy decides: which tables become which. It is a value; `compact.ts` carries it out.
 *
 * @module
 */

import { type KeyRange, overlaps, type TableFile, unionOf } from '../table/table-file.ts';

/** The levels that there are, level 0 included. */
export const LEVELS_MAX = 7;
export const BOTTOM: number = LEVELS_MAX - 1;

/** What is to be done: tables of some levels become tables of one, or go. */
export interface Choice {
  kind: 'merge' | 'move' | 'drop';
  /** By the level that they are in. */
  inputs: { level: number; tables: readonly TableFile[] }[];
  outputLevel: number;
  /** No table that is older than the inputs has a key in their range. */
  isBottom: boolean;
}

/** Tables, from level 0 on: that with the newest first, the others by their keys. */
export type Levels = readonly (readonly TableFile[])[];

export function bytesOf(tables: readonly TableFile[]): number {
  return tables.reduce((sum, { properties }) => sum + properties.bytes, 0);
}

/** The range of keys of some tables, of which there is at least one. */
export function rangeOf(tables: readonly TableFile[]): KeyRange {
  return unionOf(tables.map(({ properties }) => properties));
}

/** Whether no table below a level has a key in the range of some. */
export function isBottomOf(levels: Levels, level: number, inputs: readonly TableFile[]): boolean {
  const range = rangeOf(inputs);
  return !levels
    .slice(level + 1)
    .some((tables) => tables.some(({ properties }) => overlaps(properties, range)));
}
