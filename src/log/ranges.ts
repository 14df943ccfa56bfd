/** Ranges of offsets, both ends inclusive. */

export interface OffsetRange {
  first: number;
  last: number;
}

/** The same offsets, as few ranges as there can be, in their order. */
export function mergeRanges(ranges: readonly OffsetRange[]): OffsetRange[] {
  const merged: OffsetRange[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    if (last < first) continue;
    const before = merged.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged;
}

/** The offsets of some ranges that are in none of the others. */
export function subtractRanges(
  ranges: readonly OffsetRange[],
  others: readonly OffsetRange[],
): OffsetRange[] {
  const left: OffsetRange[] = [];
  const taken = mergeRanges(others);
  for (const { first, last } of mergeRanges(ranges)) {
    let from = first;
    for (const other of taken) {
      if (other.last < from || other.first > last) continue;
      if (other.first > from) left.push({ first: from, last: other.first - 1 });
      from = other.last + 1;
    }
    if (from <= last) left.push({ first: from, last });
  }
  return left;
}

/** How many offsets there are in ranges, each counted once. */
export function countRanges(ranges: readonly OffsetRange[]): number {
  return mergeRanges(ranges).reduce((count, { first, last }) => count + last - first + 1, 0);
}
