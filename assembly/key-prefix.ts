/** What keys begin with: how far two agree, and the first bytes as a number. */

/** How many bytes two keys agree in from the first on, at most `length`; at most 7 bytes more are read. */
// @ts-ignore: decorator
@inline
export function commonPrefix(a: usize, b: usize, length: u32): u32 {
  let at: u32 = 0;
  while (at < length) {
    const difference = load<u64>(a + at) ^ load<u64>(b + at);
    if (difference != 0) return min<u32>(at + (<u32>ctz<u64>(difference) >> 3), length);
    at += 8;
  }
  return length;
}

/** The first eight bytes of a key as a number that orders as they do, with zeros behind a shorter key. */
// @ts-ignore: decorator
@inline
export function prefixOf(key: usize, length: u32): u64 {
  const word = bswap<u64>(load<u64>(key));
  return length >= 8 ? word : word & ~(<u64>-1 >> (<u64>length << 3));
}
