/**
 * Big-endian fields, varints and copies: what Kafka's format needs beyond a plain load and store.
 * Varints are zigzag-coded, seven bits a byte, low bits first (Protocol Buffers' sint32 and sint64).
 */

/** Offsets and timestamps lie below this distance from zero, so that a double holds them exactly. */
// @ts-ignore: decorator
@inline export const SAFE_LIMIT: i64 = 9007199254740992;

// @ts-ignore: decorator
@inline
export function load16(address: usize): i32 {
  return <i32>(<i16>bswap<u16>(load<u16>(address)));
}

// @ts-ignore: decorator
@inline
export function load32(address: usize): i32 {
  return bswap<i32>(load<i32>(address));
}

// @ts-ignore: decorator
@inline
export function load64(address: usize): i64 {
  return bswap<i64>(load<i64>(address));
}

// @ts-ignore: decorator
@inline
export function store16(address: usize, value: i32): void {
  store<u16>(address, bswap<u16>(<u16>value));
}

// @ts-ignore: decorator
@inline
export function store32(address: usize, value: i32): void {
  store<i32>(address, bswap<i32>(value));
}

// @ts-ignore: decorator
@inline
export function store64(address: usize, value: i64): void {
  store<i64>(address, bswap<i64>(value));
}

/** Whether a double holds `value`, an offset or a timestamp, exactly. */
// @ts-ignore: decorator
@inline
export function isSafe(value: i64): bool {
  return value > -SAFE_LIMIT && value < SAFE_LIMIT;
}

// @ts-ignore: decorator
@inline
export function zigzag32(value: i32): u32 {
  return (value << 1) ^ (value >> 31);
}

// @ts-ignore: decorator
@inline
export function zigzag64(value: i64): u64 {
  return (value << 1) ^ (value >> 63);
}

/** Bytes of a varint: ceil(bits / 7), at least 1. 37/256 is 1/7, closely enough for up to 70 bits. */
// @ts-ignore: decorator
@inline
export function varint32Bytes(zigzag: u32): u32 {
  return ((38 - <u32>clz(zigzag | 1)) * 37) >> 8;
}

// @ts-ignore: decorator
@inline
export function varint64Bytes(zigzag: u64): u32 {
  return ((70 - <u32>clz(zigzag | 1)) * 37) >> 8;
}

/** Writes a varint and returns the address behind it. */
// @ts-ignore: decorator
@inline
export function writeVarint32(out: usize, zigzag: u32): usize {
  while (zigzag >= 0x80) {
    store<u8>(out++, zigzag | 0x80);
    zigzag >>= 7;
  }
  store<u8>(out, zigzag);
  return out + 1;
}

// @ts-ignore: decorator
@inline
export function writeVarint64(out: usize, zigzag: u64): usize {
  while (zigzag >= 0x80) {
    store<u8>(out++, zigzag | 0x80);
    zigzag >>= 7;
  }
  store<u8>(out, zigzag);
  return out + 1;
}

/**
 * Copies up to `SHORT_COPY_BYTES` in steps of 16: reads and writes up to 15 bytes beyond the end, which
 * the callers allow for. `memory.copy` leaves the generated code for a call and is worth it only for more.
 */
// @ts-ignore: decorator
@inline
export function copy(to: usize, from: usize, length: u32): void {
  if (length <= SHORT_COPY_BYTES) {
    const end = from + length;
    while (from < end) {
      if (ASC_FEATURE_SIMD) {
        v128.store(to, v128.load(from));
      } else {
        store<u64>(to, load<u64>(from));
        store<u64>(to, load<u64>(from, 8), 8);
      }
      from += 16;
      to += 16;
    }
  } else {
    memory.copy(to, from, length);
  }
}

// @ts-ignore: decorator
@inline const SHORT_COPY_BYTES: u32 = 512;
