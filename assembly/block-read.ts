/** Reading blocks: finding an entry in one as it was stored, and taking one apart into rows. */

import {
  CELL_KEY,
  CELL_KEY_LENGTH,
  FOUND_SEQUENCE,
  FOUND_VALUE,
  FOUND_VALUE_LENGTH,
  KIND_NONE,
  RUN_ENTRY_BYTES,
} from '../src/memory/lsm-layout';
import {
  FOUND_MORE,
  INDEX_FIELDS_COUNT,
  INDEX_FIELDS_MAX,
  KEY_BYTES_MAX,
  RESTART_BYTES,
  ROW_ENTRY_BYTES,
  ROW_KEY,
  ROW_KEY_LENGTH,
  ROW_KIND,
  ROW_PREFIX,
  ROW_SEQUENCE,
  ROW_VALUE,
  ROW_VALUE_LENGTH,
} from '../src/memory/table-layout';
import {
  baseSequence,
  entryCount,
  isSequence,
  meta,
  readEntry,
  readFields,
  rest,
  restartCount,
  restartsOf,
  shared,
  valueLength,
} from './block-format';
import { copy } from './bytes';
import { commonPrefix, prefixOf } from './key-prefix';
import { compareKeys } from './keys';

/** What a comparison returns where there is nothing to compare with. */
// @ts-ignore: decorator
@inline const BROKEN: i32 = 0x7fffffff;

/** Compares the key of a restart with a key. */
// @ts-ignore: decorator
@inline
function compareRestart(block: usize, restarts: usize, index: u32, key: usize, keyLength: u32): i32 {
  const at = block + load<u32>(restarts + index * RESTART_BYTES);
  if (at >= restarts) return BROKEN;
  const found = readEntry(at, restarts);
  if (found == 0 || shared != 0) return BROKEN;
  return compareKeys(found, rest, key, keyLength);
}

/** The last restart whose key is less than a key, or the first one; -1 where the block is broken. */
// @ts-ignore: decorator
@inline
export function restartBefore(block: usize, restarts: usize, count: u32, key: usize, keyLength: u32): i32 {
  let low: u32 = 0;
  let high: u32 = count - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    const order = compareRestart(block, restarts, middle, key, keyLength);
    if (order == BROKEN) return -1;
    if (order < 0) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What was read to have it in the caches; nobody asks for it. */
let touched: u32 = 0;
/** So much of a block is fetched at once, and so many restarts. */
// @ts-ignore: decorator
@inline const TOUCH_BYTES: u32 = 4096;
// @ts-ignore: decorator
@inline const TOUCH_RESTARTS: u32 = 8;
// @ts-ignore: decorator
@inline const LINE_BYTES: u32 = 64;

/**
 * Fetches the lines of memory that are looked at next, all at once: what lies in one is known only when the one
 * before is there, and so they would come one after the other.
 */
// @ts-ignore: decorator
@inline
export function touch(from: usize, end: usize): void {
  const stop = min<usize>(end, from + TOUCH_BYTES);
  let sum: u32 = 0;
  for (; from < stop; from += LINE_BYTES) sum += load<u8>(from);
  touched = sum;
}

/** Fetches the entries where keys are whole, if they are few. */
// @ts-ignore: decorator
@inline
export function touchRestarts(block: usize, restarts: usize, count: u32): void {
  if (count - 2 > TOUCH_RESTARTS - 2) return;
  let sum: u32 = 0;
  for (let i: u32 = 1; i < count; i++) {
    sum += load<u8>(min<usize>(block + load<u32>(restarts + i * RESTART_BYTES), restarts));
  }
  touched = sum;
}

/**
 * No key is put together here. Of the key before, which is less than the one that is looked for, it is known
 * how far the two agree; an entry that shares more with it is less too, and one that shares less is greater.
 */
export function findInBlock(
  block: usize,
  bytes: u32,
  key: usize,
  keyLength: u32,
  snapshot: f64,
  found: usize,
): i32 {
  const restarts = restartsOf(block, bytes);
  if (restarts == 0) return -1;
  const all = restartCount(block, bytes);
  touchRestarts(block, restarts, all);
  const restart = restartBefore(block, restarts, all, key, keyLength);
  if (restart < 0) return -1;
  const base = baseSequence(block, bytes);
  const slot = restarts + restart * RESTART_BYTES;
  let at = block + load<u32>(slot);
  // The place of the next restart is where the entries of this one end, if the block is as it should be.
  touch(at, <u32>restart + 1 < all ? min<usize>(block + load<u32>(slot, RESTART_BYTES), restarts) : restarts);
  let agreed: u32 = 0;
  let isSame = false;
  while (at < restarts) {
    const tail = readEntry(at, restarts);
    if (tail == 0) return -1;
    if (shared < agreed) {
      if (shared != 0) return KIND_NONE;
      // A restart says nothing of the key before.
      agreed = 0;
    }
    if (shared == agreed) {
      const wanted = keyLength - agreed;
      const most = min<u32>(rest, wanted);
      const common = commonPrefix(tail, key + agreed, most);
      if (common < most) {
        if (load<u8>(tail + common) > load<u8>(key + agreed + common)) return KIND_NONE;
        if (isSame) return -1;
      } else if (rest > wanted) {
        return KIND_NONE;
      } else if (rest == wanted) {
        if (!isSequence(base, meta)) return -1;
        const sequence = <f64>(base + (meta >> 2));
        if (sequence < snapshot) {
          store<u32>(found, <u32>(tail + rest), FOUND_VALUE);
          store<u32>(found, valueLength, FOUND_VALUE_LENGTH);
          store<f64>(found, sequence, FOUND_SEQUENCE);
          return <i32>(meta & 3);
        }
        isSame = true;
      }
      agreed += common;
    }
    at = tail + rest + valueLength;
  }
  return isSame ? FOUND_MORE : KIND_NONE;
}

export function decodeBlock(block: usize, bytes: u32, out: usize, outBytes: u32): i32 {
  const restarts = restartsOf(block, bytes);
  if (restarts == 0) return -1;
  const count = entryCount(block, bytes);
  if (<u64>count * ROW_ENTRY_BYTES > <u64>outBytes) return -1;
  const base = baseSequence(block, bytes);
  const end = out + outBytes;
  let keysAt = out + count * ROW_ENTRY_BYTES;
  let at = block;
  let last: usize = 0;
  let lastLength: u32 = 0;
  let lastSequence: f64 = 0;
  let row = out;
  let restart = restarts;
  const tailAt = restarts + restartCount(block, bytes) * RESTART_BYTES;
  for (let i: u32 = 0; i < count; i++) {
    if (at >= restarts) return -1;
    const tail = readEntry(at, restarts);
    if (tail == 0 || shared > lastLength || !isSequence(base, meta)) return -1;
    if (restart < tailAt && load<u32>(restart) == <u32>(at - block)) {
      if (shared != 0) return -1;
      restart += RESTART_BYTES;
    }
    const length = shared + rest;
    const kind = <u32>(meta & 3);
    if (length == 0 || length > <u32>KEY_BYTES_MAX || kind == KIND_NONE) return -1;
    const sequence = <f64>(base + (meta >> 2));
    let key = tail;
    let isSame = false;
    if (i > 0) {
      if (shared == lastLength) {
        isSame = rest == 0;
      } else if (rest == 0 || load<u8>(tail) <= load<u8>(last + shared)) {
        // A restart has its key as a whole, and so has nothing in common with the one before by this measure.
        if (shared != 0) return -1;
        const order = compareKeys(last, lastLength, tail, rest);
        if (order > 0) return -1;
        isSame = order == 0;
      }
      if (isSame) {
        if (sequence >= lastSequence) return -1;
        key = last;
      } else if (shared != 0) {
        if (length > <u32>(end - keysAt)) return -1;
        key = keysAt;
        copy(key, last, shared);
        copy(key + shared, tail, rest);
        keysAt += length;
      }
    }
    store<u64>(row, prefixOf(key, length), ROW_PREFIX);
    store<f64>(row, sequence, ROW_SEQUENCE);
    store<u32>(row, <u32>key, ROW_KEY);
    store<u16>(row, length, ROW_KEY_LENGTH);
    store<u8>(row, kind, ROW_KIND);
    store<u32>(row, <u32>(tail + rest), ROW_VALUE);
    store<u32>(row, valueLength, ROW_VALUE_LENGTH);
    last = key;
    lastLength = length;
    lastSequence = sequence;
    row += ROW_ENTRY_BYTES;
    at = tail + rest + valueLength;
  }
  return at == restarts && restart == tailAt && load<u32>(restarts) == 0 ? <i32>count : -1;
}

export function moveBytes(to: usize, from: usize, bytes: u32): void {
  memory.copy(to, from, bytes);
}

export function seekRows(rows: usize, count: i32, key: usize, keyLength: u32, after: i32): i32 {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows + middle * ROW_ENTRY_BYTES;
    const order = compareKeys(load<u32>(row, ROW_KEY), load<u16>(row, ROW_KEY_LENGTH), key, keyLength);
    if (order < after) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function seekRun(run: usize, count: i32, key: usize, keyLength: u32): i32 {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const cell = <usize>load<u32>(run + middle * RUN_ENTRY_BYTES);
    if (compareKeys(cell + CELL_KEY, load<u16>(cell, CELL_KEY_LENGTH), key, keyLength) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Whether a block is an index: all its keys are whole. */
// @ts-ignore: decorator
@inline
function isIndex(block: usize, bytes: u32): bool {
  return entryCount(block, bytes) == restartCount(block, bytes);
}

export function seekIndex(block: usize, bytes: u32, key: usize, keyLength: u32, fields: usize): i32 {
  const restarts = restartsOf(block, bytes);
  if (restarts == 0 || !isIndex(block, bytes)) return -1;
  const count = restartCount(block, bytes);
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareRestart(block, restarts, middle, key, keyLength);
    if (order == BROKEN) return -1;
    if (order < 0) low = middle + 1;
    else high = middle;
  }
  if (low < count && fields != 0 && readIndex(block, bytes, low, fields) < 0) return -1;
  return low;
}

export function readIndex(block: usize, bytes: u32, index: i32, fields: usize): i32 {
  const restarts = restartsOf(block, bytes);
  if (restarts == 0 || !isIndex(block, bytes)) return -1;
  if (<u32>index >= restartCount(block, bytes)) return -1;
  const at = block + load<u32>(restarts + index * RESTART_BYTES);
  if (at >= restarts) return -1;
  const tail = readEntry(at, restarts);
  if (tail == 0 || shared != 0) return -1;
  const value = tail + rest;
  const count = readFields(value, value + valueLength, fields, INDEX_FIELDS_MAX);
  store<i32>(fields, count, INDEX_FIELDS_COUNT);
  return count;
}
