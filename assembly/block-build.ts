/** Building blocks: entries in order, each cut short by what its key shares with the one before. */

import { KIND_DELETE, KIND_PUT } from '../src/memory/lsm-layout';
import {
  BLOCK_TAIL_BASE,
  BLOCK_TAIL_BYTES,
  BLOCK_TAIL_ENTRIES,
  BLOCK_TAIL_RESTARTS,
  BLOCK_TRAILER_BYTES,
  BLOCK_TRAILER_CHECKSUM,
  BUILDER_ALL_ENTRIES,
  BUILDER_AT,
  BUILDER_BASE,
  BUILDER_ENTRIES,
  BUILDER_GREATEST_SEQUENCE,
  BUILDER_HASH_COUNT,
  BUILDER_HASHES,
  BUILDER_INTERVAL,
  BUILDER_KEY_BYTES,
  BUILDER_LARGEST_ENTRY,
  BUILDER_LAST_KEY,
  BUILDER_LAST_KEY_LENGTH,
  BUILDER_LEAST_SEQUENCE,
  BUILDER_LEVEL_BYTES,
  BUILDER_LONGEST_KEY,
  BUILDER_MOST_DECODED,
  BUILDER_RAW_KEY_BYTES,
  BUILDER_RAW_VALUE_BYTES,
  BUILDER_RESTART_COUNT,
  BUILDER_RESTARTS,
  BUILDER_START,
  BUILDER_TAGGING,
  BUILDER_TAGS,
  BUILDER_TOMBSTONES,
  RESTART_BYTES,
  ROW_ENTRY_BYTES,
  TAG_HASHES,
  TAG_LEVELS,
  TAGS_EVENTS,
} from '../src/memory/table-layout';
import { filterHash } from './bloom';
import { copy, writeVarint32, writeVarint64 } from './bytes';
import { crc32c } from './crc32c';
import { commonPrefix } from './key-prefix';

/** Appends an entry to the block, for which there must be room. */
// @ts-ignore: decorator
@inline
export function appendEntry(
  builder: usize,
  key: usize,
  keyLength: u32,
  value: usize,
  valueLength: u32,
  sequence: f64,
  kind: u32,
): void {
  const start = <usize>load<u32>(builder, BUILDER_START);
  const entries = load<u32>(builder, BUILDER_ENTRIES);
  const restarts = load<u32>(builder, BUILDER_RESTART_COUNT);
  const last = <usize>load<u32>(builder, BUILDER_LAST_KEY);
  const lastLength = load<i32>(builder, BUILDER_LAST_KEY_LENGTH);
  let at = <usize>load<u32>(builder, BUILDER_AT);
  let shared: u32 = 0;
  if (entries == restarts * load<u32>(builder, BUILDER_INTERVAL)) {
    const slot = <usize>load<u32>(builder, BUILDER_RESTARTS) + restarts * RESTART_BYTES;
    store<u32>(slot, <u32>(at - start));
    store<u32>(builder, restarts + 1, BUILDER_RESTART_COUNT);
  } else {
    shared = commonPrefix(last, key, min<u32>(<u32>lastLength, keyLength));
  }
  const rest = keyLength - shared;
  const number = ((<u64>(sequence - load<f64>(builder, BUILDER_BASE))) << 2) | kind;
  at = writeVarint32(at, shared);
  at = writeVarint32(at, rest);
  at = writeVarint32(at, valueLength);
  at = writeVarint64(at, number);
  copy(at, key + shared, rest);
  at += rest;
  copy(at, value, valueLength);
  store<u32>(builder, <u32>at + valueLength, BUILDER_AT);
  store<u32>(builder, entries + 1, BUILDER_ENTRIES);
  store<u32>(builder, load<u32>(builder, BUILDER_KEY_BYTES) + keyLength, BUILDER_KEY_BYTES);
  const isNew = shared != keyLength || <u32>lastLength != keyLength;
  copy(last + shared, key + shared, rest);
  store<i32>(builder, <i32>keyLength, BUILDER_LAST_KEY_LENGTH);
  if (isNew) noteHash(builder, key, keyLength);
}

/** Notes the hash of a key, for the filter. */
// @ts-ignore: decorator
@inline
function noteHash(builder: usize, key: usize, keyLength: u32): void {
  const hashes = <usize>load<u32>(builder, BUILDER_HASHES);
  if (hashes == 0) return;
  const count = load<u32>(builder, BUILDER_HASH_COUNT);
  store<u32>(hashes + (count << 2), filterHash(key, keyLength));
  store<u32>(builder, count + 1, BUILDER_HASH_COUNT);
}

/** Notes the tags of a log entry, and counts its bytes for its level. */
function noteTags(builder: usize, keyLength: u32, value: usize, valueLength: u32, kind: u32): void {
  // What does not lie in memory has a block of its own, which has all tags.
  if (kind == KIND_PUT && value == 0) return;
  let tags: u64 = -1;
  if (kind == KIND_PUT && valueLength >= 2) {
    const level = <u32>load<u8>(value);
    const hash = <u32>load<u8>(value, 1);
    if (level < <u32>TAG_LEVELS && hash < <u32>TAG_HASHES) {
      tags = ((<u64>1) << level) | ((<u64>1) << (<u32>TAG_LEVELS + hash));
      const at = builder + (level << 3);
      store<f64>(at, load<f64>(at, BUILDER_LEVEL_BYTES) + <f64>(keyLength + valueLength), BUILDER_LEVEL_BYTES);
    }
  }
  store<u64>(builder, load<u64>(builder, BUILDER_TAGS) | tags, BUILDER_TAGS);
}

/**
 * Counts an entry as one of the table.
 *
 * @param value 0 where it does not lie in memory
 */
// @ts-ignore: decorator
@inline
export function countEntry(
  builder: usize,
  keyLength: u32,
  value: usize,
  valueLength: u32,
  sequence: f64,
  kind: u32,
): void {
  if (load<u32>(builder, BUILDER_TAGGING) == TAGS_EVENTS) noteTags(builder, keyLength, value, valueLength, kind);
  store<f64>(builder, load<f64>(builder, BUILDER_ALL_ENTRIES) + 1, BUILDER_ALL_ENTRIES);
  if (kind == KIND_DELETE) store<f64>(builder, load<f64>(builder, BUILDER_TOMBSTONES) + 1, BUILDER_TOMBSTONES);
  store<f64>(builder, load<f64>(builder, BUILDER_RAW_KEY_BYTES) + <f64>keyLength, BUILDER_RAW_KEY_BYTES);
  store<f64>(builder, load<f64>(builder, BUILDER_RAW_VALUE_BYTES) + <f64>valueLength, BUILDER_RAW_VALUE_BYTES);
  if (sequence < load<f64>(builder, BUILDER_LEAST_SEQUENCE)) store<f64>(builder, sequence, BUILDER_LEAST_SEQUENCE);
  if (sequence > load<f64>(builder, BUILDER_GREATEST_SEQUENCE)) {
    store<f64>(builder, sequence, BUILDER_GREATEST_SEQUENCE);
  }
  if (keyLength > load<u32>(builder, BUILDER_LONGEST_KEY)) store<u32>(builder, keyLength, BUILDER_LONGEST_KEY);
  if (keyLength + valueLength > load<u32>(builder, BUILDER_LARGEST_ENTRY)) {
    store<u32>(builder, keyLength + valueLength, BUILDER_LARGEST_ENTRY);
  }
}

export function addEntry(
  builder: usize,
  key: usize,
  keyLength: u32,
  value: usize,
  valueLength: u32,
  sequence: f64,
  kind: u32,
): void {
  assert(keyLength > 0 && kind != 0);
  appendEntry(builder, key, keyLength, value, valueLength, sequence, kind);
  countEntry(builder, keyLength, value, valueLength, sequence, kind);
}

export function finishBlock(builder: usize): i32 {
  const start = <usize>load<u32>(builder, BUILDER_START);
  const entries = load<u32>(builder, BUILDER_ENTRIES);
  const restarts = load<u32>(builder, BUILDER_RESTART_COUNT);
  assert(entries > 0);
  let at = <usize>load<u32>(builder, BUILDER_AT);
  memory.copy(at, <usize>load<u32>(builder, BUILDER_RESTARTS), restarts * RESTART_BYTES);
  at += restarts * RESTART_BYTES;
  store<u64>(at, <u64>load<f64>(builder, BUILDER_BASE), BLOCK_TAIL_BASE);
  store<u32>(at, entries, BLOCK_TAIL_ENTRIES);
  store<u32>(at, restarts, BLOCK_TAIL_RESTARTS);
  const decoded = entries * ROW_ENTRY_BYTES + load<u32>(builder, BUILDER_KEY_BYTES);
  if (decoded > load<u32>(builder, BUILDER_MOST_DECODED)) store<u32>(builder, decoded, BUILDER_MOST_DECODED);
  store<u32>(builder, 0, BUILDER_ENTRIES);
  store<u32>(builder, 0, BUILDER_RESTART_COUNT);
  store<u32>(builder, 0, BUILDER_KEY_BYTES);
  store<i32>(builder, -1, BUILDER_LAST_KEY_LENGTH);
  return <i32>(at + BLOCK_TAIL_BYTES - start);
}

export function sealBlock(address: usize, bytes: u32, compression: u32): void {
  store<u8>(address + bytes, compression);
  store<u32>(address + bytes, crc32c(address, bytes + 1, 0), BLOCK_TRAILER_CHECKSUM);
}

export function openBlock(address: usize, storedBytes: u32): i32 {
  if (storedBytes <= <u32>BLOCK_TRAILER_BYTES) return -1;
  const bytes = storedBytes - BLOCK_TRAILER_BYTES;
  if (load<u32>(address + bytes, BLOCK_TRAILER_CHECKSUM) != crc32c(address, bytes + 1, 0)) return -1;
  return load<u8>(address + bytes);
}

/**
 * The shortest key that is not less than `a` and less than `b`, which is greater than `a`: where they first
 * differ, one more, if that leaves it below `b`; else one more at a later byte.
 */
export function separate(a: usize, aLength: u32, b: usize, bLength: u32, out: usize): i32 {
  const common = commonPrefix(a, b, min<u32>(aLength, bLength));
  copy(out, a, aLength);
  if (common == aLength) return <i32>aLength;
  let at = common;
  // In the last byte of b, one more would be b, or greater.
  if (<u32>load<u8>(a + at) + 1 >= <u32>load<u8>(b + at)) at++;
  while (at < aLength && load<u8>(a + at) == 0xff) at++;
  if (at >= aLength) return <i32>aLength;
  store<u8>(out + at, load<u8>(a + at) + 1);
  return <i32>at + 1;
}
