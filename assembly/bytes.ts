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

/** Varints below this have one or two bytes. */
// @ts-ignore: decorator
@inline export const SHORT_VARINT: u32 = 0x4000;

/** Writes a varint below `SHORT_VARINT`, and returns the address behind it. */
// @ts-ignore: decorator
@inline
export function writeShortVarint(out: usize, zigzag: u32): usize {
  if (zigzag < 0x80) {
    store<u8>(out, zigzag);
    return out + 1;
  }
  store<u16>(out, (zigzag & 0x7f) | 0x80 | ((zigzag & 0x3f80) << 1));
  return out + 2;
}

/**
 * Copies. What is short is copied as 16 bytes, whatever its length: up to 16 bytes beyond the end are read
 * and written, which the callers allow for. Else, the last bytes are copied from the end, over what is there
 * already, so that there are few cases and hardly one needs a loop.
 */
// @ts-ignore: decorator
@inline
export function copy(to: usize, from: usize, length: u32): void {
  if (length <= 16) {
    copy16(to, from);
  } else if (length <= 32) {
    copy16(to, from);
    copy16(to + length - 16, from + length - 16);
  } else if (length <= 64) {
    copy32(to, from);
    copy32(to + length - 32, from + length - 32);
  } else if (length <= 128) {
    copy32(to, from);
    copy32(to + 32, from + 32);
    copy32(to + length - 64, from + length - 64);
    copy32(to + length - 32, from + length - 32);
  } else {
    copyLong(to, from, length);
  }
}

/** Copies more than 128 bytes. */
function copyLong(to: usize, from: usize, length: u32): void {
  if (length > CALL_BYTES) {
    memory.copy(to, from, length);
    return;
  }
  while (length > 64) {
    copy32(to, from);
    copy32(to + 32, from + 32);
    to += 64;
    from += 64;
    length -= 64;
  }
  if (length > 32) copy32(to, from);
  copy32(to + length - 32, from + length - 32);
}

/** `memory.copy` leaves the generated code for a call, which is worth it for more than this. */
// @ts-ignore: decorator
@inline const CALL_BYTES: u32 = 1024;

// @ts-ignore: decorator
@inline
function copy16(to: usize, from: usize): void {
  if (ASC_FEATURE_SIMD) {
    v128.store(to, v128.load(from));
  } else {
    const high = load<u64>(from, 8);
    store<u64>(to, load<u64>(from));
    store<u64>(to, high, 8);
  }
}

// @ts-ignore: decorator
@inline
function copy32(to: usize, from: usize): void {
  copy16(to, from);
  copy16(to + 16, from + 16);
}
