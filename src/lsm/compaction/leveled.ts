/**
 * Leveled compaction, with level sizes that follow the data (RocksDB, "dynamic level bytes"): the last level has
 * nearly everything, each above it a tenth of the one below, down to the first that is as large as a few tables.
 * What was flushed goes there, past the levels that are not needed yet. So space is used for little more than
 * what is live.
 *
 * It decides only; `compact.ts` carries it out.
 *
 * @module
 */

import { endsBefore, overlaps, type TableFile } from '../table/table-file.ts';
import { BOTTOM, bytesOf, type Choice, isBottomOf, LEVELS_MAX, type Levels, rangeOf } from './choice.ts';

export interface LeveledOptions {
  /** Tables in level 0 at which they are merged. */
  level0Tables: number;
  /** Bytes of the first level below it. */
  baseBytes: number;
  /** How much larger each level is than the one above. */
  factor: number;
}

export const DEFAULT_LEVELED: LeveledOptions = { level0Tables: 4, baseBytes: 64 * 1024 * 1024, factor: 10 };

/** Tables of level 0 that are merged at once, the oldest: more would keep a thread for too long. */
const LEVEL0_MOST = 12;

/** The level that level 0 is merged into, and how many bytes each level may have. */
export function levelTargets(levels: Levels, options: LeveledOptions): { base: number; targets: number[] } {
  const targets = new Array<number>(LEVELS_MAX).fill(0);
  let target = bytesOf(levels[BOTTOM] ?? []);
  let base = BOTTOM;
  targets[BOTTOM] = Number.POSITIVE_INFINITY;
  while (target > options.baseBytes && base > 1) {
    target /= options.factor;
    base--;
    targets[base] = Math.max(target, options.baseBytes / options.factor);
  }
  return { base, targets };
}

/**
 * Decides what to merge.
 *
 * @param levels from level 0 on, that with the newest first, the others by their keys
 * @returns undefined where there is nothing to do
 */
export function chooseLeveled(levels: Levels, options: LeveledOptions): Choice | undefined {
  const { base, targets } = levelTargets(levels, options);
  const [newest = []] = levels;
  let best = newest.length / options.level0Tables;
  let from = 0;
  for (let level = 1; level < BOTTOM; level++) {
    const bytes = bytesOf(levels[level] ?? []);
    if (bytes === 0) continue;
    const score = bytes / Math.max(1, targets[level] as number);
    if (score <= best) continue;
    best = score;
    from = level;
  }
  if (best < 1) return undefined;
  return from === 0 ? chooseLevel0(levels, base) : chooseTable(levels, from);
}

/** The oldest tables of level 0, into the first level below. */
function chooseLevel0(levels: Levels, base: number): Choice {
  const oldest = (levels[0] ?? []).slice(-LEVEL0_MOST);
  // What lies between must not be passed by what is newer.
  let into = 1;
  while (into < base && (levels[into] ?? []).length === 0) into++;
  return choice(levels, { level: 0, tables: oldest }, into);
}

/**
 * The same with fewer tables of level 0, the oldest, where there is no memory to merge them all at once.
 *
 * @returns undefined where there are no fewer
 */
export function fewerTables(levels: Levels, { kind, inputs, outputLevel }: Choice): Choice | undefined {
  const [first] = inputs;
  if (kind !== 'merge' || first?.level !== 0 || outputLevel === 0 || first.tables.length < 2)
    return undefined;
  const tables = first.tables.slice(-Math.floor(first.tables.length / 2));
  return choice(levels, { level: 0, tables }, outputLevel);
}

/** The table of a level that costs least: with the fewest bytes below it for each of its own. */
function chooseTable(levels: Levels, level: number): Choice {
  const below = levels[level + 1] ?? [];
  let best: TableFile | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const table of levels[level] ?? []) {
    const cost = bytesOf(below.filter((other) => overlaps(other.properties, table.properties)));
    const ratio = cost / table.properties.bytes;
    if (ratio >= least) continue;
    least = ratio;
    best = table;
  }
  return choice(levels, { level, tables: [best as TableFile] }, level + 1);
}

function choice(
  levels: Levels,
  upper: { level: number; tables: readonly TableFile[] },
  outputLevel: number,
): Choice {
  const range = rangeOf(upper.tables);
  const lower = (levels[outputLevel] ?? []).filter(({ properties }) => overlaps(properties, range));
  const inputs = [upper, ...(lower.length === 0 ? [] : [{ level: outputLevel, tables: lower }])];
  const all = inputs.flatMap(({ tables }) => tables);
  const isBottom = isBottomOf(levels, outputLevel, all);
  // What hides nothing any more is better left out.
  const isMerged =
    isBottom && all.some(({ properties }) => properties.tombstones + properties.rangeTombstones > 0);
  const kind = lower.length === 0 && !isMerged && !haveOverlap(all) ? 'move' : 'merge';
  return { kind, inputs, outputLevel, isBottom };
}

/** Whether some tables have keys in common. */
function haveOverlap(tables: readonly TableFile[]): boolean {
  const byKey = tables.toSorted((a, b) => Buffer.compare(a.properties.smallestKey, b.properties.smallestKey));
  return byKey.some(({ properties }, i) => {
    const before = byKey[i - 1];
    return before !== undefined && overlaps(before.properties, properties);
  });
}

/**
 * Everything that has keys between two, into the last level that has anything.
 *
 * @param start undefined for the first key of all
 * @param end does not belong to it; undefined for behind the last key
 */
export function chooseRange(
  levels: Levels,
  start: Uint8Array | undefined,
  end: Uint8Array | undefined,
): Choice | undefined {
  let inputs: Choice['inputs'] = [];
  let count = 0;
  let isIn = ({ properties }: TableFile): boolean =>
    (start === undefined || !endsBefore(properties, start)) &&
    (end === undefined || Buffer.compare(properties.smallestKey, end) < 0);
  // What is merged with these may reach further, so that others belong to it too.
  for (;;) {
    inputs = levels
      .map((tables, level) => ({ level, tables: tables.filter(isIn) }))
      .filter(({ tables }) => tables.length > 0);
    const all = inputs.flatMap(({ tables }) => tables);
    if (all.length === 0) return undefined;
    if (all.length === count) break;
    count = all.length;
    const range = rangeOf(all);
    isIn = ({ properties }) => overlaps(properties, range);
  }
  return { kind: 'merge', inputs, outputLevel: BOTTOM, isBottom: true };
}
