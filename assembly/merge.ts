/**
 * Merging: what several sources have, in one order, without what nobody can see any more. Into blocks of a
 * table, one call a block; or into a page, for an iterator.
 */

import { KIND_DELETE, KIND_PUT } from '../src/memory/lsm-layout';
import {
  BLOCK_ENTRIES_MAX,
  BLOCK_KEY_BYTES,
  BUILDER_AT,
  BUILDER_ENTRIES,
  BUILDER_KEY_BYTES,
  BUILDER_LAST_KEY,
  BUILDER_RESTART_COUNT,
  BUILDER_START,
  BUILDER_TARGET,
  FRAGMENT_BYTES,
  FRAGMENT_END,
  FRAGMENT_END_LENGTH,
  FRAGMENT_FIRST,
  FRAGMENT_FIRST_LENGTH,
  FRAGMENT_SEQUENCE_COUNT,
  FRAGMENT_SEQUENCES,
  LARGE_ENTRY_BYTES,
  MERGE_BACKWARD,
  MERGE_BOTTOM,
  MERGE_DROPPED,
  MERGE_FILTER,
  MERGE_FRAGMENT_COUNT,
  MERGE_FRAGMENT_NEXT,
  MERGE_FRAGMENTS,
  MERGE_LIMIT,
  MERGE_LIMIT_LENGTH,
  MERGE_SAME,
  MERGE_SNAPSHOT_COUNT,
  MERGE_SNAPSHOTS,
  MERGE_VISITED,
  MERGE_VISITED_BUFFER,
  MERGE_VISITED_LENGTH,
  MERGE_VISITED_SEQUENCE,
  MERGED_EMPTY,
  MERGED_END,
  MERGED_FULL,
  MERGED_LARGE,
  MERGED_LIMIT,
  PAGE_AT,
  PAGE_END,
  PAGE_ENTRIES,
  PAGE_ENTRIES_MOST,
  PAGE_ENTRY_HEADER_BYTES,
  PAGE_NEEDED,
  PAGE_WAITING,
  PAGE_WITH_VALUES,
  RESTART_BYTES,
  SOURCE_KEY,
  SOURCE_KEY_LENGTH,
  SOURCE_KIND,
  SOURCE_SEQUENCE,
  SOURCE_VALUE,
  SOURCE_VALUE_LENGTH,
} from '../src/memory/table-layout';
import { appendEntry, countEntry } from './block-build';
import { copy } from './bytes';
import { compareKeys, equalKeys } from './keys';
import { countKept, isDue } from './merge-filter';
import { advanceTop, startSources, topSource } from './merge-sources';

export function mergeStart(merge: usize): void {
  store<i32>(merge, -1, MERGE_VISITED_LENGTH);
  const backward = load<i32>(merge, MERGE_BACKWARD) != 0;
  const fragments = load<i32>(merge, MERGE_FRAGMENT_COUNT);
  store<i32>(merge, backward ? fragments - 1 : 0, MERGE_FRAGMENT_NEXT);
  startSources(merge);
}

/** The least snapshot that sees a sequence number; infinity, which stands for the newest state, if none does. */
// @ts-ignore: decorator
@inline
function snapshotAfter(merge: usize, sequence: f64): f64 {
  const count = load<u32>(merge, MERGE_SNAPSHOT_COUNT);
  const snapshots = <usize>load<u32>(merge, MERGE_SNAPSHOTS);
  for (let i: u32 = 0; i < count; i++) {
    const snapshot = load<f64>(snapshots + (i << 3));
    if (sequence < snapshot) return snapshot;
  }
  return Infinity;
}

/** Whether the newest state and all snapshots see a sequence number. */
// @ts-ignore: decorator
@inline
function isSeenByAll(merge: usize, sequence: f64): bool {
  if (load<u32>(merge, MERGE_SNAPSHOT_COUNT) == 0) return true;
  return sequence < load<f64>(<usize>load<u32>(merge, MERGE_SNAPSHOTS));
}

/**
 * Whether a range that was deleted covers an entry: deleted later than the entry was written, and not later
 * than the first snapshot that sees the entry was taken.
 */
function isCovered(merge: usize, key: usize, keyLength: u32, sequence: f64): bool {
  const count = load<i32>(merge, MERGE_FRAGMENT_COUNT);
  const fragments = <usize>load<u32>(merge, MERGE_FRAGMENTS);
  const backward = load<i32>(merge, MERGE_BACKWARD) != 0;
  let next = load<i32>(merge, MERGE_FRAGMENT_NEXT);
  let fragment: usize = 0;
  for (; ; next += backward ? -1 : 1) {
    if (next < 0 || next >= count) {
      store<i32>(merge, next, MERGE_FRAGMENT_NEXT);
      return false;
    }
    fragment = fragments + next * FRAGMENT_BYTES;
    const isBehindEnd =
      compareKeys(load<u32>(fragment, FRAGMENT_END), load<u32>(fragment, FRAGMENT_END_LENGTH), key, keyLength) <= 0;
    const isBeforeFirst =
      compareKeys(load<u32>(fragment, FRAGMENT_FIRST), load<u32>(fragment, FRAGMENT_FIRST_LENGTH), key, keyLength) >
      0;
    if (!isBehindEnd && !isBeforeFirst) break;
    if (backward ? isBehindEnd : isBeforeFirst) {
      store<i32>(merge, next, MERGE_FRAGMENT_NEXT);
      return false;
    }
  }
  store<i32>(merge, next, MERGE_FRAGMENT_NEXT);
  const snapshot = snapshotAfter(merge, sequence);
  const sequences = <usize>load<u32>(fragment, FRAGMENT_SEQUENCES);
  const all = load<u32>(fragment, FRAGMENT_SEQUENCE_COUNT);
  for (let i: u32 = 0; i < all; i++) {
    const deleted = load<f64>(sequences + (i << 3));
    if (deleted <= sequence) return false;
    if (deleted < snapshot) return true;
  }
  return false;
}

/** Whether a key is the one that was visited last. */
// @ts-ignore: decorator
@inline
function isVisited(merge: usize, key: usize, keyLength: u32): bool {
  if (load<i32>(merge, MERGE_VISITED_LENGTH) != <i32>keyLength) return false;
  return equalKeys(load<u32>(merge, MERGE_VISITED), key, keyLength);
}

/** Remembers a key, in a copy. */
// @ts-ignore: decorator
@inline
function visit(merge: usize, key: usize, keyLength: u32, sequence: f64): void {
  const buffer = load<u32>(merge, MERGE_VISITED_BUFFER);
  copy(buffer, key, keyLength);
  store<u32>(merge, buffer, MERGE_VISITED);
  store<i32>(merge, <i32>keyLength, MERGE_VISITED_LENGTH);
  store<f64>(merge, sequence, MERGE_VISITED_SEQUENCE);
}

// @ts-ignore: decorator
@inline
function compareLimit(merge: usize, key: usize, keyLength: u32): i32 {
  return compareKeys(key, keyLength, load<u32>(merge, MERGE_LIMIT), load<u32>(merge, MERGE_LIMIT_LENGTH));
}

/** Whether the filter drops the entry at the top: nobody but the newest state must see it. */
// @ts-ignore: decorator
@inline
function isDropable(merge: usize, top: usize, filter: usize): bool {
  if (load<u32>(top, SOURCE_KIND) != KIND_PUT || !isDue(filter, top)) return false;
  return snapshotAfter(merge, load<f64>(top, SOURCE_SEQUENCE)) == Infinity;
}

/** Whether an entry may go without a trace: nothing that is older comes to light. */
// @ts-ignore: decorator
@inline
function isNothingBelow(merge: usize): bool {
  return load<i32>(merge, MERGE_BOTTOM) != 0 && load<u32>(merge, MERGE_SNAPSHOT_COUNT) == 0;
}

/** Passes over the entry at the top, and all that is older of its key. */
// @ts-ignore: decorator
@inline
function dropTop(merge: usize, key: usize, keyLength: u32, sequence: f64): void {
  store<f64>(merge, load<f64>(merge, MERGE_DROPPED) + 1, MERGE_DROPPED);
  visit(merge, key, keyLength, sequence);
  advanceTop(merge);
}

export function mergeBlock(merge: usize, builder: usize): i32 {
  const start = load<u32>(builder, BUILDER_START);
  const target = load<u32>(builder, BUILDER_TARGET);
  const bottom = load<i32>(merge, MERGE_BOTTOM) != 0;
  const hasLimit = load<u32>(merge, MERGE_LIMIT) != 0;
  const hasFragments = load<u32>(merge, MERGE_FRAGMENT_COUNT) != 0;
  const filter = <usize>load<u32>(merge, MERGE_FILTER);
  while (true) {
    const top = topSource(merge);
    if (top <= 1) return top == 0 ? MERGED_END : MERGED_EMPTY;
    const key = <usize>load<u32>(top, SOURCE_KEY);
    const keyLength = load<u32>(top, SOURCE_KEY_LENGTH);
    let valueLength = load<u32>(top, SOURCE_VALUE_LENGTH);
    const sequence = load<f64>(top, SOURCE_SEQUENCE);
    let kind = load<u32>(top, SOURCE_KIND);
    const isSame = isVisited(merge, key, keyLength);
    if (isSame) {
      // A newer version is seen by whoever sees this one.
      if (load<f64>(merge, MERGE_VISITED_SEQUENCE) < snapshotAfter(merge, sequence)) {
        advanceTop(merge);
        continue;
      }
    } else if (hasLimit && compareLimit(merge, key, keyLength) >= 0) {
      return MERGED_LIMIT;
    }
    const isDropped =
      (bottom && kind == KIND_DELETE && isSeenByAll(merge, sequence)) ||
      (hasFragments && isCovered(merge, key, keyLength, sequence));
    if (isDropped) {
      visit(merge, key, keyLength, sequence);
      advanceTop(merge);
      continue;
    }
    const isLarge = keyLength + valueLength > <u32>LARGE_ENTRY_BYTES;
    // Of a large one, the caller asks, who can check first that its bytes are what was written.
    const isExpired = filter != 0 && !isLarge && isDropable(merge, top, filter);
    if (isExpired) {
      if (isNothingBelow(merge)) {
        dropTop(merge, key, keyLength, sequence);
        continue;
      }
      kind = KIND_DELETE;
      valueLength = 0;
    }
    const entries = load<u32>(builder, BUILDER_ENTRIES);
    const used = load<u32>(builder, BUILDER_AT) - start + RESTART_BYTES * load<u32>(builder, BUILDER_RESTART_COUNT);
    const isFull =
      entries > 0 &&
      (isLarge ||
        used + keyLength + valueLength > target ||
        entries == BLOCK_ENTRIES_MAX ||
        load<u32>(builder, BUILDER_KEY_BYTES) >= <u32>BLOCK_KEY_BYTES);
    if (isFull || isLarge) {
      store<i32>(merge, i32(isSame), MERGE_SAME);
      return isFull ? MERGED_FULL : MERGED_LARGE;
    }
    appendEntry(builder, key, keyLength, load<u32>(top, SOURCE_VALUE), valueLength, sequence, kind);
    countEntry(builder, keyLength, load<u32>(top, SOURCE_VALUE), valueLength, sequence, kind);
    if (isExpired) store<f64>(merge, load<f64>(merge, MERGE_DROPPED) + 1, MERGE_DROPPED);
    else if (filter != 0 && kind == KIND_PUT) countKept(filter, builder, top);
    // The builder keeps a copy of the key already.
    store<u32>(merge, load<u32>(builder, BUILDER_LAST_KEY), MERGE_VISITED);
    store<i32>(merge, <i32>keyLength, MERGE_VISITED_LENGTH);
    store<f64>(merge, sequence, MERGE_VISITED_SEQUENCE);
    advanceTop(merge);
  }
  return MERGED_END;
}

export function mergeTake(merge: usize, builder: usize): void {
  const top = topSource(merge);
  assert(top > 1);
  const key = <usize>load<u32>(top, SOURCE_KEY);
  const keyLength = load<u32>(top, SOURCE_KEY_LENGTH);
  const sequence = load<f64>(top, SOURCE_SEQUENCE);
  const kind = load<u32>(top, SOURCE_KIND);
  countEntry(builder, keyLength, 0, load<u32>(top, SOURCE_VALUE_LENGTH), sequence, kind);
  const filter = <usize>load<u32>(merge, MERGE_FILTER);
  if (filter != 0 && kind == KIND_PUT) countKept(filter, builder, top);
  visit(merge, key, keyLength, sequence);
  advanceTop(merge);
}

export function mergeIsDue(merge: usize): i32 {
  const top = topSource(merge);
  assert(top > 1);
  const filter = <usize>load<u32>(merge, MERGE_FILTER);
  return i32(filter != 0 && isDropable(merge, top, filter));
}

export function mergeDrop(merge: usize, builder: usize): void {
  const top = topSource(merge);
  assert(top > 1 && load<u32>(builder, BUILDER_ENTRIES) == 0);
  const key = <usize>load<u32>(top, SOURCE_KEY);
  const keyLength = load<u32>(top, SOURCE_KEY_LENGTH);
  const sequence = load<f64>(top, SOURCE_SEQUENCE);
  if (!isNothingBelow(merge)) {
    appendEntry(builder, key, keyLength, key, 0, sequence, KIND_DELETE);
    countEntry(builder, keyLength, 0, 0, sequence, KIND_DELETE);
  }
  dropTop(merge, key, keyLength, sequence);
}

export function mergeTop(merge: usize): usize {
  return topSource(merge);
}

/** Writes an entry at the end of a page; it does not count yet. Returns whether there was room. */
// @ts-ignore: decorator
@inline
function writeWaiting(page: usize, key: usize, keyLength: u32, value: usize, valueLength: u32): bool {
  const at = load<u32>(page, PAGE_AT);
  const copied = load<i32>(page, PAGE_WITH_VALUES) != 0 ? valueLength : 0;
  const size: u64 = (<u64>PAGE_ENTRY_HEADER_BYTES + keyLength + copied + 7) & ~7;
  if (size > <u64>(load<u32>(page, PAGE_END) - at)) {
    store<u32>(page, <u32>size, PAGE_NEEDED);
    return false;
  }
  store<u32>(at, keyLength);
  store<u32>(at, valueLength, 4);
  copy(at + PAGE_ENTRY_HEADER_BYTES, key, keyLength);
  if (copied > 0) copy(at + PAGE_ENTRY_HEADER_BYTES + keyLength, value, copied);
  store<u32>(page, <u32>size, PAGE_WAITING);
  return true;
}

/** Has the waiting entry count, if there is one. */
// @ts-ignore: decorator
@inline
function commitWaiting(page: usize): void {
  const waiting = load<u32>(page, PAGE_WAITING);
  if (waiting == 0) return;
  store<u32>(page, load<u32>(page, PAGE_AT) + waiting, PAGE_AT);
  store<u32>(page, load<u32>(page, PAGE_ENTRIES) + 1, PAGE_ENTRIES);
  store<u32>(page, 0, PAGE_WAITING);
}

// @ts-ignore: decorator
@inline
function isPageFull(page: usize): bool {
  return load<u32>(page, PAGE_ENTRIES) >= load<u32>(page, PAGE_ENTRIES_MOST);
}

export function mergePage(merge: usize, page: usize): i32 {
  return load<i32>(merge, MERGE_BACKWARD) != 0 ? pageBackward(merge, page) : pageForward(merge, page);
}

function pageForward(merge: usize, page: usize): i32 {
  const snapshot = load<f64>(<usize>load<u32>(merge, MERGE_SNAPSHOTS));
  const hasLimit = load<u32>(merge, MERGE_LIMIT) != 0;
  const hasFragments = load<u32>(merge, MERGE_FRAGMENT_COUNT) != 0;
  while (true) {
    const top = topSource(merge);
    if (top <= 1) return top == 0 ? MERGED_END : MERGED_EMPTY;
    const key = <usize>load<u32>(top, SOURCE_KEY);
    const keyLength = load<u32>(top, SOURCE_KEY_LENGTH);
    const sequence = load<f64>(top, SOURCE_SEQUENCE);
    if (sequence >= snapshot || isVisited(merge, key, keyLength)) {
      advanceTop(merge);
      continue;
    }
    if (hasLimit && compareLimit(merge, key, keyLength) >= 0) return MERGED_LIMIT;
    const isGone =
      load<u32>(top, SOURCE_KIND) != KIND_PUT || (hasFragments && isCovered(merge, key, keyLength, sequence));
    if (!isGone) {
      if (isPageFull(page)) return MERGED_FULL;
      const value = <usize>load<u32>(top, SOURCE_VALUE);
      if (!writeWaiting(page, key, keyLength, value, load<u32>(top, SOURCE_VALUE_LENGTH))) {
        return load<u32>(page, PAGE_ENTRIES) == 0 ? MERGED_LARGE : MERGED_FULL;
      }
      commitWaiting(page);
    }
    visit(merge, key, keyLength, sequence);
    advanceTop(merge);
  }
  return MERGED_END;
}

/** Of the same key, the oldest version comes first here: each that is seen takes the place of the one before. */
function pageBackward(merge: usize, page: usize): i32 {
  const snapshot = load<f64>(<usize>load<u32>(merge, MERGE_SNAPSHOTS));
  const hasLimit = load<u32>(merge, MERGE_LIMIT) != 0;
  const hasFragments = load<u32>(merge, MERGE_FRAGMENT_COUNT) != 0;
  while (true) {
    const top = topSource(merge);
    if (top == 1) return MERGED_EMPTY;
    if (top == 0) {
      commitWaiting(page);
      return MERGED_END;
    }
    const key = <usize>load<u32>(top, SOURCE_KEY);
    const keyLength = load<u32>(top, SOURCE_KEY_LENGTH);
    const sequence = load<f64>(top, SOURCE_SEQUENCE);
    if (!isVisited(merge, key, keyLength)) {
      commitWaiting(page);
      if (hasLimit && compareLimit(merge, key, keyLength) < 0) return MERGED_LIMIT;
      if (isPageFull(page)) return MERGED_FULL;
    }
    if (sequence < snapshot) {
      const isGone =
        load<u32>(top, SOURCE_KIND) != KIND_PUT || (hasFragments && isCovered(merge, key, keyLength, sequence));
      store<u32>(page, 0, PAGE_WAITING);
      const value = <usize>load<u32>(top, SOURCE_VALUE);
      if (!isGone && !writeWaiting(page, key, keyLength, value, load<u32>(top, SOURCE_VALUE_LENGTH))) {
        return load<u32>(page, PAGE_ENTRIES) == 0 ? MERGED_LARGE : MERGED_FULL;
      }
      visit(merge, key, keyLength, sequence);
    }
    advanceTop(merge);
  }
  return MERGED_END;
}
