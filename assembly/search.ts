/**
 * Binary search over index entries as they lie on disk, big-endian. The loop has no branch on the data,
 * so that its only cost is the cache lines it touches: `base` moves by a conditional add.
 */

import { OFFSET_ENTRY_BYTES, TIME_ENTRY_BYTES } from '../src/memory/layout';
import { load32, load64 } from './bytes';

export function offsetLowerBound(address: usize, count: i32, key: f64): i32 {
  return partition<i32>(address, count, OFFSET_ENTRY_BYTES, <i64>key);
}

export function offsetUpperBound(address: usize, count: i32, key: f64): i32 {
  return partition<i32>(address, count, OFFSET_ENTRY_BYTES, successor(key));
}

export function timeLowerBound(address: usize, count: i32, timestamp: f64): i32 {
  return partition<i64>(address, count, TIME_ENTRY_BYTES, <i64>timestamp);
}

export function timeUpperBound(address: usize, count: i32, timestamp: f64): i32 {
  return partition<i64>(address, count, TIME_ENTRY_BYTES, successor(timestamp));
}

/** The integer after `key`: what is greater than `key` is not less than this. Infinity has none. */
// @ts-ignore: decorator
@inline
function successor(key: f64): i64 {
  const integer = <i64>key;
  return integer == i64.MAX_VALUE ? integer : integer + 1;
}

/** How many entries, from the first on, have a key (an integer of type T, at their start) less than `key`. */
// @ts-ignore: decorator
@inline
function partition<T>(address: usize, count: i32, entryBytes: i32, key: i64): i32 {
  assert(count >= 0);
  if (count == 0) return 0;
  let base = 0;
  let length = count;
  while (length > 1) {
    const half = length >> 1;
    base += select<i32>(half, 0, keyAt<T>(address + (base + half - 1) * entryBytes) < key);
    length -= half;
  }
  return base + i32(keyAt<T>(address + base * entryBytes) < key);
}

// @ts-ignore: decorator
@inline
function keyAt<T>(address: usize): i64 {
  return sizeof<T>() == 4 ? <i64>load32(address) : load64(address);
}
