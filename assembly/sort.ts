/**
 * Cells into a run: by key, of the same key the newer first. The first 8 bytes behind what all keys have in
 * common are sorted as a number (LSD radix sort, one byte a pass; bytes that are all the same are skipped);
 * cells that are the same there are compared whole.
 */

import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  CELL_SEQUENCE,
  SORT_ROW_BYTES,
  SORT_SCRATCH_BYTES,
} from '../src/memory/lsm-layout';
import { compareKeys } from './keys';

const ROW_CELL = 8;
const DIGITS = 8;
const BUCKETS = 256;
/** Groups up to this size are sorted by insertion. */
const INSERTION_MAX = 12;

/** Compares cells: by key, then the newer first. */
// @ts-ignore: decorator
@inline
function compareCells(a: usize, b: usize): i32 {
  const order = compareKeys(
    a + CELL_KEY,
    load<u16>(a, CELL_KEY_LENGTH),
    b + CELL_KEY,
    load<u16>(b, CELL_KEY_LENGTH),
  );
  if (order != 0) return order;
  return select<i32>(-1, 1, load<f64>(a, CELL_SEQUENCE) > load<f64>(b, CELL_SEQUENCE));
}

/** 8 bytes of a key from `skip` on, as a number; zeros where the key ends. */
// @ts-ignore: decorator
@inline
function prefixOf(cell: usize, skip: u32): u64 {
  const length: u32 = load<u16>(cell, CELL_KEY_LENGTH);
  if (length <= skip) return 0;
  const bytes = bswap<u64>(load<u64>(cell + CELL_KEY + skip));
  const left = length - skip;
  return left >= 8 ? bytes : bytes & (~(<u64>0) << (64 - (<u64>left << 3)));
}

/** How many bytes all keys begin with. */
function commonPrefix(run: usize, count: i32): u32 {
  const first: usize = load<u32>(run);
  let common: u32 = load<u16>(first, CELL_KEY_LENGTH);
  for (let i = 1; i < count && common > 0; i++) {
    const cell: usize = load<u32>(run + (i << 2));
    common = min<u32>(common, load<u16>(cell, CELL_KEY_LENGTH));
    let same: u32 = 0;
    while (same < common) {
      const difference = load<u64>(first + CELL_KEY + same) ^ load<u64>(cell + CELL_KEY + same);
      if (difference != 0) {
        same += <u32>(ctz(difference) >> 3);
        break;
      }
      same += 8;
    }
    common = min<u32>(common, same);
  }
  return common;
}

export function sortRun(run: usize, count: i32, scratch: usize): void {
  if (count < 2) return;
  const rows = scratch + SORT_SCRATCH_BYTES;
  const skip = commonPrefix(run, count);
  if (isSorted(run, count, skip)) return;
  // From the last to the first, so that what came later stays before what came earlier.
  let row = rows;
  for (let i = count - 1; i >= 0; i--) {
    const cell = load<u32>(run + (i << 2));
    store<u64>(row, prefixOf(cell, skip));
    store<u32>(row, cell, ROW_CELL);
    row += SORT_ROW_BYTES;
  }
  const sorted = sortRows(rows, count, rows + count * SORT_ROW_BYTES, scratch);
  const spare = sorted == rows ? rows + count * SORT_ROW_BYTES : rows;
  for (let i = 0; i < count; ) {
    const prefix = load<u64>(sorted + i * SORT_ROW_BYTES);
    const begin = i;
    do {
      store<u32>(run + (i << 2), load<u32>(sorted + i * SORT_ROW_BYTES, ROW_CELL));
      i++;
    } while (i < count && load<u64>(sorted + i * SORT_ROW_BYTES) == prefix);
    if (i - begin > 1) sortGroup(run + (begin << 2), i - begin, spare);
  }
}

/** Whether the cells lie in their order already, each of another key: what came in order often does. */
function isSorted(run: usize, count: i32, skip: u32): bool {
  let last = prefixOf(load<u32>(run), skip);
  for (let i = 1; i < count; i++) {
    const prefix = prefixOf(load<u32>(run + (i << 2)), skip);
    if (prefix < last) return false;
    if (prefix == last && compareCells(load<u32>(run + (i << 2) - 4), load<u32>(run + (i << 2))) >= 0) return false;
    last = prefix;
  }
  return true;
}

/** Sorts rows by their prefix; returns where they are then: in `rows` or in `spare`. */
function sortRows(rows: usize, count: i32, spare: usize, histogram: usize): usize {
  memory.fill(histogram, 0, DIGITS * BUCKETS * 4);
  const end = rows + count * SORT_ROW_BYTES;
  for (let row = rows; row < end; row += SORT_ROW_BYTES) {
    let prefix = load<u64>(row);
    for (let digit = 0; digit < DIGITS; digit++) {
      const bucket = histogram + ((digit * BUCKETS + <i32>(prefix & 0xff)) << 2);
      store<u32>(bucket, load<u32>(bucket) + 1);
      prefix >>= 8;
    }
  }
  for (let digit = 0; digit < DIGITS; digit++) {
    const buckets = histogram + ((digit * BUCKETS) << 2);
    const shift = <u64>digit << 3;
    const one = <usize>((load<u64>(rows) >> shift) & 0xff);
    if (load<u32>(buckets + (one << 2)) == <u32>count) continue;
    let position = <u32>spare;
    for (let i = 0; i < BUCKETS; i++) {
      const size = load<u32>(buckets + (i << 2));
      store<u32>(buckets + (i << 2), position);
      position += size * SORT_ROW_BYTES;
    }
    const last = rows + count * SORT_ROW_BYTES;
    for (let row = rows; row < last; row += SORT_ROW_BYTES) {
      const prefix = load<u64>(row);
      const bucket = buckets + (<usize>((prefix >> shift) & 0xff) << 2);
      const to: usize = load<u32>(bucket);
      store<u64>(to, prefix);
      store<u64>(to, load<u64>(row, ROW_CELL), ROW_CELL);
      store<u32>(bucket, <u32>to + SORT_ROW_BYTES);
    }
    const swap = rows;
    rows = spare;
    spare = swap;
  }
  return rows;
}

/** Sorts cells whose prefix is the same, by comparing them. */
function sortGroup(run: usize, count: i32, spare: usize): void {
  let i = 1;
  while (i < count && compareCells(load<u32>(run + (i << 2) - 4), load<u32>(run + (i << 2))) < 0) i++;
  if (i == count) return;
  if (count <= INSERTION_MAX) {
    for (; i < count; i++) {
      const cell = load<u32>(run + (i << 2));
      let to = run + (i << 2);
      while (to > run && compareCells(load<u32>(to - 4), cell) > 0) {
        store<u32>(to, load<u32>(to - 4));
        to -= 4;
      }
      store<u32>(to, cell);
    }
    return;
  }
  // Merge sort from the bottom up, to and fro between the run and the spare rows.
  let from = run;
  let into = spare;
  for (let width = 1; width < count; width <<= 1) {
    for (let left = 0; left < count; left += width << 1) {
      const middle = min(left + width, count);
      const right = min(left + (width << 1), count);
      mergeRuns(from + (left << 2), middle - left, from + (middle << 2), right - middle, into + (left << 2));
    }
    const swap = from;
    from = into;
    into = swap;
  }
  if (from != run) memory.copy(run, from, count << 2);
}

export function mergeRuns(a: usize, aCount: i32, b: usize, bCount: i32, out: usize): void {
  const aEnd = a + (aCount << 2);
  const bEnd = b + (bCount << 2);
  while (a < aEnd && b < bEnd) {
    const x = load<u32>(a);
    const y = load<u32>(b);
    if (compareCells(x, y) < 0) {
      store<u32>(out, x);
      a += 4;
    } else {
      store<u32>(out, y);
      b += 4;
    }
    out += 4;
  }
  if (a < aEnd) memory.copy(out, a, aEnd - a);
  else if (b < bEnd) memory.copy(out, b, bEnd - b);
}
