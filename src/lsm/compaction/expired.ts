/**
 * Decides what to do about values that are due to be dropped: tables that have nothing else go as they are, and
 * those that have much of it are written anew where they lie. So data goes also when nobody writes.
 *
 * It decides only; `compact.ts` carries it out.
 *
 * @module
 */

import { overlaps, type TableFile } from '../table/table-file.ts';
import type { Choice, Levels } from './choice.ts';
import { type DropRule, dueEntries, isBeforeAll } from './drop-rule.ts';

/**
 * Tables whose keys are before every cutoff, to be dropped as they are.
 *
 * @param snapshots sequence numbers at which somebody reads
 * @returns undefined where there are none
 */
export function chooseOutdated(
  levels: Levels,
  rule: DropRule,
  snapshots: readonly number[],
): Choice | undefined {
  if (rule.kind !== 'retention') return undefined;
  let chosen = levels.map((tables) =>
    tables.filter(
      (table) => isBeforeAll(table.properties.largestKey, rule.cutoffs) && isUnseen(table, snapshots),
    ),
  );
  // One must not go while something older stays that it hides.
  for (;;) {
    const kept = levels.map((tables, level) => tables.filter((table) => !chosen[level]?.includes(table)));
    const rest = chosen.map((tables, level) => tables.filter((table) => !hasOlder(kept, level, table)));
    const isStable = rest.every((tables, level) => tables.length === chosen[level]?.length);
    chosen = rest;
    if (isStable) break;
  }
  const inputs = chosen.map((tables, level) => ({ level, tables })).filter(({ tables }) => tables.length > 0);
  return inputs.length === 0 ? undefined : { kind: 'drop', inputs, outputLevel: 0, isBottom: false };
}

/**
 * The table of whose entries the greatest share is due, to be written anew in its level.
 *
 * @param minShare of its entries that must be due
 * @returns undefined where no table has so much
 */
export function chooseDue(
  levels: Levels,
  rule: DropRule,
  snapshots: readonly number[],
  minShare: number,
): Choice | undefined {
  let best: { level: number; table: TableFile } | undefined;
  let most = minShare;
  for (const [level, tables] of levels.entries()) {
    for (const table of tables) {
      const { entries } = table.properties;
      const due = dueEntries(table.properties, rule);
      if (due === 0 || due / entries < most || !isUnseen(table, snapshots)) continue;
      most = due / entries;
      best = { level, table };
    }
  }
  if (best === undefined) return undefined;
  const { level, table } = best;
  const isBottom = !hasOlder(levels, level, table);
  return { kind: 'merge', inputs: [{ level, tables: [table] }], outputLevel: level, isBottom };
}

/** Whether no snapshot sees anything of a table. */
function isUnseen({ properties }: TableFile, snapshots: readonly number[]): boolean {
  return snapshots.every((snapshot) => snapshot <= properties.smallestSequence);
}

/** Whether a table that is older than one has keys in its range. */
function hasOlder(levels: Levels, level: number, table: TableFile): boolean {
  const isOver = ({ properties }: TableFile): boolean => overlaps(properties, table.properties);
  const older = level === 0 ? (levels[0] ?? []).filter((other) => isOlder(other, table)) : [];
  return older.some(isOver) || levels.slice(level + 1).some((tables) => tables.some(isOver));
}

/** Of two tables of level 0, whether the first has older entries. */
function isOlder(a: TableFile, b: TableFile): boolean {
  return a.properties.largestSequence < b.properties.largestSequence;
}
