/**
 * A lookup in a tree, from its memtables down to its last level, in one call. It looks only at what is in memory;
 * where something is not, or is not as it should be, it says so, and the readers of the tables are asked.
 */

import { KIND_NONE } from '../src/memory/lsm-layout';
import {
  COUNTER_HITS,
  COUNTER_QUESTIONS,
  COUNTER_SPARED,
  LEVEL_BYTES,
  LEVEL_TABLE_COUNT,
  LEVEL_TABLES,
  LOOKUP_ASK,
  LOOKUP_PART_BLOCK_COUNT,
  LOOKUP_PART_BLOCKS,
  LOOKUP_PART_BYTES,
  LOOKUP_PART_FILTER,
  LOOKUP_PART_INDEX,
  LOOKUP_PART_LAST,
  LOOKUP_PART_LAST_LENGTH,
  LOOKUP_TABLE_EXCLUSIVE,
  LOOKUP_TABLE_LARGEST,
  LOOKUP_TABLE_LARGEST_LENGTH,
  LOOKUP_TABLE_PART_COUNT,
  LOOKUP_TABLE_PARTS,
  LOOKUP_TABLE_READY,
  LOOKUP_TABLE_SMALLEST,
  LOOKUP_TABLE_SMALLEST_LENGTH,
  PLACE_ALIGN,
  PLACE_BYTES,
  PLACE_LENGTH,
  VIEW_COUNTERS,
  VIEW_LEVEL_COUNT,
  VIEW_LEVELS,
  VIEW_MEMTABLE_COUNT,
  VIEW_MEMTABLES,
  VIEW_NEWEST,
  VIEW_NEWEST_COUNT,
  WEIGHT_DATA,
  WEIGHT_INDEX,
} from '../src/memory/lookup-layout';
import { FILTER_LINE_BYTES, FOUND_MORE } from '../src/memory/table-layout';
import { findInBlock, seekIndex } from './block-read';
import { filterHas, filterHash } from './bloom';
import { compareKeys, hashKey } from './keys';
import { findInMemtable } from './memtable';

/** Where the block of a place is, which counts as used; 0 where it is not in memory. */
// @ts-ignore: decorator
@inline
export function useBlock(place: usize, weight: u32): usize {
  const at = load<u32>(place);
  const uses = at & (PLACE_ALIGN - 1);
  if (at != 0 && uses != weight) store<u32>(place, (at - uses) | weight);
  return <usize>(at - uses);
}

// @ts-ignore: decorator
@inline
function count(counters: usize, field: usize): void {
  store<f64>(counters + field, load<f64>(counters + field) + 1);
}

/** Whether a table ends before a key. */
// @ts-ignore: decorator
@inline
function endsBefore(table: usize, key: usize, keyLength: u32): bool {
  const largest = <usize>load<u32>(table, LOOKUP_TABLE_LARGEST);
  const order = compareKeys(largest, load<u32>(table, LOOKUP_TABLE_LARGEST_LENGTH), key, keyLength);
  return order < 0 || (order == 0 && load<i32>(table, LOOKUP_TABLE_EXCLUSIVE) != 0);
}

// @ts-ignore: decorator
@inline
function beginsBehind(table: usize, key: usize, keyLength: u32): bool {
  const smallest = <usize>load<u32>(table, LOOKUP_TABLE_SMALLEST);
  return compareKeys(key, keyLength, smallest, load<u32>(table, LOOKUP_TABLE_SMALLEST_LENGTH)) < 0;
}

/** The first part of a table whose last key is not less than a key; how many there are, where all are. */
export function seekPart(table: usize, key: usize, keyLength: i32): i32 {
  const parts = <usize>load<u32>(table, LOOKUP_TABLE_PARTS);
  let low: u32 = 0;
  let high = load<u32>(table, LOOKUP_TABLE_PART_COUNT);
  while (low < high) {
    const middle = (low + high) >> 1;
    const part = parts + middle * LOOKUP_PART_BYTES;
    const last = <usize>load<u32>(part, LOOKUP_PART_LAST);
    if (compareKeys(last, load<u32>(part, LOOKUP_PART_LAST_LENGTH), key, keyLength) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function findInTable(
  table: usize,
  key: usize,
  keyLength: u32,
  hash: u32,
  snapshot: f64,
  found: usize,
  counters: usize,
): i32 {
  if (load<i32>(table, LOOKUP_TABLE_READY) == 0) return LOOKUP_ASK;
  const at = <u32>seekPart(table, key, keyLength);
  if (at == load<u32>(table, LOOKUP_TABLE_PART_COUNT)) return KIND_NONE;
  const part = <usize>load<u32>(table, LOOKUP_TABLE_PARTS) + at * LOOKUP_PART_BYTES;
  const filterPlace = <usize>load<u32>(part, LOOKUP_PART_FILTER);
  if (filterPlace != 0) {
    const filter = useBlock(filterPlace, WEIGHT_INDEX);
    if (filter == 0) return LOOKUP_ASK;
    if (filterHas(filter, load<u32>(filterPlace, PLACE_LENGTH) / FILTER_LINE_BYTES, hash) == 0) {
      count(counters, COUNTER_QUESTIONS);
      count(counters, COUNTER_SPARED);
      return KIND_NONE;
    }
  }
  const indexPlace = <usize>load<u32>(part, LOOKUP_PART_INDEX);
  const index = useBlock(indexPlace, WEIGHT_INDEX);
  if (index == 0) return LOOKUP_ASK;
  const entry = seekIndex(index, load<u32>(indexPlace, PLACE_LENGTH), key, keyLength, 0);
  // Behind the last, the key goes on in the next part.
  if (<u32>entry >= load<u32>(part, LOOKUP_PART_BLOCK_COUNT)) return LOOKUP_ASK;
  const place = <usize>load<u32>(part, LOOKUP_PART_BLOCKS) + <usize>entry * PLACE_BYTES;
  const block = useBlock(place, WEIGHT_DATA);
  if (block == 0) return LOOKUP_ASK;
  const kind = findInBlock(block, load<u32>(place, PLACE_LENGTH), key, keyLength, snapshot, found);
  if (kind < 0 || kind == FOUND_MORE) return LOOKUP_ASK;
  if (filterPlace != 0) count(counters, COUNTER_QUESTIONS);
  count(counters, COUNTER_HITS);
  return kind;
}

/** The first table of a level that does not end before a key; 0 where there is none. */
// @ts-ignore: decorator
@inline
function seekTable(level: usize, key: usize, keyLength: u32): usize {
  const tables = <usize>load<u32>(level, LEVEL_TABLES);
  const all = load<u32>(level, LEVEL_TABLE_COUNT);
  let low: u32 = 0;
  let high = all;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endsBefore(load<u32>(tables + (middle << 2)), key, keyLength)) low = middle + 1;
    else high = middle;
  }
  return low == all ? 0 : load<u32>(tables + (low << 2));
}

export function lookup(view: usize, key: usize, keyLength: i32, snapshot: f64, found: usize): i32 {
  const memtables = <usize>load<u32>(view, VIEW_MEMTABLES);
  const memtablesEnd = memtables + (load<u32>(view, VIEW_MEMTABLE_COUNT) << 2);
  const hash = hashKey(key, keyLength);
  for (let at = memtables; at < memtablesEnd; at += 4) {
    const kind = findInMemtable(load<u32>(at), key, keyLength, hash, snapshot, found);
    if (kind != KIND_NONE) return kind;
  }
  const counters = <usize>load<u32>(view, VIEW_COUNTERS);
  const filterKey = filterHash(key, keyLength);
  const newest = <usize>load<u32>(view, VIEW_NEWEST);
  const newestEnd = newest + (load<u32>(view, VIEW_NEWEST_COUNT) << 2);
  for (let at = newest; at < newestEnd; at += 4) {
    const table = <usize>load<u32>(at);
    if (beginsBehind(table, key, keyLength) || endsBefore(table, key, keyLength)) continue;
    const kind = findInTable(table, key, keyLength, filterKey, snapshot, found, counters);
    if (kind != KIND_NONE) return kind;
  }
  let level = <usize>load<u32>(view, VIEW_LEVELS);
  const levelsEnd = level + load<u32>(view, VIEW_LEVEL_COUNT) * LEVEL_BYTES;
  for (; level < levelsEnd; level += LEVEL_BYTES) {
    const table = seekTable(level, key, keyLength);
    if (table == 0 || beginsBehind(table, key, keyLength)) continue;
    const kind = findInTable(table, key, keyLength, filterKey, snapshot, found, counters);
    if (kind != KIND_NONE) return kind;
  }
  return KIND_NONE;
}
