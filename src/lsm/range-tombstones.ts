/**
 * Deletions of ranges. Those that overlap are cut into fragments that do not, so that it can be told for a key
 * which of them cover it; merging drops entries by them, and writes those that are still needed.
 *
 * @module
 */

import { SLACK_BYTES } from '../memory/layout.ts';
import type { MemoryView } from '../memory/memory.ts';
import * as layout from '../memory/table-layout.ts';

/** Everything from a key on and before another was deleted. */
export interface RangeTombstone {
  start: Uint8Array;
  /** Does not belong to it. */
  end: Uint8Array;
  sequence: number;
}

/** A stretch of keys, and the sequence numbers at which all of it was deleted, the greatest first. */
export interface Fragment {
  start: Uint8Array;
  end: Uint8Array;
  sequences: number[];
}

/**
 * Cuts deletions into fragments, in order, that do not overlap. Stretches with nothing are left out.
 *
 * @param tombstones in any order; those whose end is not greater than their start delete nothing
 */
export function fragmentsOf(tombstones: readonly RangeTombstone[]): Fragment[] {
  const real = tombstones.filter(({ start, end }) => Buffer.compare(start, end) < 0);
  if (real.length === 0) return [];
  const byStart = real.toSorted((a, b) => Buffer.compare(a.start, b.start));
  const borders = real
    .flatMap(({ start, end }) => [start, end])
    .sort((a, b) => Buffer.compare(a, b))
    .filter((key, i, all) => i === 0 || Buffer.compare(all[i - 1] as Uint8Array, key) !== 0);
  const fragments: Fragment[] = [];
  let open: RangeTombstone[] = [];
  let next = 0;
  for (let i = 0; i + 1 < borders.length; i++) {
    const [start, end] = [borders[i] as Uint8Array, borders[i + 1] as Uint8Array];
    open = open.filter((tombstone) => Buffer.compare(tombstone.end, start) > 0);
    for (
      ;
      next < byStart.length && Buffer.compare((byStart[next] as RangeTombstone).start, start) <= 0;
      next++
    ) {
      open.push(byStart[next] as RangeTombstone);
    }
    if (open.length === 0) continue;
    const sequences = [...new Set(open.map(({ sequence }) => sequence))].sort((a, b) => b - a);
    fragments.push({ start, end, sequences });
  }
  return fragments;
}

/**
 * What one snapshot sees of deletions: fragments, each with the newest alone. It takes time in proportion to their
 * number, however many of them cover the same keys.
 *
 * @param tombstones in any order
 * @param snapshot what is older is seen
 */
export function newestFragments(tombstones: readonly RangeTombstone[], snapshot: number): Fragment[] {
  const byStart = tombstones
    .filter(({ start, end, sequence }) => sequence < snapshot && Buffer.compare(start, end) < 0)
    .sort((a, b) => Buffer.compare(a.start, b.start));
  const fragments: Fragment[] = [];
  // Those that cover where the sweep has come to, and some that do not any more; the newest is at the top.
  const open: RangeTombstone[] = [];
  let at: Uint8Array | undefined;
  for (let next = 0; next < byStart.length || open.length > 0; ) {
    while (open.length > 0 && at !== undefined && Buffer.compare((open[0] as RangeTombstone).end, at) <= 0)
      popNewest(open);
    const newest = open[0];
    const coming = byStart[next];
    if (newest === undefined && coming === undefined) break;
    if (newest === undefined || at === undefined) {
      at = (coming as RangeTombstone).start;
    } else {
      // The newest covers all up to its end, or up to where a newer one begins.
      const isCut = coming !== undefined && Buffer.compare(coming.start, newest.end) < 0;
      const end = isCut ? coming.start : newest.end;
      addFragment(fragments, at, end, newest.sequence);
      at = end;
    }
    for (
      let one = byStart[next];
      one !== undefined && Buffer.compare(one.start, at) <= 0;
      one = byStart[++next]
    )
      pushNewest(open, one);
  }
  return fragments;
}

/** Adds a stretch; one that goes on where the last ends, with the same deletion, becomes part of that. */
function addFragment(fragments: Fragment[], start: Uint8Array, end: Uint8Array, sequence: number): void {
  if (Buffer.compare(start, end) >= 0) return;
  const last = fragments.at(-1);
  if (last !== undefined && last.sequences[0] === sequence && Buffer.compare(last.end, start) === 0)
    last.end = end;
  else fragments.push({ start, end, sequences: [sequence] });
}

/** Adds to a binary heap with the greatest sequence number at the top. */
function pushNewest(heap: RangeTombstone[], tombstone: RangeTombstone): void {
  let at = heap.push(tombstone) - 1;
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if ((heap[parent] as RangeTombstone).sequence >= tombstone.sequence) break;
    heap[at] = heap[parent] as RangeTombstone;
    at = parent;
  }
  heap[at] = tombstone;
}

/** Takes the top from such a heap. */
function popNewest(heap: RangeTombstone[]): void {
  const last = heap.pop() as RangeTombstone;
  if (heap.length === 0) return;
  let at = 0;
  for (let child = 1; child < heap.length; child = 2 * at + 1) {
    const right = heap[child + 1];
    if (right !== undefined && right.sequence > (heap[child] as RangeTombstone).sequence) child++;
    if ((heap[child] as RangeTombstone).sequence <= last.sequence) break;
    heap[at] = heap[child] as RangeTombstone;
    at = child;
  }
  heap[at] = last;
}

/** Puts a deletion that is the newest of all into fragments of which each has only the newest one. */
export function coverFragments(fragments: Fragment[], { start, end, sequence }: RangeTombstone): void {
  if (Buffer.compare(start, end) >= 0) return;
  const from = firstEndingBehind(fragments, start);
  let to = from;
  while (to < fragments.length && Buffer.compare((fragments[to] as Fragment).start, end) < 0) to++;
  const between: Fragment[] = [{ start, end, sequences: [sequence] }];
  const [first, last] = [fragments[from], fragments[to - 1]];
  if (to > from && first !== undefined && Buffer.compare(first.start, start) < 0)
    between.unshift({ ...first, end: start });
  if (to > from && last !== undefined && Buffer.compare(last.end, end) > 0)
    between.push({ ...last, start: end });
  fragments.splice(from, to - from, ...between);
}

/** Those of the deletions that anybody can tell from the others: of those between two snapshots the newest. */
export function neededTombstones(
  tombstones: readonly RangeTombstone[],
  snapshots: readonly number[],
): RangeTombstone[] {
  const needed: RangeTombstone[] = [];
  let seen = -1;
  for (const snapshot of [...snapshots, Number.POSITIVE_INFINITY]) {
    const between = tombstones.filter(({ sequence }) => sequence >= seen && sequence < snapshot);
    for (const { start, end, sequences } of newestFragments(between, snapshot))
      for (const sequence of sequences) needed.push({ start, end, sequence });
    seen = snapshot;
  }
  return needed;
}

/** The fragments that may have keys of a range. */
export function fragmentsBetween(
  fragments: readonly Fragment[],
  lower: Uint8Array | undefined,
  upper: Uint8Array | undefined,
): readonly Fragment[] {
  if (fragments.length === 0 || (lower === undefined && upper === undefined)) return fragments;
  const from = lower === undefined ? 0 : firstEndingBehind(fragments, lower);
  const to = upper === undefined ? fragments.length : firstEndingBehind(fragments, upper) + 1;
  return fragments.slice(from, to);
}

/** The number of the first fragment that ends behind a key; how many there are, where none does. */
function firstEndingBehind(fragments: readonly Fragment[], key: Uint8Array): number {
  let low = 0;
  let high = fragments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Buffer.compare((fragments[middle] as Fragment).end, key) <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The newest deletion that covers a key and that a snapshot sees; -1 where there is none.
 *
 * @param fragments in order
 */
export function coveringSequence(fragments: readonly Fragment[], key: Uint8Array, snapshot: number): number {
  const fragment = fragments[firstEndingBehind(fragments, key)];
  if (fragment === undefined || Buffer.compare(fragment.start, key) > 0) return -1;
  return fragment.sequences.find((sequence) => sequence < snapshot) ?? -1;
}

/**
 * What is left of fragments after a merge: of the deletions between two snapshots only the newest is needed,
 * and none where nothing lies below and everybody sees it.
 *
 * @param snapshots sequence numbers, the least first
 */
export function survivingFragments(
  fragments: readonly Fragment[],
  snapshots: readonly number[],
  bottom: boolean,
): Fragment[] {
  const oldest = snapshots[0] ?? Number.POSITIVE_INFINITY;
  return fragments.flatMap(({ start, end, sequences }) => {
    let before: number | undefined;
    const kept = sequences.filter((sequence) => {
      const seenFrom = snapshots.find((snapshot) => sequence < snapshot) ?? Number.POSITIVE_INFINITY;
      const isHidden = before !== undefined && before < seenFrom;
      before = sequence;
      return !isHidden && !(bottom && sequence < oldest);
    });
    return kept.length === 0 ? [] : [{ start, end, sequences: kept }];
  });
}

/**
 * The part of fragments that lies in a stretch of keys, as deletions in the order in which a table has them.
 *
 * @param from undefined for the beginning of all keys
 * @param to does not belong to it; undefined for their end
 */
export function clipFragments(
  fragments: readonly Fragment[],
  from: Uint8Array | undefined,
  to: Uint8Array | undefined,
): RangeTombstone[] {
  const clipped: RangeTombstone[] = [];
  for (const fragment of fragments) {
    const start = from !== undefined && Buffer.compare(fragment.start, from) < 0 ? from : fragment.start;
    const end = to !== undefined && Buffer.compare(to, fragment.end) < 0 ? to : fragment.end;
    if (Buffer.compare(start, end) >= 0) continue;
    for (const sequence of fragment.sequences) clipped.push({ start, end, sequence });
  }
  return clipped;
}

/** How much room fragments take in memory. */
export function fragmentsBytes(fragments: readonly Fragment[]): number {
  let bytes = fragments.length * layout.FRAGMENT_BYTES + SLACK_BYTES;
  for (const { start, end, sequences } of fragments)
    bytes += start.length + end.length + sequences.length * 8;
  return bytes + 8;
}

/**
 * Writes fragments for a merge.
 *
 * @param address room for `fragmentsBytes`, aligned to 8 bytes; the fragments begin there
 */
export function writeFragments(memory: MemoryView, fragments: readonly Fragment[], address: number): void {
  const { u8, i32, f64 } = memory;
  let numbers = (address + fragments.length * layout.FRAGMENT_BYTES + 7) & -8;
  let keys = numbers + fragments.reduce((count, { sequences }) => count + sequences.length, 0) * 8;
  for (const [i, { start, end, sequences }] of fragments.entries()) {
    const at = (address + i * layout.FRAGMENT_BYTES) >> 2;
    i32[at + (layout.FRAGMENT_FIRST >> 2)] = keys;
    i32[at + (layout.FRAGMENT_FIRST_LENGTH >> 2)] = start.length;
    u8.set(start, keys);
    keys += start.length;
    i32[at + (layout.FRAGMENT_END >> 2)] = keys;
    i32[at + (layout.FRAGMENT_END_LENGTH >> 2)] = end.length;
    u8.set(end, keys);
    keys += end.length;
    i32[at + (layout.FRAGMENT_SEQUENCES >> 2)] = numbers;
    i32[at + (layout.FRAGMENT_SEQUENCE_COUNT >> 2)] = sequences.length;
    for (const sequence of sequences) {
      f64[numbers >> 3] = sequence;
      numbers += 8;
    }
  }
}
