/**
 * CRC-32C (Castagnoli): the kernel, which chooses the method by the length.
 *
 * Nanoseconds a call on an AMD EPYC (Zen 4), Node 20, where each method takes over:
 *
 *     bytes    128   160   |  512   640   768  |  12 Ki   16 Ki   20 Ki   64 Ki
 *     slice     43    52   |
 *     fold8     45    47   |   74    84    94  |
 *     fold6                |   76    82    90  |    681     894    1084    3455
 *     fold4                |                   |            885     993    2390
 *
 * On an Intel Xeon (Sapphire Rapids) the first two lie at 224 and 640.
 */

import { SCRATCH_BYTES, TABLES_BYTES } from '../src/memory/layout';
import { fold6, fold8 } from './crc32c-fold';
import { fold4 } from './crc32c-ring';
import { buildTables, hasTables, setTables, SLICE_SCRATCH, sliceHead, sliceWhole } from './crc32c-slice';

/** The least bytes for each method; below, bytes are looked up in tables. */
const FOLD8_BYTES: u32 = 160;
const FOLD6_BYTES: u32 = 640;
const FOLD4_BYTES: u32 = 16384;

/** This thread's own; its last bytes belong to `sliceWhole`. */
let scratch: usize = 0;

export function init(tablesAddress: usize, scratchAddress: usize, build: i32): void {
  assert(tablesAddress + TABLES_BYTES <= scratchAddress || scratchAddress + SCRATCH_BYTES <= tablesAddress);
  scratch = scratchAddress;
  setTables(tablesAddress, scratchAddress + SCRATCH_BYTES - SLICE_SCRATCH);
  if (build != 0) buildTables();
}

export function crc32c(address: usize, length: u32, crc: u32): u32 {
  assert(hasTables());
  let state = ~crc;
  // What does not fill a vector comes first, except where the vectors are many: there, aligned loads are
  // worth having such bytes at both ends.
  if (ASC_FEATURE_SIMD) {
    if (length >= FOLD4_BYTES) {
      const head: u32 = -(<u32>address) & 15;
      if (head != 0) state = sliceHead(address, head, state);
      state = fold4(address + head, (length - head) >> 4, state, scratch);
      const tail: u32 = (length - head) & 15;
      if (tail != 0) state = sliceHead(address + length - tail, tail, state);
      return ~state;
    }
  }
  const head = length & 15;
  if (head != 0) state = sliceHead(address, head, state);
  const at = address + head;
  const count = length >> 4;
  if (ASC_FEATURE_SIMD) {
    if (length >= FOLD6_BYTES) return ~fold6(at, <i32>count, state, scratch);
    if (length >= FOLD8_BYTES) return ~fold8(at, <i32>count, state, scratch);
  }
  return ~sliceWhole(at, count, state);
}
