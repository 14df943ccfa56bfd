/**
 * CRC-32C (Castagnoli): slicing by 16.
 */

import { SCRATCH_BYTES, TABLES_BYTES } from '../src/memory/layout';

/** The polynomial 0x1EDC6F41, bits reversed. */
const POLYNOMIAL: u32 = 0x82f63b78;

/** Table k, of 256 u32: the checksum of one byte with k zero bytes behind it, from an empty state. */
const TABLE_BYTES = 1024;

/** Set by `init`, once in each instance. */
let tables: usize = 0;
let scratch: usize = 0;

export function init(tablesAddress: usize, scratchAddress: usize, build: i32): void {
  assert(tablesAddress + TABLES_BYTES <= scratchAddress || scratchAddress + SCRATCH_BYTES <= tablesAddress);
  tables = tablesAddress;
  scratch = scratchAddress;
  if (build == 0) return;
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (POLYNOMIAL & -(crc & 1));
    store<u32>(tables + (byte << 2), crc);
  }
  for (let entry = tables; entry < tables + TABLES_BYTES - TABLE_BYTES; entry += 4) {
    const crc = load<u32>(entry);
    store<u32>(entry, (crc >> 8) ^ load<u32>(tables + ((crc & 0xff) << 2)), TABLE_BYTES);
  }
}

export function crc32c(address: usize, length: u32, crc: u32): u32 {
  assert(tables != 0);
  return ~slice(address, length, ~crc);
}

/**
 * Slicing by 16 over `length` bytes, any number. What does not fill 16 bytes comes first, behind zeros:
 * zeros leave an empty state empty, so the state is moved to where the bytes begin. This reads up to
 * 15 bytes beyond the end.
 */
function slice(at: usize, length: u32, state: u32): u32 {
  const head = length & 15;
  const end = at + length;
  if (head != 0) {
    let low = load<u64>(at) ^ state;
    let high = load<u64>(at, 8);
    const padding: u32 = 16 - head;
    if (padding >= 8) {
      high = low << ((padding - 8) << 3);
      low = 0;
    } else {
      high = (high << (padding << 3)) | (low >> ((8 - padding) << 3));
      low <<= padding << 3;
    }
    // Of a state that is longer than the head, the rest falls on the bytes that follow.
    state = step16(low, high) ^ select<u32>(state >> ((head & 3) << 3), 0, head < 4);
    at += head;
  }
  while (at < end) {
    state = step16(load<u64>(at) ^ state, load<u64>(at, 8));
    at += 16;
  }
  return state;
}

/**
 * The state after 16 bytes. The lookups that depend on the state before are the last in the sum, so that
 * the others do not wait for it.
 */
// @ts-ignore: decorator
@inline
function step16(low: u64, high: u64): u32 {
  const rest =
    (lookup(11, <u32>(low >> 32)) ^ lookup(10, <u32>(low >> 40)) ^ (lookup(9, <u32>(low >> 48)) ^ lookup(8, <u32>(low >> 56)))) ^
    ((lookup(7, <u32>high) ^ lookup(6, <u32>(high >> 8))) ^ (lookup(5, <u32>(high >> 16)) ^ lookup(4, <u32>(high >> 24)))) ^
    ((lookup(3, <u32>(high >> 32)) ^ lookup(2, <u32>(high >> 40))) ^ (lookup(1, <u32>(high >> 48)) ^ lookup(0, <u32>(high >> 56))));
  const word = <u32>low;
  return rest ^ ((lookup(15, word) ^ lookup(14, word >> 8)) ^ (lookup(13, word >> 16) ^ lookup(12, word >> 24)));
}

// @ts-ignore: decorator
@inline
function lookup(table: i32, byte: u32): u32 {
  return load<u32>(tables + ((byte & 0xff) << 2) + table * TABLE_BYTES);
}
