/** Keys: bytes, compared as unsigned numbers; a key comes after those that it begins with. */

/** Compares keys; at most 7 bytes behind each are read. Returns a negative number, 0 or a positive one. */
// @ts-ignore: decorator
@inline
export function compareKeys(a: usize, aLength: u32, b: usize, bLength: u32): i32 {
  let left = min<u32>(aLength, bLength);
  while (left >= 8) {
    const x = load<u64>(a);
    const y = load<u64>(b);
    if (x != y) return select<i32>(-1, 1, bswap<u64>(x) < bswap<u64>(y));
    a += 8;
    b += 8;
    left -= 8;
  }
  if (left > 0) {
    const shift = 64 - (<u64>left << 3);
    const x = bswap<u64>(load<u64>(a)) >> shift;
    const y = bswap<u64>(load<u64>(b)) >> shift;
    if (x != y) return select<i32>(-1, 1, x < y);
  }
  return <i32>aLength - <i32>bLength;
}

/** Whether two keys of the same length are the same. */
// @ts-ignore: decorator
@inline
export function equalKeys(a: usize, b: usize, length: u32): bool {
  while (length >= 8) {
    if (load<u64>(a) != load<u64>(b)) return false;
    a += 8;
    b += 8;
    length -= 8;
  }
  if (length == 0) return true;
  return (load<u64>(a) ^ load<u64>(b)) << (64 - (<u64>length << 3)) == 0;
}

// @ts-ignore: decorator
@inline const MULTIPLIER_A: u64 = 0x9e3779b97f4a7c15;
// @ts-ignore: decorator
@inline const MULTIPLIER_B: u64 = 0xd6e8feb86659fd93;

/** A hash of a key: multiply and fold for each 8 bytes. It is never on disk. */
// @ts-ignore: decorator
@inline
export function hashKey(key: usize, length: u32): u32 {
  let hash: u64 = <u64>length * MULTIPLIER_A;
  let left = length;
  while (left >= 8) {
    hash = (hash ^ load<u64>(key)) * MULTIPLIER_B;
    hash ^= hash >> 32;
    key += 8;
    left -= 8;
  }
  if (left > 0) {
    hash = (hash ^ (load<u64>(key) << (64 - (<u64>left << 3)))) * MULTIPLIER_B;
    hash ^= hash >> 32;
  }
  hash *= MULTIPLIER_A;
  return <u32>(hash >> 32);
}
