/** Compaction: a map of keys, and batches made of the records that stay. See src/memory/key-map-layout.ts. */

import {
  COLUMN_BYTES,
  COLUMN_END,
  COLUMN_KEY,
  COLUMN_KEY_LENGTH,
  COLUMN_OFFSET_DELTA,
  COLUMN_TIMESTAMP,
  RECORD_OVERHEAD_MAX,
  SLACK_BYTES,
} from '../src/memory/layout';
import {
  GATHERED_BASE_OFFSET,
  GATHERED_BASE_TIMESTAMP,
  GATHERED_COUNT,
  GATHERED_COUNT_MAX,
  GATHERED_END,
  GATHERED_FULL,
  GATHERED_LAST_DELTA,
  GATHERED_MAX_TIMESTAMP,
  GATHERED_NEXT,
  KEEP_LAST,
  KEY_MAP_BIT_COUNT,
  KEY_MAP_BITS,
  KEY_MAP_END,
  KEY_MAP_LIMIT,
  KEY_MAP_NEXT,
  KEY_MAP_SLOT_COUNT,
  KEY_MAP_SLOTS,
  KEY_MAP_USED,
  KEY_MAP_WITHIN,
  KEY_SLOT_BYTES,
  KEY_SLOT_CELL,
  KEY_SLOT_LONG,
  KEY_SLOT_NUMBER,
  KEY_SLOT_TAG,
  WHOLE_RECORD_BYTES,
  WHOLE_RECORD_KEY_LENGTH,
} from '../src/memory/key-map-layout';
import {
  copy,
  varint32Bytes,
  varint64Bytes,
  writeVarint32,
  writeVarint64,
  zigzag32,
  zigzag64,
} from './bytes';
import { equalKeys } from './keys';

// @ts-ignore: decorator
@inline const MULTIPLIER_A: u64 = 0x9e3779b97f4a7c15;
// @ts-ignore: decorator
@inline const MULTIPLIER_B: u64 = 0xd6e8feb86659fd93;

/** 64 bits of hash: the upper half chooses the slot, of the lower half 24 bits go into the tag. Never on disk. */
// @ts-ignore: decorator
@inline
function hash64(key: usize, length: u32): u64 {
  let hash: u64 = (<u64>length + 1) * MULTIPLIER_A;
  let left = length;
  while (left >= 8) {
    hash = (hash ^ load<u64>(key)) * MULTIPLIER_B;
    hash ^= hash >> 32;
    key += 8;
    left -= 8;
  }
  if (left > 0) {
    hash = (hash ^ (load<u64>(key) << (64 - (<u64>left << 3)))) * MULTIPLIER_B;
    hash ^= hash >> 32;
  }
  hash *= MULTIPLIER_A;
  return hash ^ (hash >> 29);
}

/** The slot that has a key, or the empty one where it would be. */
// @ts-ignore: decorator
@inline
function seek(slots: usize, end: usize, hash: u64, tag: u32, key: usize, length: u32): usize {
  const count = <u64>((end - slots) / KEY_SLOT_BYTES);
  let slot = slots + <usize>(((hash >> 32) * count) >> 32) * KEY_SLOT_BYTES;
  while (load<u32>(slot, KEY_SLOT_CELL) != 0) {
    const cell: usize = load<u32>(slot, KEY_SLOT_CELL);
    if (load<u32>(slot, KEY_SLOT_TAG) == tag) {
      if (length < <u32>KEY_SLOT_LONG) {
        if (equalKeys(cell, key, length)) return slot;
      } else if (load<u32>(cell) == length && equalKeys(cell + 4, key, length)) return slot;
    }
    slot += KEY_SLOT_BYTES;
    if (slot == end) slot = slots;
  }
  return slot;
}

// @ts-ignore: decorator
@inline
function tagOf(hash: u64, length: u32): u32 {
  return ((<u32>hash) << 8) | min<u32>(length, KEY_SLOT_LONG);
}

// @ts-ignore: decorator
@inline
function mark(bits: usize, number: u32): void {
  const at = bits + (number >> 3);
  store<u8>(at, load<u8>(at) | (<u8>1 << <u8>(number & 7)));
}

export function mapKeys(map: usize, columns: usize, count: i32, from: i32, number: i32, keep: i32): i32 {
  assert(from >= 0 && from <= count && number >= 0);
  const slots: usize = load<u32>(map, KEY_MAP_SLOTS);
  const slotsEnd = slots + <usize>load<u32>(map, KEY_MAP_SLOT_COUNT) * KEY_SLOT_BYTES;
  const bits: usize = load<u32>(map, KEY_MAP_BITS);
  const bitCount = load<u32>(map, KEY_MAP_BIT_COUNT);
  const limit = load<u32>(map, KEY_MAP_LIMIT);
  const arenaEnd: usize = load<u32>(map, KEY_MAP_END);
  const within = load<u32>(map, KEY_MAP_WITHIN);
  let used = load<u32>(map, KEY_MAP_USED);
  let next: usize = load<u32>(map, KEY_MAP_NEXT);
  let i = from;
  for (; i < count; i++) {
    const column = columns + <usize>i * COLUMN_BYTES;
    const own = <u32>(number + i);
    if (own >= bitCount) break;
    const keyLength = load<i32>(column, COLUMN_KEY_LENGTH);
    if (keyLength < 0) continue;
    const length = <u32>keyLength;
    const key: usize = load<u32>(column, COLUMN_KEY);
    const hash = hash64(key, length);
    const tag = tagOf(hash, length);
    const slot = seek(slots, slotsEnd, hash, tag, key, length);
    if (load<u32>(slot, KEY_SLOT_CELL) != 0) {
      const before = load<u32>(slot, KEY_SLOT_NUMBER);
      if (own - before <= within) {
        const keepsLast = keep == KEEP_LAST || load<i32>(key, WHOLE_RECORD_KEY_LENGTH) >= 0;
        mark(bits, keepsLast ? before : own);
      }
      store<u32>(slot, own, KEY_SLOT_NUMBER);
      continue;
    }
    const isLong = length >= <u32>KEY_SLOT_LONG;
    // Comparing reads a little behind a key, and copying a short one writes there.
    const bytes = <usize>length + (isLong ? 4 : 0);
    if (used == limit || next + bytes + SLACK_BYTES > arenaEnd) break;
    store<u32>(slot, tag, KEY_SLOT_TAG);
    store<u32>(slot, <u32>next, KEY_SLOT_CELL);
    store<u32>(slot, own, KEY_SLOT_NUMBER);
    if (isLong) store<u32>(next, length);
    copy(next + (isLong ? 4 : 0), key, length);
    next += bytes;
    // An address says that a slot is in use, and keys without bytes need one, too: it may be the next one's.
    used++;
  }
  store<u32>(map, used, KEY_MAP_USED);
  store<u32>(map, <u32>next, KEY_MAP_NEXT);
  return i;
}

export function findKeys(map: usize, columns: usize, count: i32, found: usize): i32 {
  const slots: usize = load<u32>(map, KEY_MAP_SLOTS);
  const slotsEnd = slots + <usize>load<u32>(map, KEY_MAP_SLOT_COUNT) * KEY_SLOT_BYTES;
  let total = 0;
  let column = columns;
  for (let i = 0; i < count; i++) {
    const keyLength = load<i32>(column, COLUMN_KEY_LENGTH);
    let isThere = 0;
    if (keyLength >= 0) {
      const key: usize = load<u32>(column, COLUMN_KEY);
      const hash = hash64(key, <u32>keyLength);
      const slot = seek(slots, slotsEnd, hash, tagOf(hash, <u32>keyLength), key, <u32>keyLength);
      isThere = load<u32>(slot, KEY_SLOT_CELL) != 0 ? 1 : 0;
    }
    store<u8>(found + i, isThere);
    total += isThere;
    column += COLUMN_BYTES;
  }
  return total;
}

export function wholeRecords(columns: usize, count: i32, out: usize): usize {
  let at = out;
  let column = columns;
  for (let i = 0; i < count; i++) {
    const key: usize = load<u32>(column, COLUMN_KEY);
    const rest = <u32>(<usize>load<u32>(column, COLUMN_END) - key);
    store<f64>(at, load<f64>(column, COLUMN_TIMESTAMP));
    store<i32>(at, load<i32>(column, COLUMN_KEY_LENGTH), WHOLE_RECORD_KEY_LENGTH);
    memory.copy(at + WHOLE_RECORD_BYTES, key, rest);
    store<u32>(column, <u32>at, COLUMN_KEY);
    store<u32>(column, rest + WHOLE_RECORD_BYTES, COLUMN_KEY_LENGTH);
    at += rest + WHOLE_RECORD_BYTES;
    column += COLUMN_BYTES;
  }
  return at;
}

export function gatherRecords(
  gathered: usize,
  columns: usize,
  count: i32,
  from: i32,
  kept: usize,
  baseOffset: f64,
): i32 {
  const end: usize = load<u32>(gathered, GATHERED_END);
  const full: usize = load<u32>(gathered, GATHERED_FULL);
  const countMax = load<i32>(gathered, GATHERED_COUNT_MAX);
  const base = load<f64>(gathered, GATHERED_BASE_TIMESTAMP);
  const shift = <i32>(baseOffset - load<f64>(gathered, GATHERED_BASE_OFFSET));
  let at: usize = load<u32>(gathered, GATHERED_NEXT);
  let records = load<i32>(gathered, GATHERED_COUNT);
  let lastDelta = load<i32>(gathered, GATHERED_LAST_DELTA);
  let latest = load<f64>(gathered, GATHERED_MAX_TIMESTAMP);
  let i = from;
  for (; i < count; i++) {
    if (load<u8>(kept + i) == 0) continue;
    const column = columns + <usize>i * COLUMN_BYTES;
    const key: usize = load<u32>(column, COLUMN_KEY);
    const rest = <u32>(<usize>load<u32>(column, COLUMN_END) - key);
    const bound = at + rest + RECORD_OVERHEAD_MAX;
    if (records > 0 && (bound > full || records == countMax)) break;
    if (bound > end) break;
    const timestamp = load<f64>(column, COLUMN_TIMESTAMP);
    const delta = load<i32>(column, COLUMN_OFFSET_DELTA) + shift;
    at = writeRecord(at, column, key, rest, <i64>(timestamp - base), delta);
    latest = max<f64>(latest, timestamp);
    lastDelta = delta;
    records++;
  }
  store<u32>(gathered, <u32>at, GATHERED_NEXT);
  store<i32>(gathered, records, GATHERED_COUNT);
  store<i32>(gathered, lastDelta, GATHERED_LAST_DELTA);
  store<f64>(gathered, latest, GATHERED_MAX_TIMESTAMP);
  return i;
}

/** Writes a record, of which all behind the length of its key is as it was. */
// @ts-ignore: decorator
@inline
function writeRecord(at: usize, column: usize, key: usize, rest: u32, timestampDelta: i64, delta: i32): usize {
  const time = zigzag64(timestampDelta);
  const offset = zigzag32(delta);
  const keyLength = zigzag32(load<i32>(column, COLUMN_KEY_LENGTH));
  const body = 1 + varint64Bytes(time) + varint32Bytes(offset) + varint32Bytes(keyLength) + rest;
  at = writeVarint32(at, zigzag32(body));
  store<u8>(at, 0);
  at = writeVarint64(at + 1, time);
  at = writeVarint32(at, offset);
  at = writeVarint32(at, keyLength);
  copy(at, key, rest);
  return at + rest;
}
