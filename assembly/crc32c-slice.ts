/**
 * CRC-32C by tables, 16 bytes a step ("slicing by 16", after Kounavis and Berry, 2005): for short input, for
 * what the folds leave over, and for everything where there is no SIMD.
 */

import { TABLES_BYTES } from '../src/memory/layout';

/** The polynomial 0x1EDC6F41, bits reversed. */
const POLYNOMIAL: u32 = 0x82f63b78;

/**
 * Table k, of 256 u32: the state after one byte with k zero bytes behind it, from an empty state. All
 * threads share the tables. This variable, like every one in assembly/, belongs to one instance.
 */
let tables: usize = 0;
const TABLE_BYTES = 1024;

/** Four bytes of this thread's own, for `sliceWhole`. */
let barrier: usize = 0;
export const SLICE_SCRATCH: u32 = 4;

/**
 * Says where the tables are, and scratch of `SLICE_SCRATCH`.
 */
export function setTables(address: usize, scratch: usize): void {
  tables = address;
  barrier = scratch;
}

export function hasTables(): bool {
  return tables != 0;
}

/** Fills the tables. Threads may do so at the same time: they write the same. */
export function buildTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let state = byte;
    for (let bit = 0; bit < 8; bit++) state = (state >> 1) ^ (POLYNOMIAL & -(state & 1));
    store<u32>(tables + (byte << 2), state);
  }
  const last = tables + TABLES_BYTES - TABLE_BYTES;
  for (let entry = tables; entry < last; entry += 4) {
    const state = load<u32>(entry);
    store<u32>(entry, (state >> 8) ^ load<u32>(tables + ((state & 0xff) << 2)), TABLE_BYTES);
  }
}

/**
 * The state after 1 to 15 bytes, of which 16 are read. They are taken for the last of 16, behind zeros: zeros
 * leave an empty state empty, so the state before is moved to where the bytes begin. Of a state that is
 * longer than the bytes, the rest falls on those that follow.
 */
export function sliceHead(at: usize, length: u32, state: u32): u32 {
  const t = tables;
  let low = load<u64>(at) ^ state;
  let high = load<u64>(at, 8);
  const padding = 16 - length;
  if (padding >= 8) {
    high = low << ((padding - 8) << 3);
    low = 0;
  } else {
    high = (high << (padding << 3)) | (low >> ((8 - padding) << 3));
    low <<= padding << 3;
  }
  const rest = select<u32>(state >> ((length & 3) << 3), 0, length < 4);
  const word0 = <u32>low;
  const word1 = <u32>(low >> 32);
  const word2 = <u32>high;
  const word3 = <u32>(high >> 32);
  return (
    rest ^
    (load<u32>(t + ((word0 & 0xff) << 2), 15360) ^
      load<u32>(t + (((word0 >> 8) & 0xff) << 2), 14336) ^
      (load<u32>(t + (((word0 >> 16) & 0xff) << 2), 13312) ^ load<u32>(t + ((word0 >> 24) << 2), 12288))) ^
    (load<u32>(t + ((word1 & 0xff) << 2), 11264) ^
      load<u32>(t + (((word1 >> 8) & 0xff) << 2), 10240) ^
      (load<u32>(t + (((word1 >> 16) & 0xff) << 2), 9216) ^ load<u32>(t + ((word1 >> 24) << 2), 8192))) ^
    (load<u32>(t + ((word2 & 0xff) << 2), 7168) ^
      load<u32>(t + (((word2 >> 8) & 0xff) << 2), 6144) ^
      (load<u32>(t + (((word2 >> 16) & 0xff) << 2), 5120) ^ load<u32>(t + ((word2 >> 24) << 2), 4096))) ^
    (load<u32>(t + ((word3 & 0xff) << 2), 3072) ^
      load<u32>(t + (((word3 >> 8) & 0xff) << 2), 2048) ^
      (load<u32>(t + (((word3 >> 16) & 0xff) << 2), 1024) ^ load<u32>(t + ((word3 >> 24) << 2))))
  );
}

/**
 * The state after `count` times 16 bytes. The four lookups that depend on the state before are added last and
 * to the sum of the others, so that only they wait for it: this order alone is worth a factor of two.
 *
 * What is stored in between is never read. It keeps V8 from doing all 28 loads first, for which there are not
 * enough registers; that would take a tenth longer.
 */
export function sliceWhole(at: usize, count: u32, state: u32): u32 {
  const t = tables;
  const unused = barrier;
  const end = at + (count << 4);
  while (at < end) {
    let rest =
      load<u32>(t + (load<u8>(at, 4) << 2), 11264) ^
      load<u32>(t + (load<u8>(at, 5) << 2), 10240) ^
      (load<u32>(t + (load<u8>(at, 6) << 2), 9216) ^
        load<u32>(t + (load<u8>(at, 7) << 2), 8192) ^
        (load<u32>(t + (load<u8>(at, 8) << 2), 7168) ^ load<u32>(t + (load<u8>(at, 9) << 2), 6144)));
    store<u32>(unused, rest);
    rest ^=
      load<u32>(t + (load<u8>(at, 10) << 2), 5120) ^
      load<u32>(t + (load<u8>(at, 11) << 2), 4096) ^
      (load<u32>(t + (load<u8>(at, 12) << 2), 3072) ^
        load<u32>(t + (load<u8>(at, 13) << 2), 2048) ^
        (load<u32>(t + (load<u8>(at, 14) << 2), 1024) ^ load<u32>(t + (load<u8>(at, 15) << 2))));
    const word = load<u32>(at) ^ state;
    state =
      rest ^
      (load<u32>(t + ((word & 0xff) << 2), 15360) ^
        load<u32>(t + (((word >> 8) & 0xff) << 2), 14336) ^
        (load<u32>(t + (((word >> 16) & 0xff) << 2), 13312) ^ load<u32>(t + ((word >> 24) << 2), 12288)));
    at += 16;
  }
  return state;
}
