/**
 * Finds lines. The text is looked at 64 bytes at a time: each byte becomes one bit that says whether it is
 * a line feed, and the bits that are set are taken off one by one, so that the cost is that of the lines
 * and hardly that of their bytes.
 */

import { SLACK_BYTES, SPAN_ADDRESS, SPAN_BYTES, SPAN_LENGTH } from '../src/memory/layout';

// @ts-ignore: decorator
@inline const LF: u8 = 10;
// @ts-ignore: decorator
@inline const CR: u8 = 13;
// @ts-ignore: decorator
@inline const BLOCK_BYTES: usize = 64;

export function indexLines(address: usize, length: i32, spans: usize, maxLines: i32, last: i32): i32 {
  assert(length >= 0 && maxLines >= 0);
  const end = address + length;
  const full = spans + maxLines * SPAN_BYTES;
  let span = spans;
  let start = address;
  let block = address;
  while (block < end && span < full) {
    let bits = lineFeeds(block, end);
    while (bits != 0 && span < full) {
      const feed = block + <usize>ctz(bits);
      bits &= bits - 1;
      let bytes = feed - start;
      // Where the line is empty, the byte before it is not its own.
      bytes -= <usize>(load<u8>(feed - 1) == CR) & <usize>(bytes != 0);
      storeSpan(span, start, bytes);
      span += SPAN_BYTES;
      start = feed + 1;
    }
    block += BLOCK_BYTES;
  }
  if (last != 0 && start < end && span < full) {
    storeSpan(span, start, end - start);
    span += SPAN_BYTES;
    start = end;
  }
  storeSpan(span, start, 0);
  return <i32>((span - spans) / SPAN_BYTES);
}

// @ts-ignore: decorator
@inline
function storeSpan(span: usize, address: usize, length: usize): void {
  store<u32>(span, <u32>address, SPAN_ADDRESS);
  store<u32>(span, <u32>length, SPAN_LENGTH);
}

/** One bit for each of the 64 bytes from `block` on: whether it is a line feed before `end`. */
// @ts-ignore: decorator
@inline
function lineFeeds(block: usize, end: usize): u64 {
  const left = end - block;
  if (left >= BLOCK_BYTES) {
    return (
      feeds16(block) | (feeds16(block + 16) << 16) | (feeds16(block + 32) << 32) | (feeds16(block + 48) << 48)
    );
  }
  // What lies behind the end may be read only up to the slack.
  let bits = feeds16(block);
  if (left > 16) bits |= feeds16(block + 16) << 16;
  if (left > 32) bits |= feeds16(block + 32) << 32;
  if (left > 48) bits |= feeds16(block + 48) << 48;
  return bits & (((<u64>1) << left) - 1);
}

// @ts-ignore: decorator
@inline
function feeds16(address: usize): u64 {
  if (ASC_FEATURE_SIMD) {
    return <u64>(<u32>i8x16.bitmask(i8x16.eq(v128.load(address), i8x16.splat(LF))));
  } else {
    return feeds8(load<u64>(address)) | (feeds8(load<u64>(address, 8)) << 8);
  }
}

/** One bit for each byte: its zero bytes are found exactly, then their high bits are gathered into one byte. */
// @ts-ignore: decorator
@inline
function feeds8(bytes: u64): u64 {
  const differences = bytes ^ 0x0a0a0a0a0a0a0a0a;
  const low = 0x7f7f7f7f7f7f7f7f;
  const zeros = ~(((differences & low) + low) | differences | low);
  return ((zeros >> 7) * 0x0102040810204080) >> 56;
}
