/**
 * The parts of a block: its tail, and an entry's numbers. What is read here may be damaged: whoever calls looks
 * whether all lies inside the block before following any of it. An entry's numbers, at most 25 bytes, may be
 * read across its end, which is all that is touched outside.
 */

import {
  BLOCK_TAIL_BASE,
  BLOCK_TAIL_BYTES,
  BLOCK_TAIL_ENTRIES,
  BLOCK_TAIL_RESTARTS,
  RESTART_BYTES,
} from '../src/memory/table-layout';

/** The numbers of the entry that `readEntry` read last: globals, because a function returns one value. */
export let shared: u32 = 0;
export let rest: u32 = 0;
export let valueLength: u32 = 0;
export let meta: u64 = 0;

/** Sequence numbers lie below this. */
// @ts-ignore: decorator
@inline const SEQUENCE_LIMIT: u64 = 9007199254740992;

/** Where the varint ends that `readVarint` read last; 0 where it is too long. */
let varintEnd: usize = 0;

/** Reads an unsigned varint of at most so many bits; sets where it ends. */
function readVarint(at: usize, bits: u64): u64 {
  let value: u64 = 0;
  for (let shift: u64 = 0; shift < bits; shift += 7) {
    const byte: u64 = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varintEnd = value >> bits == 0 ? at : 0;
      return value;
    }
  }
  varintEnd = 0;
  return 0;
}

/** The restarts of a block, which begin where its entries end; 0 where the tail contradicts itself. */
// @ts-ignore: decorator
@inline
export function restartsOf(block: usize, bytes: u32): usize {
  if (bytes < <u32>(BLOCK_TAIL_BYTES + RESTART_BYTES)) return 0;
  const tail = block + bytes - BLOCK_TAIL_BYTES;
  const entries = load<u32>(tail, BLOCK_TAIL_ENTRIES);
  const restarts = load<u32>(tail, BLOCK_TAIL_RESTARTS);
  if (restarts == 0 || restarts > entries) return 0;
  if (restarts > (bytes - BLOCK_TAIL_BYTES) / RESTART_BYTES) return 0;
  if (load<u64>(tail, BLOCK_TAIL_BASE) >= SEQUENCE_LIMIT) return 0;
  return tail - restarts * RESTART_BYTES;
}

// @ts-ignore: decorator
@inline
export function restartCount(block: usize, bytes: u32): u32 {
  return load<u32>(block + bytes - BLOCK_TAIL_BYTES, BLOCK_TAIL_RESTARTS);
}

// @ts-ignore: decorator
@inline
export function entryCount(block: usize, bytes: u32): u32 {
  return load<u32>(block + bytes - BLOCK_TAIL_BYTES, BLOCK_TAIL_ENTRIES);
}

// @ts-ignore: decorator
@inline
export function baseSequence(block: usize, bytes: u32): u64 {
  return load<u64>(block + bytes - BLOCK_TAIL_BYTES, BLOCK_TAIL_BASE);
}

/** Whether a sequence number, made of a base and a meta number, is one. */
// @ts-ignore: decorator
@inline
export function isSequence(base: u64, number: u64): bool {
  return base + (number >> 2) < SEQUENCE_LIMIT;
}

/**
 * Reads the numbers of an entry into the globals.
 *
 * @param end where entries end
 * @returns the address of the rest of its key, or 0 where key and value do not fit before the end
 */
// @ts-ignore: decorator
@inline
export function readEntry(at: usize, end: usize): usize {
  // Mostly, three of the numbers have one byte each.
  const head = load<u32>(at);
  if ((head & 0x8080) == 0) {
    shared = head & 0x7f;
    rest = (head >> 8) & 0x7f;
    at += 2;
    if ((head & 0x800000) == 0) {
      valueLength = (head >> 16) & 0x7f;
      at += 1;
    } else if ((head & 0x80000000) == 0) {
      valueLength = ((head >> 16) & 0x7f) | ((head >> 17) & 0x3f80);
      at += 2;
    } else {
      valueLength = <u32>readVarint(at, 32);
      at = varintEnd;
    }
  } else {
    shared = <u32>readVarint(at, 32);
    if (varintEnd == 0) return 0;
    rest = <u32>readVarint(varintEnd, 32);
    if (varintEnd == 0) return 0;
    valueLength = <u32>readVarint(varintEnd, 32);
    at = varintEnd;
  }
  if (at == 0) return 0;
  const byte: u64 = load<u8>(at);
  if (byte < 0x80) {
    meta = byte;
    at += 1;
  } else {
    meta = readVarint(at, 56);
    at = varintEnd;
    if (at == 0) return 0;
  }
  return at <= end && <u64>rest + valueLength <= <u64>(end - at) ? at : 0;
}

/** Reads the varints of an index entry's value as doubles; returns how many there are, or -1. */
export function readFields(at: usize, end: usize, out: usize, most: i32): i32 {
  let count = 0;
  while (at < end) {
    if (count == most) return -1;
    const value = readVarint(at, 53);
    if (varintEnd == 0 || varintEnd > end) return -1;
    store<f64>(out + (count << 3), <f64>value);
    at = varintEnd;
    count++;
  }
  return count;
}
