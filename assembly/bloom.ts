/**
 * Filters: a blocked Bloom filter (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters",
 * 2007). All bits of a key are in one line of 64 bytes, so a question costs one cache miss. The line is chosen
 * by the upper bits of a hash, the bits in it by what a multiplication makes of the hash, as RocksDB does it.
 */

import { FILTER_LINE_BYTES, FILTER_PROBES } from '../src/memory/table-layout';

// The constants of MurmurHash64A (Austin Appleby).
// @ts-ignore: decorator
@inline const MURMUR_MULTIPLIER: u64 = 0xc6a4a7935bd1e995;
// @ts-ignore: decorator
@inline const MURMUR_SHIFT: u64 = 47;
/** 2^32 divided by the golden ratio. */
// @ts-ignore: decorator
@inline const GOLDEN: u32 = 0x9e3779b9;

/** MurmurHash64A with the seed 0, its two halves folded together. At most 7 bytes behind the key are read. */
export function filterHash(key: usize, length: u32): u32 {
  let hash: u64 = <u64>length * MURMUR_MULTIPLIER;
  let left = length;
  while (left >= 8) {
    let word = load<u64>(key) * MURMUR_MULTIPLIER;
    word ^= word >> MURMUR_SHIFT;
    hash = (hash ^ (word * MURMUR_MULTIPLIER)) * MURMUR_MULTIPLIER;
    key += 8;
    left -= 8;
  }
  if (left > 0) {
    const word = load<u64>(key) & ((<u64>1 << (<u64>left << 3)) - 1);
    hash = (hash ^ word) * MURMUR_MULTIPLIER;
  }
  hash ^= hash >> MURMUR_SHIFT;
  hash *= MURMUR_MULTIPLIER;
  hash ^= hash >> MURMUR_SHIFT;
  return <u32>hash ^ <u32>(hash >> 32);
}

// @ts-ignore: decorator
@inline
function lineOf(filter: usize, lines: u32, hash: u32): usize {
  return filter + <usize>((<u64>hash * <u64>lines) >> 32) * FILTER_LINE_BYTES;
}

export function buildFilter(hashes: usize, count: i32, filter: usize, lines: u32): void {
  memory.fill(filter, 0, lines * FILTER_LINE_BYTES);
  const end = hashes + (<usize>count << 2);
  for (let at = hashes; at < end; at += 4) {
    const hash = load<u32>(at);
    const line = lineOf(filter, lines, hash);
    let bits = hash * GOLDEN;
    for (let i = 0; i < FILTER_PROBES; i++) {
      const byte = line + (bits >> 26);
      store<u8>(byte, <u32>load<u8>(byte) | (<u32>1 << ((bits >> 23) & 7)));
      bits *= GOLDEN;
    }
  }
}

export function filterHas(filter: usize, lines: u32, hash: u32): i32 {
  const line = lineOf(filter, lines, hash);
  let bits = hash * GOLDEN;
  for (let i = 0; i < FILTER_PROBES; i++) {
    if (((<u32>load<u8>(line + (bits >> 26)) >> ((bits >> 23) & 7)) & 1) == 0) return 0;
    bits *= GOLDEN;
  }
  return 1;
}
