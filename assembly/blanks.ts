/** Blanks, digits, and looking for a byte, 16 (or 8) at a time. Up to 15 bytes behind the end are read. */

// @ts-ignore: decorator
@inline const HIGH_BITS: u64 = 0x8080808080808080;
// @ts-ignore: decorator
@inline const LOW_BITS: u64 = 0x0101010101010101;

/** The first such byte from `at` on, or `end`. */
// @ts-ignore: decorator
@inline
export function findByte(at: usize, end: usize, byte: u8): usize {
  while (at < end) {
    if (ASC_FEATURE_SIMD) {
      const bits = i8x16.bitmask(i8x16.eq(v128.load(at), i8x16.splat(byte)));
      if (bits != 0) return min(at + <usize>ctz(bits), end);
      at += 16;
    } else {
      const bits = zeros(load<u64>(at) ^ (LOW_BITS * <u64>byte));
      if (bits != 0) return min(at + <usize>(ctz(bits) >> 3), end);
      at += 8;
    }
  }
  return end;
}

/** The first of two bytes from `at` on, or `end`. */
// @ts-ignore: decorator
@inline
export function findEither(at: usize, end: usize, one: u8, other: u8): usize {
  while (at < end) {
    if (ASC_FEATURE_SIMD) {
      const bytes = v128.load(at);
      const bits = i8x16.bitmask(
        v128.or(i8x16.eq(bytes, i8x16.splat(one)), i8x16.eq(bytes, i8x16.splat(other))),
      );
      if (bits != 0) return min(at + <usize>ctz(bits), end);
      at += 16;
    } else {
      const bytes = load<u64>(at);
      const bits = zeros(bytes ^ (LOW_BITS * <u64>one)) | zeros(bytes ^ (LOW_BITS * <u64>other));
      if (bits != 0) return min(at + <usize>(ctz(bits) >> 3), end);
      at += 8;
    }
  }
  return end;
}

/** A space or a tab. */
// @ts-ignore: decorator
@inline
export function isBlank(byte: u8): bool {
  return byte == 0x20 || byte == 0x09;
}

/** The first space or tab from `at` on, or `end`. */
// @ts-ignore: decorator
@inline
export function findBlank(at: usize, end: usize): usize {
  return findEither(at, end, 0x20, 0x09);
}

/** The first byte from `at` on that is neither a space nor a tab, or `end`. */
// @ts-ignore: decorator
@inline
export function skipBlanks(at: usize, end: usize): usize {
  while (at < end && isBlank(load<u8>(at))) at++;
  return at;
}

/** The end of the text from `at` on, without the spaces and tabs before `end`. */
// @ts-ignore: decorator
@inline
export function blanksStart(at: usize, end: usize): usize {
  while (end > at && isBlank(load<u8>(end - 1))) end--;
  return end;
}

// @ts-ignore: decorator
@inline
export function isDigit(byte: u8): bool {
  return <u8>(byte - 48) < 10;
}

/** The high bit of the first byte that is zero; those of bytes above it may be set wrongly. */
// @ts-ignore: decorator
@inline
function zeros(bytes: u64): u64 {
  return (bytes - LOW_BITS) & ~bytes & HIGH_BITS;
}

/** Makes so many bytes zero, a multiple of 8. They are few: the engine's own way would be a call. */
// @ts-ignore: decorator
@inline
export function clear(at: usize, bytes: usize): void {
  const end = at + bytes;
  while (at < end) {
    store<u64>(at, 0);
    at += 8;
  }
}
